"""Where a probe goes, and the guarded way there, phase by phase.

Addresses are checked between resolving and connecting. Those of private networks are probed only
where people allow it; loopback, other link-local addresses and those that give out credentials are
never probed.
"""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from fleet import network
from fleet.network import Address, connect, is_allowable, is_public, resolve, seconds_left

BRIEFEST_SECONDS = 0.5  # a probe with less time would only show that it had none


class Phase(StrEnum):
    """What a probe does in turn."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    STARTTLS = "starttls"
    TLS = "tls"
    EXCHANGE = "exchange"


class Unreachable(Exception):
    """A probe ended in a phase. `reason` says why; it does not repeat the target."""

    def __init__(self, phase: Phase, reason: str) -> None:
        super().__init__(f"{phase}: {reason}")
        self.phase = phase
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Target:
    """A host and port, made by `parse_target`; a `private` one may have a private address."""

    host: str
    port: int
    private: bool = False

    @property
    def name(self) -> str:
        """The host as certificates and servers name it: without the dot of an absolute name."""
        return self.host.removesuffix(".")

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.host else f"{self.name}:{self.port}"


def parse_target(host: str, port: int, *, private: bool = False) -> Target:
    """Take a host as people write it: a name in any script, or an address (`fleet.network.host`).

    Names in other scripts become ASCII as registries do it (UTS 46, RFC 5891). Raises
    `ValueError` for anything else, and for a port out of range.
    """
    if not 1 <= port <= 65_535:
        raise ValueError(f"a port is 1 to 65535, not {port}")
    return Target(network.host(host if host.isascii() else _punycode(host)), port, private)


def _punycode(name: str) -> str:
    import idna

    try:
        encoded = idna.encode(name, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"{name!r} is not a host name: {error}") from None
    if network.NUMERIC_END.fullmatch(encoded.removesuffix(".")):
        raise ValueError(f"{name!r} is not a host name: write the digits of an address in ASCII")
    return encoded


@dataclass(slots=True)
class Timer:
    """The time of one probe: when it must have ended, and what each phase has taken so far.

    `deadline` is a time of `time.monotonic()`. `seconds` has the phases in their order; one that
    is entered again, by another attempt, adds to its time.
    """

    deadline: float
    seconds: dict[Phase, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[float]:
        """Time a phase; yield the deadline. An `OSError` within becomes `Unreachable`."""
        began = time.monotonic()
        try:
            seconds_left(self.deadline)
            yield self.deadline
        except OSError as error:
            raise Unreachable(phase, _reason(error)) from error
        finally:
            self.seconds[phase] = self.seconds.get(phase, 0) + time.monotonic() - began


def start_timer(seconds: float) -> Timer:
    """Return the timer of a probe that begins now and may take so many seconds in all."""
    return Timer(time.monotonic() + seconds)


def resolve_target(target: Target, timer: Timer) -> list[Address]:
    """Resolve a target, once. Raises `Unreachable`, also if any address may not be probed."""
    with timer.phase(Phase.RESOLVE) as deadline:
        addresses = resolve(target.host, target.port, deadline)
    for _, address in addresses:
        _check_address(address[0], private=target.private)
    return addresses


def _check_address(address: str, *, private: bool) -> None:
    """Raise `Unreachable` for an address that may not be probed."""
    if not is_allowable(address):
        raise Unreachable(
            Phase.RESOLVE,
            f"{address} is never probed: it is neither public nor in a network "
            "that `private: true` allows",
        )
    if not (private or is_public(address)):
        raise Unreachable(
            Phase.RESOLVE,
            f"{address} is in a private network, which is probed only with `private: true`",
        )


def connect_timed(addresses: list[Address], timer: Timer) -> socket.socket:
    """Connect to the first address that answers; the caller closes it. Raises `Unreachable`."""
    with timer.phase(Phase.CONNECT) as deadline:
        return connect(addresses, deadline)


def _reason(error: OSError) -> str:
    """Say in a few words what an error of a socket means."""
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
