"""TLS to a target: verified as a careful client would, and told as it is when that fails.

Trust is the system's (or what `SSL_CERT_FILE` names) and, for one target, the `authorities` that people add as PEM.
The flags are the same on every version of Python: a chain may end at any certificate that is trusted, the strictness
that Python 3.13 adds and browsers lack is left out, and a name counts only among the alternative names.
"""

import ssl
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from socket import socket

from fleet.network import left
from fleet.probes.certificates import NAME_REFUSALS, Certificate, Refusal, parse, path
from fleet.probes.starttls import upgrade
from fleet.probes.target import (
    BRIEFEST_SECONDS,
    Course,
    Phase,
    Target,
    Unreachable,
    begin,
    reached,
    resolved,
)

DER = 2  # as _ssl names it: X509_FILETYPE_ASN1
# Reading the system's authorities takes longer than a probe: it is done once, not by every thread that begins.
_making = threading.Lock()


class Verify(Enum):
    """What a handshake insists on."""

    CHAIN_AND_NAME = 2
    CHAIN = 1
    NOTHING = 0


@dataclass(frozen=True, slots=True)
class Service:
    """A target whose TLS is looked at.

    `name` is what it is asked for, `starttls` the protocol that begins in plain text, if one does, and `authorities`
    the PEM of those that are trusted beside the system's.
    """

    target: Target
    name: str
    starttls: str = ""
    authorities: str = ""

    def __str__(self) -> str:
        return f"{self.target}" + (f" as {self.name}" if self.name != self.target.name else "")


@dataclass(frozen=True, slots=True)
class Look:
    """What a service showed: its certificates from its own upwards, and why verification refused them, if it did.

    `relied` are those that count: what of a verified chain was shown, or else the way up as far as it was shown. A
    superfluous certificate, such as an old cross-signature, is none of them.
    """

    address: str
    relied: tuple[Certificate, ...]
    refusals: tuple[Refusal, ...] = ()


def secured(
    raw: socket,
    name: str,
    course: Course,
    *,
    authorities: str = "",
    verify: Verify = Verify.CHAIN_AND_NAME,
) -> ssl.SSLSocket:
    """Make TLS of a connection; `name` is what the certificate must be for, and is told to the server (SNI).

    The connection is the result's from here on, and closed if this fails. Raises `Unreachable`, whose cause is the
    `ssl.SSLCertVerificationError` if the certificate is at fault.
    """
    with course.phase(Phase.TLS) as deadline, raw:  # what is wrapped is taken out of `raw`
        with _making:
            context = _context(verify, authorities)
        session = context.wrap_socket(raw, server_hostname=name, do_handshake_on_connect=False)
        try:
            session.settimeout(left(deadline))  # for the handshake as a whole
            session.do_handshake()
        except BaseException:
            session.close()
            raise
    return session


def expiry(session: ssl.SSLSocket) -> float:
    """When the server's own certificate, which was verified, expires: seconds since 1970."""
    return float(ssl.cert_time_to_seconds(str((session.getpeercert() or {})["notAfter"])))


def looks(
    services: Iterable[Service], seconds: float, at_once: int, deadline: float
) -> Iterator[tuple[Service, Look | Unreachable | None]]:
    """Look at many services, so many at once and each for so many seconds at most, until a time of `time.monotonic()`.

    One that cannot be reached is tried once more when all others are done, if there is time for that. None stands for
    a look that there was no time for.
    """

    def attempt(
        service: Service, known: Unreachable | None = None
    ) -> tuple[Service, Look | Unreachable | None]:
        rest = deadline - time.monotonic()
        if rest < (seconds if known else min(seconds, BRIEFEST_SECONDS)):
            return service, known
        try:
            return service, look(service, begin(min(seconds, rest)))
        except Unreachable as error:
            return service, error
        except Exception as error:  # noqa: BLE001 - one odd server must not hide the others
            return service, Unreachable(Phase.TLS, f"{type(error).__name__}: {error}")

    again = []
    with ThreadPoolExecutor(at_once) as pool:
        for service, seen in pool.map(attempt, services):
            if isinstance(seen, Unreachable):
                again.append((service, seen))
            else:
                yield service, seen
        yield from pool.map(lambda failed: attempt(*failed), again)


def look(service: Service, course: Course) -> Look:
    """Look at a service's certificates, whatever is wrong with them. Raises `Unreachable` if it shows none.

    What verification refuses is asked again with less insistence, at the same address: first for the chain alone,
    then for nothing. A service in order costs one connection.
    """
    addresses = resolved(service.target, course)
    refusals: list[Refusal] = []
    verify = Verify.CHAIN_AND_NAME
    while True:
        raw = reached(addresses, course)
        try:
            with raw:  # for the handshake it is taken out
                with course.phase(Phase.CONNECT):
                    addresses = [(raw.family, raw.getpeername())]
                return Look(
                    addresses[0][1][0], _relied(raw, service, course, verify), tuple(refusals)
                )
        except Unreachable as error:
            if not isinstance(error.__cause__, ssl.SSLCertVerificationError):
                if refusals and error.phase is Phase.TLS:  # what is known is told
                    return Look(addresses[0][1][0], (), tuple(refusals))
                raise
            refusal = Refusal(error.__cause__.verify_code, error.__cause__.verify_message)
        refusals.append(refusal)
        named = verify is Verify.CHAIN_AND_NAME and refusal.code in NAME_REFUSALS
        verify = Verify.CHAIN if named else Verify.NOTHING


def _relied(
    raw: socket, service: Service, course: Course, verify: Verify
) -> tuple[Certificate, ...]:
    if service.starttls:
        upgrade(raw, service.starttls, course)
    with secured(
        raw, service.name, course, authorities=service.authorities, verify=verify
    ) as session:
        try:
            shown = [parse(each) for each in _chain(session, "get_unverified_chain")]
            if verify is Verify.NOTHING:
                return tuple(path(shown))
            verified = _chain(session, "get_verified_chain")
            return tuple(each for each in map(parse, verified) if each in shown)
        except ValueError as error:
            raise Unreachable(
                Phase.TLS, f"a certificate of its chain cannot be read: {error}"
            ) from error


def _chain(session: ssl.SSLSocket, method: str) -> list[bytes]:
    if sys.version_info >= (3, 13):
        return list(getattr(session, method)())
    # The same since Python 3.10, not yet made public there.
    within = session._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
    return [each.public_bytes(DER) for each in getattr(within, method)() or ()]


@lru_cache(maxsize=64)
def _context(verify: Verify, authorities: str) -> ssl.SSLContext:
    if verify is Verify.NOTHING:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context = ssl.create_default_context()
    if authorities:
        try:
            context.load_verify_locations(cadata=authorities)
        except (ValueError, TypeError, ssl.SSLError) as error:
            raise Unreachable(
                Phase.TLS, f"the authorities to trust are no certificates in PEM: {error}"
            ) from None
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False
    context.check_hostname = verify is Verify.CHAIN_AND_NAME
    return context
