"""What a server may say before a handshake; tests/probes has servers that then do one."""

from typing import Any

import pytest

from fleet.probes.starttls import start_tls
from fleet.probes.target import Phase, Unreachable, start_timer

Lines = list[tuple[bytes, bytes]]
GREETING = b"220-mail.test\r\n220 ready\r\n"
FEATURES = b"250-mail.test\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"
SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def says(*lines: tuple[bytes, bytes]) -> Lines:
    """Say the first of each pair, then expect a request that begins with the second."""
    return list(lines)


class Connection:
    """A connection to a server that keeps to its lines, and closes it after the last."""

    def __init__(self, lines: Lines, address: str = "127.0.0.1") -> None:
        self.lines = list(lines)
        self.address = address
        self.unread, self.expected = lines[0]
        self.sent = b""

    def settimeout(self, _: float) -> None:
        """A server that answers at once needs none."""

    def getsockname(self) -> tuple[str, int]:
        return self.address, 1

    def recv_into(self, buffer: memoryview) -> int:
        content = self.unread[: len(buffer)]
        self.unread = self.unread[len(content) :]
        buffer[: len(content)] = content
        return len(content)

    def send(self, content: memoryview) -> int:
        request = bytes(content)
        assert self.expected
        assert request.startswith(self.expected)
        self.sent += request
        del self.lines[0]
        self.unread, self.expected = self.lines[0] if self.lines else (b"", b"")
        return len(request)


@pytest.mark.parametrize(
    ("address", "hello"),
    [("192.0.2.7", b"EHLO [192.0.2.7]\r\n"), ("2001:db8::7", b"EHLO [IPv6:2001:db8::7]\r\n")],
)
def test_smtp_is_greeted_with_an_address(address: str, hello: bytes) -> None:
    lines = says((GREETING, b"EHLO"), (FEATURES, b"STARTTLS"), (b"220 go\r\n", b""))
    raw: Any = Connection(lines, address)
    start_tls(raw, "smtp", start_timer(5))
    assert raw.sent == hello + b"STARTTLS\r\n"


@pytest.mark.parametrize(
    ("protocol", "lines", "reason"),
    [
        ("smtp", says((b"554 no\r\n", b"")), "its greeting was answered with '554 no'"),
        (
            "smtp",
            says((b"220 hello\r\n", b"EHLO"), (b"250 mail.test\r\n", b"")),
            "does not offer STARTTLS",
        ),
        (
            "smtp",
            says((GREETING, b"E"), (FEATURES, b"S"), (b"454 later\r\n", b"")),
            "answered with '454 later'",
        ),
        ("smtp", says((b"220-a\r\n" * 200, b"")), "endless lines"),
        ("smtp", says((b"2" * 10_000, b"")), "endless lines"),
        ("smtp", says((b"220 hello\r\n", b"EHLO")), "connection was closed"),
        ("imap", says((b"* BYE full\r\n", b"")), "greets with '* BYE full'"),
        (
            "imap",
            says((b"* OK\r\n", b"a"), (b"a BAD what\r\n", b"")),
            "was answered with 'a BAD what'",
        ),
        ("imap", says((b"* OK\r\n", b"a"), (b"* x\r\n" * 200, b"")), "endless lines"),
        ("postgres", says((b"", SSL_REQUEST), (b"N", b"")), "the server has no TLS"),
        ("postgres", says((b"", SSL_REQUEST), (b"E", b"")), "answered with b'E'"),
        ("postgres", says((b"", SSL_REQUEST)), "answered with b''"),
    ],
)
def test_a_server_that_does_not_begin_tls_is_described(
    protocol: str, lines: Lines, reason: str
) -> None:
    raw: Any = Connection(lines)
    with pytest.raises(Unreachable) as failed:
        start_tls(raw, protocol, start_timer(5))
    assert failed.value.phase is Phase.STARTTLS
    assert reason in failed.value.reason
