"""Ask a name server one question, over UDP, and over TCP if the answer does not fit into a datagram."""

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


class Garbled(OSError):
    """What the server answered is no answer to the question."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a name server answered: its code, such as `NOERROR`, and the records of the type that was asked for."""

    rcode: str
    records: tuple[str, ...]
    address: str


def check(name: str, kind: str) -> None:
    """Raises `ValueError` for a question that cannot be asked."""
    import dns.exception
    import dns.name
    import dns.rdatatype

    try:
        dns.name.from_text(name)
        dns.rdatatype.from_text(kind)
    except dns.exception.DNSException as error:
        raise ValueError(f"nobody can be asked for {kind!r} of {name!r}: {error}") from None


def ask(place: Target, name: str, kind: str, timer: Timer) -> Reply:
    """Ask a server for the records of a type that a name has. Raises `Unreachable`."""
    import dns.flags
    import dns.message
    import dns.rcode
    import dns.rdatatype

    query = dns.message.make_query(name, kind)
    addresses = resolve_target(place, timer)
    answer, address = _by_datagram(query, addresses[0], timer)
    if answer.flags & dns.flags.TC:
        answer = _by_stream(query, addresses, timer)
    wanted = dns.rdatatype.from_text(kind)
    found = [
        record for answered in answer.answer if answered.rdtype == wanted for record in answered
    ]
    records = sorted(_text(str(record), kind) for record in found)  # servers answer in any order
    return Reply(dns.rcode.to_text(answer.rcode()), tuple(records), address)


def _by_datagram(query: "Message", address: Address, timer: Timer) -> "tuple[Message, str]":
    family, place = address
    with timer.phase(Phase.EXCHANGE) as deadline, socket.socket(family, socket.SOCK_DGRAM) as raw:
        raw.connect(place)  # so that nobody else's datagrams are received, and a refusal is
        raw.send(query.to_wire())
        while True:
            raw.settimeout(seconds_left(deadline))
            try:
                return _read(query, raw.recv(DATAGRAM_BYTES)), place[0]
            except Garbled:  # a late answer to another question, perhaps; the right one may follow
                continue


def _by_stream(query: "Message", addresses: list[Address], timer: Timer) -> "Message":
    with connect_timed(addresses, timer) as raw, timer.phase(Phase.EXCHANGE) as deadline:
        wire = TimedSocket(raw, deadline)
        reader = wire.makefile("rb")
        question = query.to_wire()
        wire.sendall(struct.pack(">H", len(question)) + question)
        length = reader.read(2)
        content = reader.read(struct.unpack(">H", length)[0]) if len(length) == 2 else b""
        return _read(query, content)


def _read(query: "Message", wire: bytes) -> "Message":
    import dns.exception
    import dns.message

    try:
        answer = dns.message.from_wire(wire)
    except dns.exception.DNSException as error:
        raise Garbled(f"the answer cannot be read: {error}") from None
    if not query.is_response(answer):
        raise Garbled("the answer is to another question")
    return answer


def _text(record: str, kind: str) -> str:
    """A record as conditions compare it: of an MX, only the host, and of a TXT what stands between its quotes."""
    if kind.upper() == "MX":
        return record.rpartition(" ")[2]
    return record.strip('"') if kind.upper() == "TXT" else record
