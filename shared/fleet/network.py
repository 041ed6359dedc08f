"""The way to another host: resolve its name once, look at where it leads, connect to just that, all by a deadline.

Deadlines are times of `time.monotonic()`. What a caller decides about the addresses between `resolve` and `connect`
holds, because nothing is resolved again.
"""

import io
import os
import re
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, IncompleteRead
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

# What is not the public Internet, of IANA's registries of special-purpose addresses. Among the IPv6 addresses only
# those of 2000::/3 are public; what is left out of them carries or stands for an IPv4 address, or is reserved.
PRIVATE = [
    ip_network(network)
    for network in (
        *(
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
        ),
        *(
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
        ),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
]
PUBLIC_IPV6 = ip_network("2000::/3")

# Where instances, containers and pods are told their credentials (EC2, ECS and EKS user guides), with every other
# link-local address.
METADATA = [ip_network(network) for network in ("169.254.0.0/16", "fd00:ec2::/32")]
ALLOWABLE = [
    ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
]
# In Lambda the runtime itself, which tells credentials too. Only where functions and what they look at run on one
# machine may people allow it: the local fleet and tests set this variable.
LOOPBACK = [ip_network(network) for network in ("127.0.0.0/8", "::1/128")]
LOOPBACK_VARIABLE = "PROBE_LOOPBACK"

# A host's name, and what resolvers take for a number: a last label that is none of a name's.
HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
NUMERIC_END = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")

Address = tuple[socket.AddressFamily, tuple[Any, ...]]


def public(address: str) -> bool:
    """Whether an address, as the resolver gives it, is one of the public Internet."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and (ip not in PUBLIC_IPV6 or ip.scope_id):
        return False
    return not any(ip in network for network in PRIVATE)


def allowable(address: str) -> bool:
    """Whether people may allow an address: a public one, or one of a private network where no credentials are told."""
    ip = ip_address(address)
    if any(ip in network for network in METADATA):
        return False
    allowed = [*ALLOWABLE, *(LOOPBACK if os.environ.get(LOOPBACK_VARIABLE) else ())]
    return public(address) or any(ip in network for network in allowed)


def resolve(host: str, port: int, deadline: float) -> list[Address]:
    """Resolve a host, or an address as text. Raises `OSError` if it has no address, `TimeoutError` at the deadline."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.append(error)

    resolver = threading.Thread(target=ask, daemon=True)  # the system's resolver takes no time-out
    resolver.start()
    resolver.join(left(deadline))
    if not answers:
        raise TimeoutError("the name was not resolved in time")
    if isinstance(answers[0], Exception):
        raise OSError(f"the name was not resolved: {answers[0]}")
    return [(family, address) for family, _, _, _, address in answers[0]]


def connect(addresses: list[Address], deadline: float) -> socket.socket:
    """Connect to the first address that answers, tried in turn. Raises the last one's `OSError` if none does."""
    failure: OSError = OSError("the name has no address")
    for number, (family, address) in enumerate(addresses):
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            raw.settimeout(
                left(deadline) / (len(addresses) - number)
            )  # what does not answer leaves time for others
            raw.connect(address)
        except OSError as error:
            raw.close()
            failure = error
        else:
            return raw
    raise failure


def left(deadline: float) -> float:
    """The seconds until a deadline. Raises `TimeoutError` when it has passed."""
    if (seconds := deadline - time.monotonic()) <= 0:
        raise TimeoutError("timed out")
    return seconds


class Timed(io.RawIOBase):
    """A socket, as far as http.client uses one, all of whose operations together end by a deadline."""

    def __init__(self, raw: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._raw.settimeout(left(self._deadline))
        return self._raw.recv_into(buffer)

    def sendall(self, content: bytes) -> None:
        unsent = memoryview(content)
        while unsent:
            self._raw.settimeout(left(self._deadline))
            unsent = unsent[self._raw.send(unsent) :]

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(
            Timed(self._raw, self._deadline)
        )  # the connection closes itself before its answer


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP server answered; its headers by their names in lower case, and of its body as much as was asked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask(  # noqa: PLR0913, PLR0917 - what a request consists of
    raw: socket.socket,
    origin: tuple[str, int],
    method: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    most: int,
    deadline: float,
) -> Answer:
    """Ask over a connection, in HTTP/1.1, and read at most so many bytes of the body. The caller closes the connection.

    Raises `OSError` or `http.client.HTTPException`, also for a body that is shorter than the server said.
    """
    connection = HTTPConnection(*origin)
    connection.sock = Timed(raw, deadline)
    connection.request(
        method, path, body, {"User-Agent": "fleet", "Connection": "close", **headers}
    )
    with connection.getresponse() as answer:
        received = {name.lower(): value for name, value in answer.getheaders()}
        content = answer.read(most)
        if len(content) < most and answer.length:
            raise IncompleteRead(content, answer.length)
        return Answer(answer.status, received, content)
