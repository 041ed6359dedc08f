"""Calls to a real server that answers well, badly, slowly and not at all."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
from tools.local.destinations import SLACK_WEBHOOK, Answer, Destinations, serving

from fleet import http
from fleet.errors import Permanent, Refused, Transient
from fleet.network import Answer as Answered

BODY = json.dumps({"text": "x"}).encode()
HOOK = "/services/T0/B0/hunter2"


def call(destinations: Destinations, answer: Answer | None = None) -> Answered:
    if answer:
        destinations.misbehave(SLACK_WEBHOOK, answer)
    return http.post(destinations.url + HOOK, BODY, {"Content-Type": "application/json"})


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.8)


def test_a_success_is_returned(destinations: Destinations) -> None:
    response = call(destinations, Answer(202, "taken", {"X-Request": "7"}))
    assert (response.status, response.body, response.headers["x-request"]) == (202, b"taken", "7")
    (delivery,) = destinations.deliveries
    assert delivery.body == {"text": "x"}
    assert delivery.headers["host"] == destinations.url.removeprefix("http://")
    assert delivery.headers["content-length"] == str(len(BODY))


@pytest.mark.parametrize(
    ("answer", "kind", "wait"),
    [
        (Answer(301, headers={"Location": "http://127.0.0.1:1/"}), Permanent, None),
        (Answer(307, headers={"Location": "http://169.254.169.254/"}), Permanent, None),
        (Answer(404, "no_service"), Permanent, None),
        (Answer(410), http.DestinationGone, None),
        (Answer(403, "invalid_token"), Refused, None),
        (Answer(429, headers={"Retry-After": "30"}), Transient, 30.0),
        (Answer(503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), Transient, 0.0),
        (Answer(500), Transient, None),
        (Answer(manner="reset"), Transient, None),
    ],
    ids=lambda value: str(value.status or value.manner) if isinstance(value, Answer) else None,
)
def test_a_failure_is_raised_and_not_followed(
    answer: Answer, kind: type[Exception], wait: float | None, destinations: Destinations
) -> None:
    with pytest.raises(kind) as raised:
        call(destinations, answer)
    assert getattr(raised.value, "retry_after", None) == wait
    assert "hunter2" not in str(raised.value)
    assert len(destinations.deliveries) == 1


@pytest.mark.parametrize("manner", ["hang", "drip", "drip headers"])
@pytest.mark.usefixtures("impatient")
def test_time_is_limited_as_a_whole(manner: Any, destinations: Destinations) -> None:
    began = time.monotonic()
    with pytest.raises(Transient, match="TimeoutError"):
        call(destinations, Answer(manner=manner))
    assert 0.7 < time.monotonic() - began < 1.5


@pytest.mark.usefixtures("impatient")
def test_a_destination_that_reads_nothing_does_not_hold_a_large_body(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as deaf:
        monkeypatch.setenv("ALLOWED_DESTINATIONS", f"127.0.0.1:{deaf.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(Transient, match="TimeoutError"):
            http.post(f"http://127.0.0.1:{deaf.getsockname()[1]}/", b"x" * 50_000_000, {})
        assert time.monotonic() - began < 1.5


def test_nobody_listening_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("ALLOWED_DESTINATIONS", f"127.0.0.1:{port}")
    with pytest.raises(Transient, match="ConnectionRefusedError"):
        http.post(f"http://127.0.0.1:{port}/", b"", {})


def test_a_body_is_read_to_a_limit(destinations: Destinations) -> None:
    assert len(call(destinations, Answer(200, "x" * 1_000_000)).body) == http.BODY_BYTES


def test_an_answer_that_ends_early_is_transient(destinations: Destinations) -> None:
    with pytest.raises(Transient, match="IncompleteRead"):
        call(destinations, Answer(200, "x", {"Content-Length": "10"}))


def test_an_answer_that_is_no_http_is_transient() -> None:
    with serving() as plain, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALLOWED_DESTINATIONS", plain.url.removeprefix("http://"))
        with pytest.raises(Transient):
            http.post(plain.url.replace("http", "https") + HOOK, BODY, {})


def test_a_proxy_of_the_environment_is_ignored(
    destinations: Destinations, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    assert call(destinations).status == 200


def test_a_header_that_cannot_be_sent_is_not_shown(destinations: Destinations) -> None:
    with pytest.raises(Permanent) as raised:
        http.post(destinations.url + HOOK, BODY, {"Authorization": "Bearer hun\nter2"})
    assert "ter2" not in str(raised.value)
    assert destinations.deliveries == []


def resolves(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["169.254.169.254"], ["93.184.216.34", "10.0.0.1"], ["64:ff9b::a9fe:a9fe"]],
)
def test_a_name_that_leads_inside_is_not_called(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves(monkeypatch, *addresses)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it was called"))
    with pytest.raises(Permanent, match="leads to an address that is not public"):
        http.post("https://innocent.example/", b"", {})


def test_a_name_is_resolved_once_and_that_address_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, called = resolves(monkeypatch, "93.184.216.34", "93.184.216.35"), []

    def refuse(_: socket.socket, address: tuple[str, int]) -> None:
        called.append(address)
        raise ConnectionRefusedError("no")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(Transient):
        http.post("https://innocent.example/", b"", {})
    assert asked == ["innocent.example"]
    assert called == [("93.184.216.34", 443), ("93.184.216.35", 443)]


def test_a_name_that_cannot_be_resolved_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(Transient, match="the name was not resolved"):
        http.post("https://innocent.example/", b"", {})


@pytest.mark.usefixtures("impatient")
def test_a_resolver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object, **__: object) -> list[Any]:
        time.sleep(2)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with pytest.raises(Transient, match="not resolved in time"):
        http.post("https://innocent.example/", b"", {})


@pytest.fixture
def secure(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Destinations]:
    """Destinations with a certificate of an authority that the caller trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    http._tls.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example.com").configure_cert(context)
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)
    with serving(tls=context) as running:
        port = running.url.rpartition(":")[2]
        monkeypatch.setenv(
            "ALLOWED_DESTINATIONS", f"hooks.example.com:{port},other.example.com:{port}"
        )
        running.url = f"https://hooks.example.com:{port}"
        running.received["names"] = names
        yield running
    http._tls.cache_clear()


def test_a_certificate_is_held_against_the_name_not_the_address(
    secure: Destinations, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves(monkeypatch, "127.0.0.1")
    assert call(secure).status == 200
    assert secure.received["names"] == ["hooks.example.com"]
    assert secure.deliveries[0].headers["host"] == secure.url.removeprefix("https://")


def test_a_certificate_of_another_name_is_transient(
    secure: Destinations, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves(monkeypatch, "127.0.0.1")
    secure.url = secure.url.replace("hooks", "other")
    with pytest.raises(Transient, match="SSLCertVerificationError"):
        call(secure)
    assert secure.deliveries == []


def test_a_certificate_that_nobody_trusts_is_transient(
    secure: Destinations, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves(monkeypatch, "127.0.0.1")
    monkeypatch.delenv("SSL_CERT_FILE")
    http._tls.cache_clear()
    with pytest.raises(Transient, match="SSLCertVerificationError"):
        call(secure)


@pytest.mark.usefixtures("impatient")
def test_a_tls_server_that_drips_is_given_up(
    secure: Destinations, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolves(monkeypatch, "127.0.0.1")
    with pytest.raises(Transient, match="TimeoutError"):
        call(secure, Answer(manner="drip"))
