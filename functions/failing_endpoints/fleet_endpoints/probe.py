"""One probe of an endpoint, and the verdict on what it learnt."""

import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from fleet.network import Request, TimedSocket, send
from fleet.probes.starttls import start_tls
from fleet.probes.target import (
    Phase,
    Timer,
    Unreachable,
    connect_timed,
    resolve_target,
    start_timer,
)
from fleet.probes.tls import Verify, expiry, handshake
from fleet_endpoints import dns
from fleet_endpoints.conditions import Facts
from fleet_endpoints.endpoints import OWN_WORDS, PORTS, SECRET, Endpoint

BODY_BYTES = 256 * 1024
REDIRECTS = (301, 302, 303, 307, 308)


class Garbled(OSError):
    """What a server answered is no HTTP."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one probe learnt, the seconds of each phase in turn, and where it ended if it did not come through."""

    facts: Facts
    seconds: Mapping[Phase, float] = field(default_factory=dict)
    failure: Unreachable | None = None
    location: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why an endpoint fails: in which phase, what was got, and what was expected."""

    phase: str
    got: str
    expected: str


@dataclass(slots=True)
class _Learnt:
    """The facts as they come in."""

    facts: dict[str, Any] = field(default_factory=dict)
    location: str = ""


def probe(endpoint: Endpoint, secrets: Mapping[str, str], seconds: float) -> Outcome:
    """Probe an endpoint once, within so many seconds at most; `secrets` are the values of those that it names."""
    learnt = _Learnt()
    timer = start_timer(min(seconds, endpoint.client.seconds))
    began, failure = time.monotonic(), None
    try:
        if endpoint.kind == "dns":
            _dns(endpoint, timer, learnt)
        elif endpoint.kind in ("http", "https"):
            _http(endpoint, secrets, timer, learnt)
        else:
            _stream(endpoint, timer, learnt)
    except Unreachable as error:
        failure = error
    took = (time.monotonic() - began) * 1000
    return Outcome(
        Facts(response_time=took, **learnt.facts), timer.seconds, failure, learnt.location
    )


def judge(endpoint: Endpoint, outcome: Outcome) -> Verdict | None:
    """Say why an endpoint fails, or None if it does not.

    One that could not be reached fails, unless that is what it is about: a condition of it looks at [CONNECTED], and
    all of them hold.
    """
    checks = endpoint.checks
    judgements = [check.judge(outcome.facts) for check in checks]
    failed = [
        (check, each) for check, each in zip(checks, judgements, strict=True) if not each.holds
    ]
    if failure := outcome.failure:
        tried = failure.__cause__ is not None  # what may not be probed was not
        if tried and not failed and any(check.about("CONNECTED") for check in checks):
            return None
        return Verdict(
            _named(endpoint, failure.phase), failure.reason, "; ".join(endpoint.conditions)
        )
    if not failed:
        return None
    got = {name: value for _, each in failed for name, value in each.got.items()}
    said = (
        ", ".join(f"{name} is {value or 'empty'}" for name, value in got.items())
        or "what can never hold"
    )
    if outcome.facts.status in REDIRECTS:
        said += f"; it redirects to {outcome.location or 'nowhere'}, which is not followed"
    return Verdict("condition", said, "; ".join(check.text for check, _ in failed))


def _named(endpoint: Endpoint, phase: Phase) -> str:
    if phase is Phase.EXCHANGE:
        return "http" if endpoint.kind == "https" else endpoint.kind
    return phase.value


def _http(endpoint: Endpoint, secrets: Mapping[str, str], timer: Timer, learnt: _Learnt) -> None:
    place, usual = endpoint.place, endpoint.place.port == PORTS[endpoint.kind]
    headers = {"Host": str(place).rpartition(":")[0] if usual else str(place)}
    if endpoint.graphql:
        headers["Content-Type"] = "application/json"
    for name, value in endpoint.headers.items():
        headers = {other: headers[other] for other in headers if other.lower() != name.lower()}
        headers[name] = SECRET.sub(lambda reference: secrets[reference[1]].strip(), value)
        if not (headers[name].isascii() and headers[name].isprintable()):
            raise Unreachable(
                Phase.EXCHANGE, f"the secret in the header {name} is no printable ASCII text"
            )
    with (
        _connected(endpoint, timer, learnt, secure=endpoint.kind == "https") as raw,
        timer.phase(Phase.EXCHANGE),
    ):
        most = BODY_BYTES if _looks_at_body(endpoint) else 0
        origin, body = (place.name, place.port), _body(endpoint)
        try:
            request = Request(*origin, endpoint.method, endpoint.path, body, headers)
            answer = send(request, raw, most, timer.deadline)
        except HTTPException as error:
            said, name = " ".join(str(error).split()), type(error).__name__
            raise (
                error
                if isinstance(error, OSError)
                else Garbled(said if name in said else f"{name}: {said}")
            ) from error
    learnt.facts |= {"connected": True, "status": answer.status, "body": answer.body}
    learnt.location = answer.headers.get("location", "").partition("?")[0]


def _stream(endpoint: Endpoint, timer: Timer, learnt: _Learnt) -> None:
    """TCP, with or without TLS: whether it connects, and what it answers if it is told something."""
    with _connected(endpoint, timer, learnt, secure=endpoint.kind != "tcp") as raw:
        learnt.facts["connected"] = True
        if endpoint.body:
            with timer.phase(Phase.EXCHANGE) as deadline:
                wire = TimedSocket(raw, deadline)
                wire.sendall(_body(endpoint))
                if _looks_at_body(endpoint):
                    learnt.facts["body"] = wire.makefile("rb").read1(BODY_BYTES)


def _dns(endpoint: Endpoint, timer: Timer, learnt: _Learnt) -> None:
    assert endpoint.dns  # noqa: S101 - it is what makes the endpoint one of DNS
    reply = dns.ask(endpoint.place, endpoint.dns.query_name, endpoint.dns.query_type, timer)
    learnt.facts |= {"connected": True, "ip": reply.address, "dns_rcode": reply.rcode}
    learnt.facts["body"] = "".join(reply.records[-1:]).encode()


@contextmanager
def _connected(
    endpoint: Endpoint, timer: Timer, learnt: _Learnt, *, secure: bool
) -> Iterator[socket.socket]:
    place = endpoint.place
    with connect_timed(resolve_target(place, timer), timer) as raw:
        with timer.phase(Phase.CONNECT):
            learnt.facts["ip"] = raw.getpeername()[0]
        if not secure:
            yield raw
            return
        if endpoint.kind == "starttls":
            start_tls(raw, "smtp", timer)
        verify = Verify.NOTHING if endpoint.client.insecure else Verify.CHAIN_AND_NAME
        with handshake(raw, place.name, timer, verify=verify) as session:
            if any(check.about("CERTIFICATE_EXPIRATION") for check in endpoint.checks):
                ends = _shown_expiry(session) if endpoint.client.insecure else expiry(session)
                learnt.facts["certificate_expiration"] = (ends - time.time()) * 1000
            yield session


def _shown_expiry(session: ssl.SSLSocket) -> float:
    """When a certificate that nobody verified expires."""
    from fleet.probes.certificates import parse

    return parse(session.getpeercert(binary_form=True) or b"").not_after.timestamp()


def _looks_at_body(endpoint: Endpoint) -> bool:
    return any(check.about("BODY") for check in endpoint.checks)


def _body(endpoint: Endpoint) -> bytes:
    text = endpoint.body
    for word, attribute in OWN_WORDS.items():
        text = text.replace(word, getattr(endpoint, attribute))
    return (json.dumps({"query": text}) if endpoint.graphql else text).encode()
