"""One probe of an endpoint: over HTTP, TCP, TLS or DNS."""

import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException

from fleet.network import Answer, Request, TimedSocket, send
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
from fleet_endpoints.endpoints import OWN_WORDS, PORTS, SECRET, Endpoint
from fleet_endpoints.facts import Facts

BODY_BYTES = 256 * 1024


class NotHttp(OSError):
    """What a server answered is not HTTP."""


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one probe learnt, the seconds of each phase in turn, and why it ended early, if so."""

    facts: Facts
    seconds: Mapping[Phase, float] = field(default_factory=dict)
    unreachable: Unreachable | None = None


def probe(endpoint: Endpoint, secrets: Mapping[str, str], seconds: float) -> ProbeResult:
    """Probe an endpoint once, within so many seconds at most.

    `secrets` are the values of those that it names, by their names.
    """
    facts = Facts()
    unreachable = None
    began = time.monotonic()
    timer = start_timer(min(seconds, endpoint.client.seconds))
    try:
        match endpoint.kind:
            case "dns":
                _probe_dns(endpoint, timer, facts)
            case "http" | "https":
                _probe_http(endpoint, secrets, timer, facts)
            case _:
                _probe_stream(endpoint, timer, facts)
    except Unreachable as error:
        unreachable = error
    facts.response_time = (time.monotonic() - began) * 1000
    return ProbeResult(facts, timer.seconds, unreachable)


def _probe_http(endpoint: Endpoint, secrets: Mapping[str, str], timer: Timer, facts: Facts) -> None:
    target = endpoint.target
    request = Request(
        host=target.name,
        port=target.port,
        method=endpoint.method,
        path=endpoint.path,
        body=_body(endpoint),
        headers=_headers(endpoint, secrets),
    )
    body_bytes = BODY_BYTES if endpoint.looks_at("BODY") else 0
    secure = endpoint.kind == "https"
    with (
        _connection(endpoint, timer, facts, secure=secure) as raw,
        timer.phase(Phase.EXCHANGE) as deadline,
    ):
        answer = _send(request, raw, body_bytes, deadline)
    facts.connected = True
    facts.status = answer.status
    facts.body = answer.body
    location = answer.headers.get("location", "")
    facts.location, _, _ = location.partition("?")


def _send(request: Request, raw: socket.socket, body_bytes: int, deadline: float) -> Answer:
    """Send a request. Raises `OSError`, and `NotHttp` for an answer that makes no sense."""
    try:
        return send(request, raw, body_bytes, deadline)
    except HTTPException as error:
        if isinstance(error, OSError):
            raise
        name = type(error).__name__
        text = " ".join(str(error).split())
        raise NotHttp(text if name in text else f"{name}: {text}") from error


def _headers(endpoint: Endpoint, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a request. Raises `Unreachable` if a secret cannot be sent."""
    target = endpoint.target
    headers = {"Host": str(target)}
    if target.port == PORTS[endpoint.kind]:
        headers["Host"], _, _ = str(target).rpartition(":")
    if endpoint.graphql:
        headers["Content-Type"] = "application/json"
    for name, text in endpoint.headers.items():
        value = _with_secrets(text, secrets)
        if not (value.isascii() and value.isprintable()):
            reason = f"the secret in the header {name} is not printable ASCII"
            raise Unreachable(Phase.EXCHANGE, reason)
        usual = [other for other in headers if other.lower() == name.lower()]
        for other in usual:
            del headers[other]
        headers[name] = value
    return headers


def _with_secrets(text: str, secrets: Mapping[str, str]) -> str:
    def value(reference: re.Match[str]) -> str:
        return secrets[reference[1]].strip()

    return SECRET.sub(value, text)


def _probe_stream(endpoint: Endpoint, timer: Timer, facts: Facts) -> None:
    """Probe TCP, with or without TLS: does it connect, and what does it answer to the body?"""
    secure = endpoint.kind != "tcp"
    with _connection(endpoint, timer, facts, secure=secure) as raw:
        facts.connected = True
        if not endpoint.body:
            return
        with timer.phase(Phase.EXCHANGE) as deadline:
            wire = TimedSocket(raw, deadline)
            wire.sendall(_body(endpoint))
            if endpoint.looks_at("BODY"):
                reader = wire.makefile("rb")
                facts.body = reader.read1(BODY_BYTES)


def _probe_dns(endpoint: Endpoint, timer: Timer, facts: Facts) -> None:
    question = endpoint.dns
    assert question  # noqa: S101 - it is what makes the endpoint one of DNS
    reply = dns.ask(endpoint.target, question.query_name, question.query_type, timer)
    facts.connected = True
    facts.ip = reply.address
    facts.dns_rcode = reply.rcode
    if reply.records:
        facts.body = reply.records[-1].encode()


@contextmanager
def _connection(
    endpoint: Endpoint,
    timer: Timer,
    facts: Facts,
    *,
    secure: bool,
) -> Iterator[socket.socket]:
    """Connect, with TLS if `secure`; yield the connection and close it. Raises `Unreachable`."""
    target = endpoint.target
    addresses = resolve_target(target, timer)
    with connect_timed(addresses, timer) as raw:
        with timer.phase(Phase.CONNECT):
            facts.ip = raw.getpeername()[0]
        if not secure:
            yield raw
            return
        if endpoint.kind == "starttls":
            start_tls(raw, "smtp", timer)
        verify = Verify.NOTHING if endpoint.client.insecure else Verify.CHAIN_AND_NAME
        with handshake(raw, target.name, timer, verify=verify) as session:
            if endpoint.looks_at("CERTIFICATE_EXPIRATION"):
                expires = _expiry(session, verify)
                facts.certificate_expiration = (expires - time.time()) * 1000
            yield session


def _expiry(session: ssl.SSLSocket, verify: Verify) -> float:
    """Return when the server's certificate expires: seconds since 1970."""
    if verify is not Verify.NOTHING:
        return expiry(session)
    from fleet.probes.certificates import parse

    certificate = parse(session.getpeercert(binary_form=True) or b"")
    return certificate.not_after.timestamp()


def _body(endpoint: Endpoint) -> bytes:
    """Return the body to send, with what the words in it stand for."""
    text = endpoint.body
    for word, attribute in OWN_WORDS.items():
        text = text.replace(word, getattr(endpoint, attribute))
    if endpoint.graphql:
        text = json.dumps({"query": text})
    return text.encode()
