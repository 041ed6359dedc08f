"""Ask a name server one question, over UDP, and over TCP if the answer is cut.

Both are those of RFC 1035, 4.2.
"""

import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.network import Address, TimedSocket, seconds_left
from fleet.probes.target import Phase, Target, Timer, connect_timed, resolve_target

if TYPE_CHECKING:
    from dns.message import Message

PORT = 53
DATAGRAM_BYTES = 65_535


class WrongAnswer(OSError):
    """What the server sent does not answer the question."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a name server answered.

    `rcode` is its code, such as `NOERROR`; `records` are those of the type that was asked for, in
    alphabetical order; `address` is where the server was asked.
    """

    rcode: str
    records: tuple[str, ...]
    address: str


def check_question(name: str, kind: str) -> None:
    """Raise `ValueError` for a name, or a type of records, that no server can be asked for."""
    import dns.exception
    import dns.name
    import dns.rdatatype

    try:
        dns.name.from_text(name)
        dns.rdatatype.from_text(kind)
    except dns.exception.DNSException as error:
        raise ValueError(f"no name server can be asked for {kind!r} of {name!r}: {error}") from None


def ask(server: Target, name: str, kind: str, timer: Timer) -> Reply:
    """Ask a server for the records of a type that a name has. Raises `Unreachable`."""
    import dns.flags
    import dns.message
    import dns.rcode
    import dns.rdatatype

    query = dns.message.make_query(name, kind)
    addresses = resolve_target(server, timer)
    first = addresses[0]
    answer = _ask_by_datagram(query, first, timer)
    if answer.flags & dns.flags.TC:
        answer = _ask_by_stream(query, addresses, timer)
    wanted = dns.rdatatype.from_text(kind)
    records = []
    for answered in answer.answer:
        if answered.rdtype == wanted:
            records += [_comparable(str(record), kind) for record in answered]
    return Reply(
        rcode=dns.rcode.to_text(answer.rcode()),
        records=tuple(sorted(records)),  # servers answer in any order
        address=first[1][0],
    )


def _ask_by_datagram(query: "Message", address: Address, timer: Timer) -> "Message":
    family, place = address
    with (
        timer.phase(Phase.EXCHANGE) as deadline,
        socket.socket(family, socket.SOCK_DGRAM) as raw,
    ):
        raw.connect(place)  # so that only its datagrams are received, and a refusal is too
        raw.send(query.to_wire())
        while True:
            raw.settimeout(seconds_left(deadline))
            wire = raw.recv(DATAGRAM_BYTES)
            try:
                return _parse_answer(query, wire)
            except WrongAnswer:  # perhaps a late one; the right one may follow
                continue


def _ask_by_stream(query: "Message", addresses: list[Address], timer: Timer) -> "Message":
    with (
        connect_timed(addresses, timer) as raw,
        timer.phase(Phase.EXCHANGE) as deadline,
    ):
        wire = TimedSocket(raw, deadline)
        reader = wire.makefile("rb")
        question = query.to_wire()
        length = struct.pack(">H", len(question))  # two bytes before each message
        wire.sendall(length + question)
        length = reader.read(2)
        if len(length) < 2:
            raise WrongAnswer("the connection was closed before an answer")
        answer = reader.read(int.from_bytes(length, "big"))
        return _parse_answer(query, answer)


def _parse_answer(query: "Message", wire: bytes) -> "Message":
    """Read the answer to a query. Raises `WrongAnswer` for anything else."""
    import dns.exception
    import dns.message

    try:
        answer = dns.message.from_wire(wire)
    except dns.exception.DNSException as error:
        raise WrongAnswer(f"the answer cannot be read: {error}") from None
    if not query.is_response(answer):
        raise WrongAnswer("the answer is to another question")
    return answer


def _comparable(record: str, kind: str) -> str:
    """Write a record as conditions compare it: the host of an MX, what a TXT has in its quotes."""
    match kind.upper():
        case "MX":
            _preference, _, host = record.rpartition(" ")
            return host
        case "TXT":
            return record.strip('"')
    return record
