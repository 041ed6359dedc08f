"""From plain text to TLS: what each protocol says to a server before the handshake.

The standard library's clients of these protocols open connections of their own and have no limit
for all of their reads together. So little is said here that it goes over the guarded connection.
"""

import socket
import struct
from collections.abc import Callable, Iterator
from io import BufferedReader

from fleet.network import TimedSocket
from fleet.probes.target import Phase, Timer

# SMTP lines have at most 512 bytes (RFC 5321, 4.5.3.1), and IMAP servers should take 8,192 bytes
# (RFC 7162, 4): a dialogue with longer or more lines does not lead to TLS.
LINE_BYTES = 8_192
LINES = 100

# https://www.postgresql.org/docs/current/protocol-message-formats.html, SSLRequest: the length
# of the message, then the number that stands for the request.
SSL_REQUEST = struct.pack(">ii", 8, 80_877_103)


class NoTls(OSError):
    """The server answers, but does not begin TLS."""


def smtp(wire: TimedSocket, reader: BufferedReader) -> None:
    """Ask for TLS as RFC 3207 says. Raises `NoTls`, and `OSError` of the connection."""
    _smtp_reply(reader, "220", "its greeting")
    wire.sendall(f"EHLO {_address_literal(wire)}\r\n".encode())
    lines = _smtp_reply(reader, "250", "EHLO")
    features = [line[4:].strip().upper() for line in lines]
    if "STARTTLS" not in features:
        raise NoTls("the server does not offer STARTTLS")
    wire.sendall(b"STARTTLS\r\n")
    _smtp_reply(reader, "220", "STARTTLS")


def imap(wire: TimedSocket, reader: BufferedReader) -> None:
    """Ask for TLS as RFC 9051, 6.2.1 says. Raises `NoTls`, and `OSError` of the connection."""
    greeting = next(_lines(reader))
    if not greeting.upper().startswith("* OK"):
        raise NoTls(f"the server greets with {greeting!r:.100}")
    wire.sendall(b"a STARTTLS\r\n")
    for line in _lines(reader):
        if not line.startswith("a "):  # the server says something else first
            continue
        if line.upper().startswith("A OK"):
            return
        raise NoTls(f"STARTTLS was answered with {line!r:.100}")


def postgres(wire: TimedSocket, reader: BufferedReader) -> None:
    """Ask for TLS as PostgreSQL's protocol says ("SSL Session Encryption"). Raises as `smtp`."""
    wire.sendall(SSL_REQUEST)
    answer = reader.read(1)
    if answer == b"N":
        raise NoTls("the server has no TLS")
    if answer != b"S":
        raise NoTls(f"SSLRequest was answered with {answer!r}")


Dialogue = Callable[[TimedSocket, BufferedReader], None]
PROTOCOLS: dict[str, Dialogue] = {
    "smtp": smtp,
    "imap": imap,
    "postgres": postgres,
}


def start_tls(raw: socket.socket, protocol: str, timer: Timer) -> None:
    """Bring a fresh connection to where the handshake begins. Raises `Unreachable`.

    `protocol` is one of `PROTOCOLS`.
    """
    with timer.phase(Phase.STARTTLS) as deadline:
        wire = TimedSocket(raw, deadline)
        PROTOCOLS[protocol](wire, wire.makefile("rb"))


def _address_literal(wire: TimedSocket) -> str:
    """Return how a client without a name introduces itself (RFC 5321, 4.1.3)."""
    address = wire.own_address
    if ":" in address:
        return f"[IPv6:{address}]"
    return f"[{address}]"


def _smtp_reply(reader: BufferedReader, code: str, request: str) -> list[str]:
    """Read an SMTP reply of one or more lines. Raises `NoTls` unless it has the code."""
    lines = []
    for line in _lines(reader):
        lines.append(line)
        if line[3:4] != "-":
            break
    last = lines[-1]
    if not last.startswith(code):
        raise NoTls(f"{request} was answered with {last!r:.100}")
    return lines


def _lines(reader: BufferedReader) -> Iterator[str]:
    """Yield lines without their ends. Raises `NoTls` where the server stops, or never does."""
    for _ in range(LINES):
        line = reader.readline(LINE_BYTES)
        if line.endswith(b"\n"):
            yield line.decode(errors="replace").rstrip("\r\n")
        elif len(line) < LINE_BYTES:
            raise NoTls("the connection was closed")
        else:
            break
    raise NoTls("the server sends endless lines")
