"""TLS to a target: verified as a careful client would, and described as it is when that fails.

Trust is the system's (or what `SSL_CERT_FILE` names) and, for one service, the `authorities` that
people add as PEM. The flags are the same on every version of Python: a chain may end at any
certificate that is trusted, the strictness that Python 3.13 adds and browsers lack is left out, and
a name counts only among the alternative names.
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

from fleet.network import Address, seconds_left
from fleet.probes.certificates import NAME_REFUSALS, Certificate, Refusal, chain_upwards, parse
from fleet.probes.starttls import start_tls
from fleet.probes.target import (
    BRIEFEST_SECONDS,
    Phase,
    Target,
    Timer,
    Unreachable,
    connect_timed,
    resolve_target,
    start_timer,
)

DER = 2  # X509_FILETYPE_ASN1, as Python's module _ssl names the encoding

# Lives as long as the process. Reading the system's authorities takes longer than a probe: only one
# of many threads that begin together does it.
_context_lock = threading.Lock()


class Verify(Enum):
    """What a handshake insists on."""

    CHAIN_AND_NAME = 2
    CHAIN = 1
    NOTHING = 0


@dataclass(frozen=True, slots=True)
class Service:
    """A target whose certificates are looked at.

    `name` is the host that the client asks for, `starttls` the protocol that begins in plain text
    (a key of `starttls.PROTOCOLS`, or nothing), and `authorities` the PEM of what is trusted beside
    the system's.
    """

    target: Target
    name: str
    starttls: str = ""
    authorities: str = ""

    def __str__(self) -> str:
        if self.name == self.target.name:
            return str(self.target)
        return f"{self.target} as {self.name}"


@dataclass(frozen=True, slots=True)
class Presented:
    """What a service presented in its handshakes.

    `address` is where it was asked. `chain` are the certificates that count, from the service's own
    upwards: of a verified chain those that were presented, or else the way up as far as it was
    presented. A superfluous certificate, such as an old cross-signature, is not part of it.
    `refusals` say why verification failed, if it did.
    """

    address: str
    chain: tuple[Certificate, ...]
    refusals: tuple[Refusal, ...] = ()


def handshake(
    raw: socket,
    name: str,
    timer: Timer,
    *,
    authorities: str = "",
    verify: Verify = Verify.CHAIN_AND_NAME,
) -> ssl.SSLSocket:
    """Begin TLS on a connection, with `name` as SNI and as what the certificate must be for.

    The connection belongs to the result from here on, and is closed if this fails. Raises
    `Unreachable`, whose cause is the `ssl.SSLCertVerificationError` if the certificate is at fault.
    """
    with timer.phase(Phase.TLS) as deadline, raw:  # wrap_socket takes the connection out of `raw`
        with _context_lock:
            context = _context(verify, authorities)
        session = context.wrap_socket(raw, server_hostname=name, do_handshake_on_connect=False)
        try:
            session.settimeout(seconds_left(deadline))  # for the handshake as a whole
            session.do_handshake()
        except BaseException:
            session.close()
            raise
    return session


def expiry(session: ssl.SSLSocket) -> float:
    """Return when the server's own certificate, which was verified, expires: seconds since 1970."""
    certificate = session.getpeercert() or {}
    return float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))


def look_at_all(
    services: Iterable[Service], seconds: float, at_once: int, deadline: float
) -> Iterator[tuple[Service, Presented | Unreachable | None]]:
    """Look at many services, `at_once` at a time and each for `seconds` at most.

    This ends at the deadline, a time of `time.monotonic()`. A service that cannot be reached is
    tried once more when all others are done, if there is time. None stands for a look that there
    was no time for.
    """

    def attempt(service: Service) -> Presented | Unreachable | None:
        rest = deadline - time.monotonic()
        if rest < min(seconds, BRIEFEST_SECONDS):
            return None
        try:
            return look_at(service, start_timer(min(seconds, rest)))
        except Unreachable as error:
            return error
        except Exception as error:  # noqa: BLE001 - one odd server must not hide the others
            return Unreachable(Phase.TLS, f"{type(error).__name__}: {error}")

    def attempt_again(failed: tuple[Service, Unreachable]) -> Presented | Unreachable | None:
        service, failure = failed
        if deadline - time.monotonic() < seconds:
            return failure
        return attempt(service)

    services = list(services)
    failures: list[tuple[Service, Unreachable]] = []
    with ThreadPoolExecutor(at_once) as pool:
        for service, result in zip(services, pool.map(attempt, services), strict=True):
            if isinstance(result, Unreachable):
                failures.append((service, result))
            else:
                yield service, result
        for (service, failure), result in zip(
            failures, pool.map(attempt_again, failures), strict=True
        ):
            yield service, result or failure


def look_at(service: Service, timer: Timer) -> Presented:
    """Look at a service's certificates, whatever is wrong with them.

    What verification refuses is asked for again with less insistence, at the same address: first
    for the chain alone, then for nothing. A service in order costs one connection. Raises
    `Unreachable` if it presents no certificate.
    """
    addresses = resolve_target(service.target, timer)
    verify = Verify.CHAIN_AND_NAME
    refusals: list[Refusal] = []
    while True:
        raw = connect_timed(addresses, timer)
        addresses = [_connected_address(raw, timer)]
        host = addresses[0][1][0]
        try:
            return Presented(host, _read_chain(raw, service, timer, verify), tuple(refusals))
        except Unreachable as error:
            refusal = _refusal(error)
            if refusal is None:
                if refusals and error.phase is Phase.TLS:  # what is known so far is reported
                    return Presented(host, (), tuple(refusals))
                raise
        refusals.append(refusal)
        only_name = verify is Verify.CHAIN_AND_NAME and refusal.code in NAME_REFUSALS
        verify = Verify.CHAIN if only_name else Verify.NOTHING


def _connected_address(raw: socket, timer: Timer) -> Address:
    """Return where a connection leads; closes it if it is gone already. Raises `Unreachable`."""
    try:
        with timer.phase(Phase.CONNECT):
            return raw.family, raw.getpeername()
    except Unreachable:
        raw.close()
        raise


def _refusal(error: Unreachable) -> Refusal | None:
    """Return why verification refused a certificate; None if something else went wrong."""
    cause = error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Refusal(cause.verify_code, cause.verify_message)
    return None


def _read_chain(
    raw: socket, service: Service, timer: Timer, verify: Verify
) -> tuple[Certificate, ...]:
    """Do one handshake, close the connection, and return the chain. Raises `Unreachable`."""
    with raw:  # for the handshake it is taken out
        if service.starttls:
            start_tls(raw, service.starttls, timer)
        session = handshake(
            raw, service.name, timer, authorities=service.authorities, verify=verify
        )
    with session:
        try:
            presented = [parse(der) for der in _chain_der(session, "get_unverified_chain")]
            if verify is Verify.NOTHING:
                return tuple(chain_upwards(presented))
            verified = [parse(der) for der in _chain_der(session, "get_verified_chain")]
        except ValueError as error:
            raise Unreachable(
                Phase.TLS, f"a certificate of its chain cannot be read: {error}"
            ) from error
    return tuple(certificate for certificate in verified if certificate in presented)


def _chain_der(session: ssl.SSLSocket, method: str) -> list[bytes]:
    """Return a chain of a session, each certificate in DER."""
    if sys.version_info >= (3, 13):
        return list(getattr(session, method)())
    # The same since Python 3.10, not yet made public there.
    within = session._sslobj  # type: ignore[attr-defined]  # noqa: SLF001
    certificates = getattr(within, method)() or ()
    return [certificate.public_bytes(DER) for certificate in certificates]


@lru_cache(maxsize=64)  # lives as long as the process
def _context(verify: Verify, authorities: str) -> ssl.SSLContext:
    """Return the settings of a handshake. Raises `Unreachable` for authorities that are no PEM."""
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
                Phase.TLS, f"the authorities to trust are not certificates in PEM: {error}"
            ) from None
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    context.hostname_checks_common_name = False
    context.check_hostname = verify is Verify.CHAIN_AND_NAME
    return context
