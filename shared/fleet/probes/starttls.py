"""From plain text to TLS: what a server of each protocol is told before the handshake.

The standard library's clients of these protocols open connections of their own and have no limit for all of their
reads together; so little is said here that it is said over the guarded connection instead.
"""

import socket
import struct
from collections.abc import Callable, Iterator
from io import BufferedReader

from fleet.network import Timed
from fleet.probes.target import Course, Phase

LINE_BYTES = 8_192
LINES = 100
SSL_REQUEST = struct.pack(
    ">ii", 8, 80_877_103
)  # PostgreSQL's protocol, "Message Formats", SSLRequest


class Refused(OSError):
    """The server answers, but not with TLS."""


def smtp(wire: Timed, reader: BufferedReader, own: str) -> None:
    """RFC 3207."""
    _reply(reader, "220", "its greeting")
    wire.sendall(f"EHLO [{own}]\r\n".encode())
    if not any(line[4:].strip().upper() == "STARTTLS" for line in _reply(reader, "250", "EHLO")):
        raise Refused("the server does not offer STARTTLS")
    wire.sendall(b"STARTTLS\r\n")
    _reply(reader, "220", "STARTTLS")


def imap(wire: Timed, reader: BufferedReader, _own: str) -> None:
    """RFC 9051, 6.2.1."""
    if not (greeting := next(_lines(reader))).upper().startswith("* OK"):
        raise Refused(f"the server greets with {greeting!r:.100}")
    wire.sendall(b"a STARTTLS\r\n")
    answer = next(line for line in _lines(reader) if line.startswith("a "))
    if not answer.upper().startswith("A OK"):
        raise Refused(f"STARTTLS was answered with {answer!r:.100}")


def postgres(wire: Timed, reader: BufferedReader, _own: str) -> None:
    """PostgreSQL's protocol, "SSL Session Encryption"."""
    wire.sendall(SSL_REQUEST)
    if (answer := reader.read(1)) != b"S":
        said = "it has no TLS" if answer == b"N" else f"{answer!r}"
        raise Refused(f"SSLRequest was answered with {said}")


PROTOCOLS: dict[str, Callable[[Timed, BufferedReader, str], None]] = {
    "smtp": smtp,
    "imap": imap,
    "postgres": postgres,
}


def upgrade(raw: socket.socket, protocol: str, course: Course) -> None:
    """Bring a fresh connection to where the handshake begins. Raises `Unreachable`."""
    with course.phase(Phase.STARTTLS) as deadline:
        wire = Timed(raw, deadline)
        own = raw.getsockname()[0]
        PROTOCOLS[protocol](wire, wire.makefile("rb"), f"IPv6:{own}" if ":" in own else own)


def _reply(reader: BufferedReader, code: str, to: str) -> list[str]:
    """Read an SMTP reply of one or more lines."""
    lines = []
    for line in _lines(reader):
        lines.append(line)
        if line[3:4] != "-":
            break
    if not lines[-1].startswith(code):
        raise Refused(f"{to} was answered with {lines[-1]!r:.100}")
    return lines


def _lines(reader: BufferedReader) -> Iterator[str]:
    for _ in range(LINES):
        line = reader.readline(LINE_BYTES)
        if not line.endswith(b"\n"):
            raise Refused(
                "the connection was closed"
                if len(line) < LINE_BYTES
                else "the server sends endless lines"
            )
        yield line.decode(errors="replace").rstrip("\r\n")
    raise Refused("the server sends endless lines")
