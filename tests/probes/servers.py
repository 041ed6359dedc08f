"""Servers that fail in every phase: of HTTP, with and without TLS, of TCP, and of DNS."""

import contextlib
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socket import SO_LINGER, SOL_SOCKET

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

Answerer = Callable[[socket.socket, bytes], None]
HANG_SECONDS = 3.0


@contextmanager
def listening(answer: Answerer, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Accept connections on a free port of loopback, each in a thread.

    `answer` gets what a client said first.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:

        def attend(raw: socket.socket) -> None:
            with contextlib.suppress(OSError), raw:
                raw.settimeout(HANG_SECONDS)
                with tls.wrap_socket(raw, server_side=True) if tls else raw as wire:
                    answer(wire, b"" if answer is greet else wire.recv(65_536))

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=attend, args=(server.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)


def greet(wire: socket.socket, _: bytes) -> None:
    wire.sendall(b"220 ready\r\n")
    wire.recv(10)


seen: list[str] = []


def http(wire: socket.socket, request: bytes) -> None:
    """Answer as the path says."""
    head, _, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"\r\nContent-Length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += wire.recv(65_536)
    _, path, *_ = (*head.split(b"\r\n")[0].decode(errors="replace").split(" "), "", "")
    name, _, rest = path.partition("?")[0].strip("/").partition("/")
    PATHS.get(name, healthy)(
        wire, rest, head.decode(errors="replace") + "\r\n" + body.decode(errors="replace")
    )


def reset(wire: socket.socket, _: str, __: str) -> None:
    wire.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def drip(wire: socket.socket, _: str, __: str) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1_000:
        wire.sendall(bytes([byte]))
        time.sleep(0.05)


def slow(wire: socket.socket, _: str, __: str) -> None:
    time.sleep(0.15)
    respond(wire, 200, "late")


def flaky(wire: socket.socket, name: str, _: str) -> None:
    seen.append(name)
    respond(wire, 200 if seen.count(name) > 1 else 500)


def private(wire: socket.socket, _: str, request: str) -> None:
    respond(wire, 200 if "\r\nAuthorization: Bearer new-secret-value" in request else 401, request)


def healthy(wire: socket.socket, _: str, __: str) -> None:
    respond(wire, 200, '{"status": "UP"}')


def failing(wire: socket.socket, status: str, _: str) -> None:
    respond(wire, int(status), '{"status": "DOWN", "checks": [{"name": "db", "up": false}]}')


def moved(wire: socket.socket, _: str, __: str) -> None:
    respond(wire, 301, headers="Location: https://example.com/new?token=hunter2hunter2\r\n")


def saying(content: bytes) -> Callable[[socket.socket, str, str], None]:
    return lambda wire, _, __: wire.sendall(content)


PATHS: dict[str, Callable[[socket.socket, str, str], None]] = {
    "reset": reset,
    "close": saying(b""),
    "hang": lambda _, __, ___: time.sleep(HANG_SECONDS),
    "drip": drip,
    "garbage": saying(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "short": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
    "large": saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000),
    "moved": moved,
    "slow": slow,
    "echo": lambda wire, _, request: respond(wire, 200, request),
    "private": private,
    "flaky": flaky,
    "status": failing,
}


def respond(wire: socket.socket, status: int, text: str = "", headers: str = "") -> None:
    content = text.encode()
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
    wire.sendall(head.encode() + content)


RECORDS = {
    ("web.test.", "A"): ["192.0.2.1", "192.0.2.2"],
    ("web.test.", "AAAA"): ["2001:db8::1"],
    ("web.test.", "MX"): ["10 mail.test."],
    ("web.test.", "TXT"): ['"v=spf1 -all"'],
    ("web.test.", "NS"): ["ns.test."],
    ("www.test.", "CNAME"): ["web.test."],
    ("long.test.", "A"): [f"192.0.2.{number}" for number in range(1, 200)],
}


@contextmanager
def name_server() -> Iterator[int]:
    """Answer questions on one port over UDP and TCP; what a name begins with says how."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        while True:
            datagrams.bind(("127.0.0.1", 0))
            port = datagrams.getsockname()[1]
            try:
                server = socket.create_server(("127.0.0.1", port))
            except OSError:  # somebody else has this port for TCP
                continue
            break

        def by_datagram() -> None:
            with contextlib.suppress(OSError):
                while True:
                    wire, client = datagrams.recvfrom(65_536)
                    for datagram in answers(wire):
                        datagrams.sendto(datagram, client)

        def by_stream() -> None:
            with contextlib.suppress(OSError):
                while True:
                    raw, _ = server.accept()
                    with raw:
                        wire = raw.recv(65_536)[2:]
                        content = reply(dns.message.from_wire(wire)).to_wire()
                        raw.sendall(struct.pack(">H", len(content)) + content)

        for serve in (by_datagram, by_stream):
            threading.Thread(target=serve, daemon=True).start()
        with server:
            try:
                yield port
            finally:
                server.shutdown(socket.SHUT_RDWR)
                datagrams.sendto(b"", datagrams.getsockname())


def answers(wire: bytes) -> Iterator[bytes]:
    if not wire:
        raise OSError("enough")
    query = dns.message.from_wire(wire)
    name = str(query.question[0].name)
    answer = reply(query)
    if name == "silent.test.":
        return
    if name == "garbled.test.":
        yield b"no DNS"
        yield dns.message.make_response(dns.message.make_query("other.test.", "A")).to_wire()
    if name == "long.test.":
        answer.answer.clear()
        answer.flags |= dns.flags.TC
    yield answer.to_wire()


def reply(query: dns.message.Message) -> dns.message.Message:
    answer = dns.message.make_response(query)
    question = query.question[0]
    name, kind = str(question.name), dns.rdatatype.to_text(question.rdtype)
    code = {"missing.test.": "NXDOMAIN", "broken.test.": "SERVFAIL", "denied.test.": "REFUSED"}.get(
        name, "NOERROR"
    )
    answer.set_rcode(dns.rcode.from_text(code))
    if name == "www.test." and kind != "CNAME":
        answer.answer.append(dns.rrset.from_text("www.test.", 60, "IN", "CNAME", "web.test."))
        name = "web.test."
    if name == "garbled.test.":
        name = "web.test."
    if records := RECORDS.get((name, kind)):
        answer.answer.append(dns.rrset.from_text_list(name, 60, "IN", kind, records))
    return answer
