"""The way to another host: resolve its name once, check its addresses, connect to just those.

Deadlines are times of `time.monotonic()`, in seconds. What a caller decides about the addresses
between `resolve` and `connect` holds, because nothing is resolved again.
"""

import io
import os
import re
import socket
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, IncompleteRead
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network
Address = tuple[socket.AddressFamily, tuple[Any, ...]]
"""An address family, and the address in it as `socket.connect` takes it."""


def _networks(*texts: str) -> list[Network]:
    return [ip_network(text) for text in texts]


# What is not the public Internet, from IANA's registries of special-purpose addresses:
# https://www.iana.org/assignments/iana-ipv4-special-registry, and the same for IPv6.
PRIVATE = _networks(
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private use
    "100.64.0.0/10",  # shared address space of carriers
    "127.0.0.0/8",  # loopback
    "169.254.0.0/16",  # link-local
    "172.16.0.0/12",  # private use
    "192.0.0.0/24",  # IETF protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",  # private use
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
    "2001::/23",  # IETF protocol assignments, Teredo among them
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "3fff::/20",  # documentation
)
# Only these IPv6 addresses are public: all others stand for an IPv4 address, or are reserved.
PUBLIC_IPV6 = ip_network("2000::/3")

# Where instances, containers and pods get their credentials (EC2, ECS and EKS user guides), with
# every other link-local address.
METADATA = _networks("169.254.0.0/16", "fd00:ec2::/32")
ALLOWABLE = _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
# In Lambda this is the runtime itself, which gives out credentials too. People may allow it only
# where functions and the servers they probe run on one machine: the local fleet and the tests set
# the variable.
LOOPBACK = _networks("127.0.0.0/8", "::1/128")
LOOPBACK_VARIABLE = "PROBE_LOOPBACK"

# RFC 1123, 2.1, and the underscore of service names (RFC 8552). Resolvers read a name whose last
# label is a number as an IPv4 address (https://url.spec.whatwg.org/#ends-in-a-number-checker).
NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
NUMERIC_END = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")
NAME_CHARACTERS = 253


def host(text: str) -> str:
    """Return a host in its one spelling: a name in lower case, or an IP address.

    A name is in ASCII (see `fleet.probes.target` for other scripts) and may end with the dot of
    an absolute name. An address is dotted decimal IPv4, or IPv6 with or without brackets: other
    spellings of numbers (octal, hexadecimal, short) read differently elsewhere. Raises
    `ValueError` for anything else.
    """
    name = text.lower()
    plain = name.removesuffix(".")
    if ":" in name or NUMERIC_END.fullmatch(plain):
        return _address(text)
    if NAME.fullmatch(plain) and len(plain) <= NAME_CHARACTERS:
        return name
    raise _no_host(text)


def _address(text: str) -> str:
    bracketed = text.startswith("[") and text.endswith("]")
    try:
        address = ip_address(text[1:-1] if bracketed else text)
    except ValueError:
        raise _no_host(text) from None
    if "%" in text or (bracketed and address.version == 4):  # a zone means something on one machine
        raise _no_host(text)
    return str(address)


def _no_host(text: str) -> ValueError:
    return ValueError(f"{text!r} is not a host name or an IP address in its usual form")


def is_public(address: str) -> bool:
    """Whether an address, as the resolver gives it, belongs to the public Internet."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and (ip not in PUBLIC_IPV6 or ip.scope_id):
        return False
    return not _is_in(ip, PRIVATE)


def is_allowable(address: str) -> bool:
    """Whether people may allow an address: a public one, or a private one without credentials."""
    ip = ip_address(address)
    if _is_in(ip, METADATA):
        return False
    if _is_in(ip, LOOPBACK):
        return bool(os.environ.get(LOOPBACK_VARIABLE))
    return is_public(address) or _is_in(ip, ALLOWABLE)


def _is_in(ip: IPv4Address | IPv6Address, networks: Iterable[Network]) -> bool:
    return any(ip in network for network in networks)


def resolve(name: str, port: int, deadline: float) -> list[Address]:
    """Resolve a host. Raises `OSError` if it has no address, `TimeoutError` at the deadline."""
    answers: list[list[Address] | Exception] = []

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            answers.append(error)
        else:
            answers.append([(family, address) for family, _, _, _, address in found])

    # The system's resolver takes no timeout, so it runs in a thread that may outlive the call.
    resolver = threading.Thread(target=look_up, daemon=True)
    resolver.start()
    resolver.join(seconds_left(deadline))
    if not answers:
        raise TimeoutError("the name was not resolved in time")
    answer = answers[0]
    if isinstance(answer, Exception):
        raise OSError(f"the name was not resolved: {answer}")
    return answer


def connect(addresses: list[Address], deadline: float) -> socket.socket:
    """Connect to the first address that answers. Raises the last one's `OSError` if none does.

    Each address has an equal share of the time left, so that a silent one leaves some to the next.
    """
    failure: OSError = OSError("the name has no address")
    for tried, (family, address) in enumerate(addresses):
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(seconds_left(deadline) / (len(addresses) - tried))
            raw.connect(address)
        except OSError as error:
            raw.close()
            failure = error
        else:
            return raw
    raise failure


def seconds_left(deadline: float) -> float:
    """Return the seconds until a deadline. Raises `TimeoutError` when it has passed."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError("timed out")
    return seconds


class TimedSocket(io.RawIOBase):
    """A socket, as far as http.client uses one, whose operations all end by one deadline.

    Each of them raises `TimeoutError` at the deadline, or another `OSError` of the connection.
    """

    def __init__(self, raw: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._deadline = deadline

    @property
    def own_address(self) -> str:
        """The IP address of this end."""
        return str(self._raw.getsockname()[0])

    def readable(self) -> bool:
        """Say that this is for reading, as `io.BufferedReader` asks."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what has arrived; return the number of bytes, 0 at the end."""
        self._raw.settimeout(seconds_left(self._deadline))
        return self._raw.recv_into(buffer)

    def sendall(self, content: bytes) -> None:
        """Send all of the content."""
        unsent = memoryview(content)
        while unsent:
            self._raw.settimeout(seconds_left(self._deadline))
            sent = self._raw.send(unsent)
            unsent = unsent[sent:]

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a buffered reader of the socket, which outlives this one."""
        # HTTPConnection closes its socket before the answer is read.
        return io.BufferedReader(TimedSocket(self._raw, self._deadline))


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: where it goes, and what it consists of."""

    host: str
    port: int
    method: str
    path: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP server answered.

    `headers` are by their names in lower case; `body` is as much as the caller asked for.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


def send(request: Request, raw: socket.socket, body_bytes: int, deadline: float) -> Answer:
    """Send an HTTP/1.1 request over a connection, which the caller closes.

    At most `body_bytes` of the answer's body are read. Raises `OSError` or
    `http.client.HTTPException`, also for a body that is shorter than the server said.
    """
    connection = HTTPConnection(request.host, request.port)
    connection.sock = TimedSocket(raw, deadline)
    headers = {"User-Agent": "fleet", "Connection": "close", **request.headers}
    connection.request(request.method, request.path, request.body, headers)
    with connection.getresponse() as response:
        received = {name.lower(): value for name, value in response.getheaders()}
        body = response.read(body_bytes)
        if len(body) < body_bytes and response.length:
            raise IncompleteRead(body, response.length)
        return Answer(response.status, received, body)
