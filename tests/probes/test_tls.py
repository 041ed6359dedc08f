"""Certificates as real servers show them, in whatever state, and what hinders a look at them."""

import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests import certificate_authority as pki
from tests.certificate_authority import NOW, Talk, listening, showing

from fleet.probes import tls
from fleet.probes.certificates import Defect, find_defects, parse
from fleet.probes.target import (
    Phase,
    Unreachable,
    connect_timed,
    parse_target,
    resolve_target,
    start_timer,
)
from fleet.probes.tls import Presented, Service, Verify, handshake, look_at, look_at_all

ROOT = pki.ROOT.pem.decode()
LOCAL = "127.0.0.1"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A TLS server that shows the chain of the name that it is asked for."""
    with listening(showing(pki.by_name())) as port:
        yield port


def seen(name: str, port: int, authorities: str = ROOT) -> Presented:
    return look_at(
        Service(parse_target(LOCAL, port, private=True), name, authorities=authorities),
        start_timer(10),
    )


def wrong(name: str, port: int, authorities: str = ROOT) -> dict[Defect, str]:
    found = seen(name, port, authorities)
    return find_defects(found.chain, found.refusals, name, NOW)


def soon(seconds: float = 30) -> float:
    return time.monotonic() + seconds


def subjects(found: Presented) -> list[str]:
    return [each.subject for each in found.chain]


@pytest.mark.parametrize(
    ("name", "relied"),
    [
        ("good.test", ["good.test", "Intermediate"]),
        ("direct.test", ["direct.test"]),
        ("with-root.test", ["with-root.test", "Intermediate", "Root"]),
        ("disordered.test", ["disordered.test", "Intermediate", "Root"]),
        ("cross-signed.test", ["cross-signed.test", "Intermediate"]),
        ("unrelated.test", ["unrelated.test", "Intermediate"]),
        ("www.wild.test", ["*.wild.test", "Intermediate"]),
        ("xn--bcher-kva.test", ["xn--bcher-kva.test", "Intermediate"]),
        ("ending.test", ["ending.test", "Intermediate"]),
        ("ending-above.test", ["ending-above.test", "Ending Intermediate"]),
        (LOCAL, [LOCAL, "Intermediate"]),
        ("::1", [LOCAL, "Intermediate"]),
    ],
)
def test_certificates_in_order_are_those_that_clients_rely_on(
    name: str, relied: list[str], port: int
) -> None:
    found = seen(name, port)
    assert (subjects(found), found.refusals, found.address) == (relied, (), LOCAL)
    assert find_defects(found.chain, found.refusals, name, NOW) == {}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("expired.test", {Defect.EXPIRED: "expired.test, issued by Intermediate, valid"}),
        ("early.test", {Defect.NOT_YET_VALID: "early.test, issued by Intermediate, valid"}),
        ("expired-above.test", {Defect.EXPIRED: "Expired Intermediate, issued by Root, valid"}),
        ("early-above.test", {Defect.NOT_YET_VALID: "Future Intermediate, issued by Root, valid"}),
        ("self-signed.test", {Defect.SELF_SIGNED: "self-signed.test signed itself"}),
        (
            "self-signed-expired.test",
            {Defect.EXPIRED: "self-signed-expired.test", Defect.SELF_SIGNED: "itself"},
        ),
        (
            "self-signed-other.test",
            {Defect.SELF_SIGNED: "other.test signed itself", Defect.WRONG_HOST: "other.test"},
        ),
        ("wrong.test", {Defect.WRONG_HOST: "wrong.test is not among its names: other.test"}),
        (
            "wrong-expired.test",
            {Defect.EXPIRED: "other.test, issued by", Defect.WRONG_HOST: "other.test"},
        ),
        ("wrong-cross-signed.test", {Defect.WRONG_HOST: "other.test"}),
        ("too.deep.wild.test", {Defect.WRONG_HOST: "*.wild.test"}),
        ("common-name.test", {Defect.WRONG_HOST: "it has none"}),
        ("127.0.0.2", {Defect.WRONG_HOST: "127.0.0.2 is not among its names: 127.0.0.1, ::1"}),
        (
            "incomplete.test",
            {Defect.INCOMPLETE_CHAIN: "Intermediate, which issued incomplete.test, is neither"},
        ),
        (
            "incomplete-all-else.test",
            {
                Defect.EXPIRED: "other.test",
                Defect.INCOMPLETE_CHAIN: "Intermediate",
                Defect.WRONG_HOST: "other.test",
            },
        ),
        (
            "wrong-above.test",
            {Defect.INCOMPLETE_CHAIN: "Intermediate, which issued wrong-above.test"},
        ),
        (
            "private.test",
            {Defect.INCOMPLETE_CHAIN: "Private Root, which issued private.test, is neither"},
        ),
        (
            "private-shown.test",
            {Defect.UNTRUSTED: "the chain leads to Private Root, which is not trusted"},
        ),
        ("client.test", {Defect.INVALID: "purpose"}),
        ("no-authority.test", {Defect.INVALID: "invalid CA certificate"}),
        ("forged.test", {Defect.INVALID: "certificate signature failure"}),
    ],
)
def test_all_that_clients_refuse_is_named(name: str, found: dict[Defect, str], port: int) -> None:
    defects = wrong(name, port)
    assert list(defects) == list(found)
    for fault, text in found.items():
        assert text in defects[fault]


def test_dates_are_exact_to_the_second(port: int) -> None:
    assert (
        f"to {pki.YESTERDAY:%Y-%m-%d %H:%M:%S} UTC" in wrong("expired.test", port)[Defect.EXPIRED]
    )
    assert seen("ending.test", port).chain[0].not_after == NOW + timedelta(days=40)
    assert seen("ending-above.test", port).chain[1].not_after == NOW + timedelta(days=20)


def test_what_the_system_trusts_counts(
    port: int, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root.pem").write_text(ROOT)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    tls._context.cache_clear()
    assert wrong("good.test", port, authorities="") == {}
    private = pki.PRIVATE_ROOT.pem.decode()
    assert wrong("good.test", port, private) == wrong("private.test", port, private) == {}
    monkeypatch.delenv("SSL_CERT_FILE")
    tls._context.cache_clear()
    assert list(wrong("good.test", port, private)) == [Defect.INCOMPLETE_CHAIN]


def test_a_certificate_that_cannot_be_read_is_an_error(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "parse", lambda der: parse(der[:50]))
    with pytest.raises(Unreachable, match="tls: a certificate of its chain cannot be read"):
        seen("good.test", port)


def test_the_verified_way_gives_the_expiry_of_the_servers_own_certificate(port: int) -> None:
    place, timer = parse_target(LOCAL, port, private=True), start_timer(10)
    raw = connect_timed(resolve_target(place, timer), timer)
    with handshake(raw, "ending-above.test", timer, authorities=ROOT) as session:
        assert tls.expiry(session) == pki.FUTURE.timestamp()
    assert list(timer.seconds) == [Phase.RESOLVE, Phase.CONNECT, Phase.TLS]
    assert all(seconds > 0 for seconds in timer.seconds.values())


def test_a_certificate_that_is_refused_is_the_cause_of_the_failure(port: int) -> None:
    place, timer = parse_target(LOCAL, port, private=True), start_timer(10)
    raw = connect_timed(resolve_target(place, timer), timer)
    with pytest.raises(Unreachable, match=r"tls: certificate has expired") as failed:
        handshake(raw, "expired.test", timer, authorities=ROOT)
    assert isinstance(failed.value.__cause__, ssl.SSLCertVerificationError)
    assert raw.fileno() == -1


def test_a_host_is_resolved_once_however_often_it_is_asked(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = itertools.count(1)
    resolver = socket.getaddrinfo

    def rebinding(host: str, *rest: Any, **named: Any) -> Any:
        return resolver(LOCAL if next(asked) == 1 else "169.254.169.254", *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    found = look_at(
        Service(
            parse_target("rebound.test", port, private=True), "wrong-expired.test", authorities=ROOT
        ),
        start_timer(10),
    )
    assert [refusal.code for refusal in found.refusals] == [62, 10]
    assert next(asked) == 2


def dialogue(*lines: tuple[bytes, bytes]) -> Talk:
    """Say the first of each pair, then expect a request that begins with the second."""

    def talk(connection: socket.socket) -> None:
        for said, expected in lines:
            connection.sendall(said)
            if expected and not connection.recv(1_000).startswith(expected):
                raise ConnectionAbortedError

    return talk


GREETING = b"220-mail.test\r\n220 ready\r\n"
FEATURES = b"250-mail.test\r\n250-SIZE 1000\r\n250 STARTTLS\r\n"
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
SMTP = dialogue(
    (GREETING, b"EHLO [127.0.0.1]\r\n"), (FEATURES, b"STARTTLS\r\n"), (b"220 go\r\n", b"")
)
IMAP = dialogue((b"* OK hello\r\n", b"a STARTTLS\r\n"), (b"* CAPABILITY x\r\na OK begin\r\n", b""))
POSTGRES = dialogue((b"", SSL_REQUEST), (b"S", b""))


@pytest.mark.parametrize(
    ("protocol", "talk"), [("smtp", SMTP), ("imap", IMAP), ("postgres", POSTGRES)]
)
@pytest.mark.parametrize(("name", "found"), [("good.test", []), ("expired.test", [Defect.EXPIRED])])
def test_a_protocol_that_begins_in_plain_text_is_spoken(
    protocol: str, talk: Talk, name: str, found: list[Defect]
) -> None:
    with listening(showing(context_of(name), talk)) as port:
        timer = start_timer(10)
        service = Service(parse_target(LOCAL, port, private=True), name, protocol, ROOT)
        seen = look_at(service, timer)
        assert list(find_defects(seen.chain, seen.refusals, name, NOW)) == found
        assert list(timer.seconds) == [Phase.RESOLVE, Phase.CONNECT, Phase.STARTTLS, Phase.TLS]


def context_of(name: str) -> ssl.SSLContext:
    return pki.context(pki.chains()[name])


def silent(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.settimeout(5)
        while connection.recv(1_000):
            pass


def dripping(content: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        for byte in itertools.cycle(content):
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    return talk


@pytest.mark.parametrize(
    ("talk", "protocol", "phase"),
    [
        pytest.param(silent, "", Phase.TLS, id="silent"),
        pytest.param(silent, "smtp", Phase.STARTTLS, id="silent before STARTTLS"),
        pytest.param(dripping(b"\x16\x03\x03\x40\x00" + bytes(100)), "", Phase.TLS, id="drips"),
        pytest.param(dripping(b"220-so\r\n"), "smtp", Phase.STARTTLS, id="drips before STARTTLS"),
    ],
)
def test_a_server_that_says_little_is_given_up_in_time(
    talk: Talk, protocol: str, phase: Phase
) -> None:
    with listening(talk) as port:
        began = time.monotonic()
        with pytest.raises(Unreachable, match="no answer in time") as failed:
            look_at(
                Service(parse_target(LOCAL, port, private=True), LOCAL, protocol), start_timer(0.15)
            )
        assert time.monotonic() - began < 1
        assert failed.value.phase is phase


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        (
            dialogue((b"HTTP/1.1 400 Bad Request\r\n\r\n", b"")),
            "wrong version number|record layer failure",
        ),
        (lambda connection: connection.recv(5_000), "the connection was closed|reset by peer"),
    ],
)
def test_a_server_without_tls_is_described(talk: Talk, reason: str) -> None:
    with listening(talk) as port, pytest.raises(Unreachable, match=reason) as failed:
        look_at(Service(parse_target(LOCAL, port, private=True), LOCAL), start_timer(5))
    assert failed.value.phase is Phase.TLS


def test_a_server_that_shows_its_certificate_only_once_is_described_by_what_is_known() -> None:
    answers: list[Callable[[socket.socket], Any]] = [showing(context_of("wrong.test"))]
    with listening(lambda connection: answers.pop()(connection) if answers else None) as port:
        found = seen("wrong.test", port)
    assert found.chain == ()
    assert list(find_defects(found.chain, found.refusals, "wrong.test", NOW)) == [Defect.WRONG_HOST]


def test_a_port_where_nobody_listens_is_described() -> None:
    with socket.create_server((LOCAL, 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="connect: Connection refused") as failed:
        look_at(Service(parse_target(LOCAL, port, private=True), LOCAL), start_timer(5))
    assert failed.value.phase is Phase.CONNECT


def test_a_server_of_ipv6_is_looked_at() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    listener.close()
    with listening(showing(pki.by_name()), "::1") as port:
        place = parse_target("[::1]", port, private=True)
        assert str(place) == f"[::1]:{port}"
        assert look_at(Service(place, place.name, authorities=ROOT), start_timer(5)).refusals == ()


def test_many_services_are_looked_at_at_once(port: int) -> None:
    names = itertools.cycle(["good.test", "ending.test"])
    services = [
        Service(parse_target(LOCAL, port, private=True), next(names), authorities=ROOT)
        for _ in range(500)
    ]
    found = list(look_at_all(services, 10, 50, soon()))
    assert [service for service, _ in found] == services
    assert all(isinstance(seen, Presented) and not seen.refusals for _, seen in found)


def test_services_that_are_silent_wait_beside_each_other_and_are_tried_twice() -> None:
    asked = itertools.count()

    def counting(connection: socket.socket) -> None:
        next(asked)
        silent(connection)

    with listening(counting) as port:
        services = [
            Service(parse_target(LOCAL, port, private=True), f"{number}.test")
            for number in range(30)
        ]
        began = time.monotonic()
        found = dict(look_at_all(services, 0.3, 30, soon()))
        assert time.monotonic() - began < 3  # one after the other they would take 18 s
        assert [str(found[service]) for service in services] == ["tls: no answer in time"] * 30
        assert next(asked) == 60


def test_a_service_that_comes_back_at_once_is_not_a_finding() -> None:
    answers: list[Callable[[socket.socket], Any]] = [
        showing(context_of("good.test")),
        socket.socket.close,
    ]

    def next_answer(connection: socket.socket) -> None:
        answers.pop()(connection)

    with listening(next_answer) as port:
        service = Service(parse_target(LOCAL, port, private=True), "good.test", authorities=ROOT)
        ((_, found),) = look_at_all([service], 5, 1, soon())
    assert isinstance(found, Presented)


def test_what_there_is_no_time_for_is_not_tried_again_or_not_at_all() -> None:
    asked = itertools.count()

    def counting(connection: socket.socket) -> None:
        next(asked)
        silent(connection)

    with listening(counting) as port:
        one, other = (
            Service(parse_target(LOCAL, port, private=True), name)
            for name in ("one.test", "other.test")
        )
        found = dict(look_at_all([one, other], 0.3, 1, soon(0.5)))
    assert (str(found[one]), found[other], next(asked)) == ("tls: no answer in time", None, 1)


def test_what_is_not_verified_is_so_only_when_asked(port: int) -> None:
    timer = start_timer(5)
    raw = connect_timed(resolve_target(parse_target(LOCAL, port, private=True), timer), timer)
    with handshake(raw, "expired.test", timer, verify=Verify.NOTHING) as session:
        assert session.version()
