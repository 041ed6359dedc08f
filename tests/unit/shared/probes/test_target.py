"""Hosts as people write them, and which addresses may be probed."""

import socket
import time
from typing import Any

import pytest

from fleet.probes.target import (
    Phase,
    Timer,
    Unreachable,
    parse_target,
    resolve_target,
    start_timer,
)


@pytest.mark.parametrize(
    ("written", "host", "name", "shown"),
    [
        ("www.example.com", "www.example.com", "www.example.com", "www.example.com:443"),
        ("WWW.Example.COM.", "www.example.com.", "www.example.com", "www.example.com:443"),
        (
            "bücher.example",
            "xn--bcher-kva.example",
            "xn--bcher-kva.example",
            "xn--bcher-kva.example:443",
        ),
        (
            "BÜCHER。example.",
            "xn--bcher-kva.example.",
            "xn--bcher-kva.example",
            "xn--bcher-kva.example:443",
        ),
        ("faß.example", "xn--fa-hia.example", "xn--fa-hia.example", "xn--fa-hia.example:443"),
        ("_sip.example", "_sip.example", "_sip.example", "_sip.example:443"),
        ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.7:443"),
        ("2001:DB8:0::7", "2001:db8::7", "2001:db8::7", "[2001:db8::7]:443"),
        ("[2001:db8::7]", "2001:db8::7", "2001:db8::7", "[2001:db8::7]:443"),
    ],
)
def test_a_host_is_taken_as_people_write_it(written: str, host: str, name: str, shown: str) -> None:
    place = parse_target(written, 443)
    assert (place.host, place.name, str(place)) == (host, name, shown)


@pytest.mark.parametrize(
    "written",
    [
        *(
            "",
            ".",
            "a..b",
            ".example",
            "exa mple",
            "http://example.com",
            "example.com/path",
            "user@example.com",
            "*.x",
        ),
        *(
            "127.1",
            "0x7f.1",
            "0177.0.0.1",
            "2130706433",
            "127.0.0.1.",
            "１２７.1",
            "fe80::1%eth0",
            "[::1",
            "::g",
        ),
        *("a" * 64 + ".example", ".".join(["a" * 60] * 5), "ex\x00ample", "\u0661.\u0662"),
        "１２７.0.0.1",
        "127.0.0.１",
        "１２７.０.０.１.",
    ],
)
def test_what_is_no_host_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        parse_target(written, 443)


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match=f"a port is 1 to 65535, not {port}"):
        parse_target("example.com", port)


def leading(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def getaddrinfo(_host: str, port: int, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, 1, 6, "", (each, port))
            for each in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    ("addresses", "private", "reason"),
    [
        (["8.8.8.8"], False, ""),
        (["8.8.8.8"], True, ""),
        (["2606:4700::1111", "8.8.8.8"], False, ""),
        (["10.0.0.1"], True, ""),
        (["127.0.0.1"], True, "127.0.0.1 is never probed"),
        (["10.0.0.1", "::1"], True, "::1 is never probed"),
        (["10.0.0.1"], False, "10.0.0.1 is in a private network"),
        (["8.8.8.8", "10.0.0.1"], False, "10.0.0.1 is in a private network"),
        (["fd12::1"], False, "fd12::1 is in a private network"),
        (["169.254.169.254"], False, "169.254.169.254 is never probed"),
        (["169.254.169.254"], True, "169.254.169.254 is never probed"),
        (["10.0.0.1", "169.254.170.2"], True, "169.254.170.2 is never probed"),
        (["fd00:ec2::254"], True, "fd00:ec2::254 is never probed"),
        (["fe80::1"], True, "fe80::1 is never probed"),
        (
            ["::ffff:169.254.169.254"],
            True,
            "::ffff:169.254.169.254 is never probed",
        ),
        (["64:ff9b::a9fe:a9fe"], True, "is never probed"),
    ],
)
def test_only_addresses_that_may_be_probed_are(
    addresses: list[str], private: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    leading(monkeypatch, *addresses)
    place, timer = parse_target("innocent.example", 443, private=private), start_timer(5)
    if not reason:
        assert [address[0] for _, address in resolve_target(place, timer)] == addresses
        return
    with pytest.raises(Unreachable, match="resolve: ") as failed:
        resolve_target(place, timer)
    assert reason in failed.value.reason


def test_a_phase_that_fails_is_named_and_timed() -> None:
    timer = start_timer(5)
    with (
        pytest.raises(Unreachable, match="exchange: No route to host") as failed,
        timer.phase(Phase.EXCHANGE),
    ):
        raise OSError(113, "No route to host")
    assert (failed.value.phase, failed.value.reason) == (Phase.EXCHANGE, "No route to host")
    assert list(timer.seconds) == [Phase.EXCHANGE]


def test_a_phase_that_comes_again_adds_to_its_time() -> None:
    timer = start_timer(5)
    timer.seconds[Phase.TLS] = 3.0
    with timer.phase(Phase.TLS):
        pass
    assert 3 < timer.seconds[Phase.TLS] < 4


def test_nothing_is_begun_after_the_deadline() -> None:
    timer = Timer(time.monotonic() - 1)
    with pytest.raises(Unreachable, match="resolve: no answer in time"):
        resolve_target(parse_target("good.test", 443), timer)
