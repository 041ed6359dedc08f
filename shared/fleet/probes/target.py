"""Where a probe goes, and the guarded way there, phase by phase.

An address is looked at between resolving and connecting. Addresses of private networks are probed only where people
allow it; loopback, those where machines are told their credentials, and other link-local ones, never.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address

from fleet.network import HOST, NUMERIC_END, Address, allowable, connect, left, public, resolve

NAME_CHARACTERS = 253
BRIEFEST_SECONDS = 0.5  # a probe with less time would only tell that it had none


class Phase(StrEnum):
    """What a probe does in turn."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    STARTTLS = "starttls"
    TLS = "tls"
    EXCHANGE = "exchange"


class Unreachable(Exception):
    """A probe got no further than a phase. The text says why; it does not repeat the target."""

    def __init__(self, phase: Phase, reason: str) -> None:
        super().__init__(f"{phase}: {reason}")
        self.phase = phase
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """A host and port; `private` if people allow an address of a private network. See `target`."""

    host: str
    port: int
    private: bool = False

    @property
    def name(self) -> str:
        """The host as certificates and servers name it: without the dot that ends an absolute name."""
        return self.host.removesuffix(".")

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.host else f"{self.name}:{self.port}"


def target(host: str, port: int, *, private: bool = False) -> Target:
    """Take a host as people write it: a name in any script, with or without its last dot, or an address.

    Raises `ValueError` for what is neither. A number is only taken as dotted decimal IPv4 or as IPv6: other spellings
    (octal, hexadecimal, short) read otherwise elsewhere.
    """
    if not 1 <= port <= 65_535:
        raise ValueError(f"a port is 1 to 65535, not {port}")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" in bare or NUMERIC_END.fullmatch(bare.lower()):
        return Target(_address(bare), port, private)
    name = bare.lower() if bare.isascii() else _ascii(bare)
    plain = name.removesuffix(".")
    if NUMERIC_END.fullmatch(plain) or not HOST.fullmatch(plain) or len(plain) > NAME_CHARACTERS:
        raise ValueError(f"{host!r} is no host name")
    return Target(name, port, private)


def _address(text: str) -> str:
    try:
        if "%" not in text:
            return str(ip_address(text))
    except ValueError:  # it is refused below
        pass
    raise ValueError(f"{text!r} is no address in its plain form")


def _ascii(name: str) -> str:
    import idna

    try:
        return idna.encode(name, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"{name!r} is no host name: {error}") from None


@dataclass(slots=True)
class Course:
    """A probe under way: when it must have ended, and the seconds that each phase has taken so far, in their order.

    A phase that is entered again (by another attempt) adds to its time.
    """

    deadline: float
    seconds: dict[Phase, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[float]:
        """Time a phase; yield the deadline. An `OSError` within becomes `Unreachable` of this phase."""
        began = time.monotonic()
        try:
            left(self.deadline)
            yield self.deadline
        except OSError as error:
            raise Unreachable(phase, _said(error)) from error
        finally:
            self.seconds[phase] = self.seconds.get(phase, 0) + time.monotonic() - began


def begin(seconds: float) -> Course:
    """Begin a probe that may take so many seconds in all."""
    return Course(time.monotonic() + seconds)


def resolved(place: Target, course: Course) -> list[Address]:
    """Resolve a target, once. Raises `Unreachable`, also if any of its addresses may not be probed."""
    with course.phase(Phase.RESOLVE) as deadline:
        addresses = resolve(place.host, place.port, deadline)
    for _, address in addresses:
        if not allowable(address[0]):
            raise Unreachable(
                Phase.RESOLVE,
                f"{address[0]} is neither public nor of a network that `private: true` allows, and is never probed",
            )
        if not (place.private or public(address[0])):
            raise Unreachable(
                Phase.RESOLVE,
                f"{address[0]} is an address of a private network, which is probed only with `private: true`",
            )
    return addresses


def reached(addresses: list[Address], course: Course) -> socket.socket:
    """Connect to the first address that answers; the caller closes the socket. Raises `Unreachable`."""
    with course.phase(Phase.CONNECT) as deadline:
        return connect(addresses, deadline)


def _said(error: OSError) -> str:
    match error:
        case TimeoutError():
            return "no answer in time"
        case ssl.SSLCertVerificationError():
            return error.verify_message
        case ssl.SSLEOFError() | ssl.SSLZeroReturnError():
            return "the connection was closed"
        case ssl.SSLError() if error.reason:
            return error.reason.lower().replace("_", " ")
    return error.strerror or str(error) or type(error).__name__
