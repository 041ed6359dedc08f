"""Call out to the world: one guarded POST, and the one place that says what an answer means.

The host is resolved once and the connection goes to an address that was looked at, so a name cannot lead elsewhere
between the look and the call. Time is limited as a whole: a destination that sends a byte now and then cannot outlast
it, which a time-out for each read would allow. No proxy of the environment is used and no redirect is followed.
"""

import io
import math
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.client import HTTPConnection, HTTPException, IncompleteRead
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from fleet import secrets
from fleet.errors import Permanent, Refused, Transient

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 10.0
BODY_BYTES = 64 * 1024
SHOWN_CHARACTERS = 200

# What is not the public Internet, of IANA's registries of special-purpose addresses. Among the IPv6 addresses only
# those of 2000::/3 are public; what is left out of them carries or stands for an IPv4 address, or is reserved.
PRIVATE = [
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
]
PUBLIC_IPV6 = ip_network("2000::/3")

HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
NUMERIC_END = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")

Address = tuple[socket.AddressFamily, tuple[Any, ...]]


class Gone(Permanent):
    """The destination says that it is no more, and wants no further calls."""


@dataclass(frozen=True, slots=True)
class Response:
    """A 2xx answer; of its body, what `BODY_BYTES` holds."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads. `guarded` unless the allow-list names its host and port."""

    scheme: str
    host: str
    port: int
    path: str
    guarded: bool

    @property
    def origin(self) -> str:
        """What error texts may show: path and query of some URLs are secrets."""
        return f"{self.scheme}://{self.host}:{self.port}"


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Response:
    """POST `body`, and return the answer if it is a success.

    Raises `Transient` for what may pass, `Refused` for a secret that was not accepted, `Permanent` for the rest. The
    environment variable `ALLOWED_DESTINATIONS` (host:port, comma-separated) names what may be private, or plain HTTP.
    """
    place = target(url.strip(), frozenset(os.environ.get("ALLOWED_DESTINATIONS", "").split(",")))
    sent = {name: value.strip() for name, value in headers.items()}
    if not all(value.isascii() and value.isprintable() for value in sent.values()):
        raise Permanent(f"{place.origin} was not called: a header, a secret perhaps, is no printable ASCII text")
    try:
        status, received, content = _exchange(place, body, sent, time.monotonic())
    except (OSError, HTTPException) as error:
        raise Transient(f"{place.origin} did not answer: {type(error).__name__} {_shown(str(error), place)}") from None
    judge(place, status, received, content)
    return Response(status, received, content)


def target(url: str, allowed: Container[str] = ()) -> Target:
    """Take a URL apart. Raises `Permanent` for one that no call should follow, whatever it resolves to.

    A number for a host is only taken as dotted decimal IPv4 or bracketed IPv6: other spellings (octal, hexadecimal,
    short, Unicode) read otherwise elsewhere.
    """
    if not (url.isascii() and url.isprintable()) or re.search(r"[\s\\]", url):
        raise Permanent(
            "the URL has characters other than printable ASCII: write names in punycode, and encode the rest"
        )
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        raise Permanent("the URL is malformed") from None
    host = parts.hostname or ""
    if "@" in parts.netloc:
        raise Permanent(f"the URL of {host!r} holds credentials: leave them out")
    guarded = f"{host}:{port}" not in allowed
    if parts.scheme != "https" and (guarded or parts.scheme != "http"):
        raise Permanent(f"the URL of {host!r} is not https")
    if "[" in parts.netloc or NUMERIC_END.fullmatch(host):
        try:
            plain = ip_address(host).version == (6 if "[" in parts.netloc else 4) and "%" not in host
        except ValueError:  # it is refused below
            plain = False
        if not plain:
            raise Permanent(f"{host!r} is no address in its plain form")
    elif not HOST.fullmatch(host):
        raise Permanent(f"{host!r} is no host name")
    return Target(parts.scheme, host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), guarded)


def public(address: str) -> bool:
    """Whether an address, as the resolver gives it, is one of the public Internet."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and (ip not in PUBLIC_IPV6 or ip.scope_id):
        return False
    return not any(ip in network for network in PRIVATE)


def judge(place: Target, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Say what an answer means: return for a success, and raise for anything else."""
    if 200 <= status < 300:
        return
    said = _shown(body.decode(errors="replace"), place)
    text = f"{place.origin} answered {status}" + (f": {said}" if said else "")
    if status in (401, 403):
        raise Refused(text)
    if status in (429, 503):
        raise Transient(text, retry_after=retry_after(headers.get("retry-after", ""), datetime.now(UTC)))
    if status == 408 or status >= 500:
        raise Transient(text)
    raise (Gone if status == 410 else Permanent)(text)


def retry_after(value: str, now: datetime) -> float | None:
    """The seconds that a `Retry-After` header asks for, whether as a number or as a date; None if it is neither."""
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:  # it is no date either, so the runtime chooses the wait
        return None
    return float(max(0, math.ceil((date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())))


def _shown(text: str, place: Target) -> str:
    """A beginning of what a destination said, without the secrets that it might repeat."""
    shown = secrets.redact(text).replace(place.path, "[path]") if place.path != "/" else secrets.redact(text)
    return " ".join(shown.split())[:SHOWN_CHARACTERS]


def _exchange(
    place: Target, body: bytes, headers: Mapping[str, str], began: float
) -> tuple[int, dict[str, str], bytes]:
    connected_by, deadline = began + CONNECT_SECONDS, began + TOTAL_SECONDS
    connection = HTTPConnection(place.host, place.port)
    raw = _connected(_addresses(place, connected_by), connected_by)
    try:
        if place.scheme == "https":
            raw.settimeout(_left(connected_by))
            raw = _tls().wrap_socket(raw, server_hostname=place.host)
        connection.sock = _Timed(raw, deadline)
        connection.request("POST", place.path, body, {"User-Agent": "fleet", "Connection": "close", **headers})
        with connection.getresponse() as answer:
            received = {name.lower(): value for name, value in answer.getheaders()}
            content = answer.read(BODY_BYTES)
            if len(content) < BODY_BYTES and answer.length:
                raise IncompleteRead(content, answer.length)
            return answer.status, received, content
    finally:
        raw.close()


def _addresses(place: Target, deadline: float) -> list[Address]:
    """Resolve the host, once. Raises `Permanent` if any address is not public, as one name may lead to several."""
    answers: list[Any] = []

    def resolve() -> None:
        try:
            answers.append(socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.append(error)

    resolver = threading.Thread(target=resolve, daemon=True)  # the system's resolver takes no time-out
    resolver.start()
    resolver.join(_left(deadline))
    if not answers:
        raise TimeoutError("the name was not resolved in time")
    if isinstance(answers[0], Exception):
        raise OSError(f"the name was not resolved: {answers[0]}")
    addresses = [(family, address) for family, _, _, _, address in answers[0]]
    if place.guarded and not all(public(address[0]) for _, address in addresses):
        raise Permanent(f"{place.host!r} leads to an address that is not public, so it was not called")
    return addresses


def _connected(addresses: list[Address], deadline: float) -> socket.socket:
    failure: OSError = OSError("the name has no address")
    for number, (family, address) in enumerate(addresses):
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(_left(deadline) / (len(addresses) - number))  # what does not answer leaves time for others
            raw.connect(address)
        except OSError as error:
            raw.close()
            failure = error
        else:
            return raw
    raise failure


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _left(deadline: float) -> float:
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError("timed out")
    return left


class _Timed(io.RawIOBase):
    """A socket, as far as http.client uses one, all of whose operations together end by a deadline."""

    def __init__(self, raw: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._raw.settimeout(_left(self._deadline))
        return self._raw.recv_into(buffer)

    def sendall(self, content: bytes) -> None:
        unsent = memoryview(content)
        while unsent:
            self._raw.settimeout(_left(self._deadline))
            unsent = unsent[self._raw.send(unsent) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Timed(self._raw, self._deadline))  # the connection closes itself before its answer
