"""Looks at services without a server; tests/probes has the servers."""

import socket
import ssl
import time

import pytest

from fleet.probes import tls
from fleet.probes.target import Phase, Timer, Unreachable, parse_target, start_timer
from fleet.probes.tls import Presented, Service, Verify, handshake, look_at_all

TARGET = parse_target("192.0.2.7", 443)
NO_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"


def test_a_service_is_named_by_its_target_and_the_name_it_is_asked_for() -> None:
    assert str(Service(TARGET, "192.0.2.7")) == "192.0.2.7:443"
    assert str(Service(TARGET, "shop.test")) == "192.0.2.7:443 as shop.test"


@pytest.mark.parametrize("pem", ["no PEM", NO_CERTIFICATE, "\xfc"])
def test_authorities_that_are_not_certificates_are_refused_before_the_handshake(pem: str) -> None:
    raw = socket.socket()
    with pytest.raises(Unreachable, match="tls: the authorities to trust are not certificates"):
        handshake(raw, "good.test", start_timer(5), authorities=pem)
    assert raw.fileno() == -1


def test_less_insistence_verifies_less() -> None:
    strict, chain, none = (tls._context(verify, "") for verify in Verify)
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (chain.verify_mode, chain.check_hostname) == (ssl.CERT_REQUIRED, False)
    assert (none.verify_mode, none.check_hostname) == (ssl.CERT_NONE, False)


def test_one_odd_server_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_at(service: Service, _: Timer) -> Presented:
        if service.name == "odd.test":
            raise RuntimeError("nobody thought of this")
        return Presented("192.0.2.7", ())

    monkeypatch.setattr(tls, "look_at", look_at)
    services = [Service(TARGET, "odd.test"), Service(TARGET, "good.test")]
    results = dict(look_at_all(services, 5, 2, time.monotonic() + 30))
    assert str(results[services[0]]) == "tls: RuntimeError: nobody thought of this"
    assert results[services[1]] == Presented("192.0.2.7", ())


def test_what_is_unreachable_is_tried_again_after_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def look_at(service: Service, _: Timer) -> Presented:
        asked.append(service.name)
        if asked == ["flaky.test"]:
            raise Unreachable(Phase.CONNECT, "no answer in time")
        return Presented("192.0.2.7", ())

    monkeypatch.setattr(tls, "look_at", look_at)
    services = [Service(TARGET, "flaky.test"), Service(TARGET, "good.test")]
    results = list(look_at_all(services, 5, 1, time.monotonic() + 30))
    assert asked == ["flaky.test", "good.test", "flaky.test"]
    assert [service.name for service, _ in results] == ["good.test", "flaky.test"]
    assert all(isinstance(result, Presented) for _, result in results)


def test_nothing_is_looked_at_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls, "look_at", lambda *_: pytest.fail("it was looked at"))
    service = Service(TARGET, "good.test")
    assert list(look_at_all([service], 5, 1, time.monotonic() - 1)) == [(service, None)]
