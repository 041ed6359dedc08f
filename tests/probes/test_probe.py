"""Probes of real servers that fail in each phase, and the verdicts on them."""

import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from tests.probes import servers

from fleet.mappings import structure
from fleet.probes import tls
from fleet_endpoints.endpoints import Endpoint
from fleet_endpoints.failures import Failure, find_failure
from fleet_endpoints.probe import BODY_BYTES, ProbeResult, probe

UP = "[BODY].status == UP"


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with servers.listening(servers.http) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def resolver() -> Iterator[str]:
    with servers.name_server() as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The system trusts the authority."""
    tls._context.cache_clear()
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        yield
    tls._context.cache_clear()


def serving(authority: trustme.CA, name: str = "127.0.0.1", **facts: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, **facts).configure_cert(context)
    return context


def endpoint(url: str, *conditions: str, private: bool = True, **entry: Any) -> Endpoint:
    asked = {
        "name": "web",
        "url": url,
        "conditions": list(conditions or ["[STATUS] == 200"]),
        "private": private,
    }
    return structure(asked | entry, Endpoint, "the entry")


def tried(
    *arguments: Any, seconds: float = 2.0, **entry: Any
) -> tuple[ProbeResult, Failure | None]:
    asked = endpoint(*arguments, **entry)
    result = probe(asked, {}, seconds)
    return result, find_failure(asked, result)


def failure(*arguments: Any, seconds: float = 2.0, **entry: Any) -> Failure | None:
    return tried(*arguments, seconds=seconds, **entry)[1]


def test_an_endpoint_in_order_has_facts_and_the_time_of_each_phase(web: str) -> None:
    result, found = tried(
        f"{web}/health", "[STATUS] == 200", UP, "[IP] == 127.0.0.1", "[CONNECTED] == true"
    )
    assert found is None
    assert list(result.seconds) == ["resolve", "connect", "exchange"]
    assert 0 < sum(result.seconds.values()) * 1000 <= result.facts.response_time < 2_000


@pytest.mark.parametrize(
    ("path", "conditions", "expected"),
    [
        (
            "/reset",
            ["[STATUS] == 200"],
            Failure("http", "Connection reset by peer", "[STATUS] == 200"),
        ),
        (
            "/close",
            ["[STATUS] == 200", UP],
            Failure(
                "http", "Remote end closed connection without response", f"[STATUS] == 200; {UP}"
            ),
        ),
        (
            "/garbage",
            ["[STATUS] == 200"],
            Failure("http", "BadStatusLine: SSH-2.0-OpenSSH_9.9", "[STATUS] == 200"),
        ),
        ("/short", [UP], Failure("http", "IncompleteRead(5 bytes read, 5 more expected)", UP)),
        ("/hang", ["[STATUS] == 200"], Failure("http", "no answer in time", "[STATUS] == 200")),
        ("/drip", ["[STATUS] == 200"], Failure("http", "no answer in time", "[STATUS] == 200")),
        (
            "/status/500",
            ["[STATUS] == 200"],
            Failure("condition", "[STATUS] is 500", "[STATUS] == 200"),
        ),
        (
            "/status/503",
            ["[STATUS] < 300", "[BODY].checks[0].up == true", "[CONNECTED] == true", UP],
            Failure(
                "condition",
                "[STATUS] is 503, [BODY].checks[0].up is false, [BODY].status is DOWN",
                f"[STATUS] < 300; [BODY].checks[0].up == true; {UP}",
            ),
        ),
        (
            "/moved",
            ["[STATUS] == 200"],
            Failure(
                "condition",
                "[STATUS] is 301; it redirects to https://example.com/new, which is not followed",
                "[STATUS] == 200",
            ),
        ),
        (
            "/health",
            ["[BODY] == pat(*<title>*)"],
            Failure("condition", '[BODY] is {"status": "UP"}', "[BODY] == pat(*<title>*)"),
        ),
        ("/health", ["1 == 2"], Failure("condition", "what can never hold", "1 == 2")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_http_gets_wrong_is_named(
    web: str, path: str, conditions: list[str], expected: Failure
) -> None:
    began = time.monotonic()
    assert failure(web + path, *conditions, seconds=0.4) == expected
    assert time.monotonic() - began < 1.5


def test_a_slow_answer_is_an_answer(web: str) -> None:
    found = failure(f"{web}/slow", "[STATUS] == 200", "[RESPONSE_TIME] < 100ms")
    assert found
    assert (found.phase, found.expected) == ("condition", "[RESPONSE_TIME] < 100ms")
    assert failure(f"{web}/slow", "[RESPONSE_TIME] < 1s", "[BODY] == late") is None


def test_an_endpoint_has_the_time_that_it_asks_for(web: str) -> None:
    found = failure(f"{web}/hang", client={"timeout": "100ms"})
    assert found == Failure("http", "no answer in time", "[STATUS] == 200")


def test_a_body_is_read_only_where_a_condition_looks_at_it_and_only_up_to_a_limit(
    web: str,
) -> None:
    unread, _ = tried(f"{web}/large")
    read, _ = tried(f"{web}/large", "[BODY] == x")
    assert (len(unread.facts.body), len(read.facts.body)) == (0, BODY_BYTES)


def test_a_request_is_what_the_entry_says(web: str) -> None:
    headers = {"content-type": "text/x", "Host": "example.com"}
    body = "[ENDPOINT_GROUP]/[ENDPOINT_NAME]"
    result, _ = tried(
        f"{web}/echo?a=ü%20b#part",
        "[BODY] == x",
        method="PUT",
        headers=headers,
        body=body,
        group="core",
    )
    assert result.facts.text.splitlines() == [
        "PUT /echo?a=%C3%BC%20b HTTP/1.1",
        "Accept-Encoding: identity",
        "Content-Length: 8",
        "User-Agent: fleet",
        "Connection: close",
        "content-type: text/x",
        "Host: example.com",
        "core/web",
    ]
    result, _ = tried(f"{web}/echo", "[BODY] == x", body="{ q }", graphql=True, method="POST")
    *head, sent = result.facts.text.splitlines()
    assert sent == '{"query": "{ q }"}'
    assert {"Content-Type: application/json", f"Host: {web.removeprefix('http://')}"} <= set(head)


def test_a_refused_connection_is_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert failure(f"http://127.0.0.1:{port}") == Failure(
        "connect", "Connection refused", "[STATUS] == 200"
    )
    assert failure(f"tcp://127.0.0.1:{port}", "[CONNECTED] == true") == Failure(
        "connect", "Connection refused", "[CONNECTED] == true"
    )
    assert failure(f"tcp://127.0.0.1:{port}", "[CONNECTED] == false") is None
    assert failure(f"http://127.0.0.1:{port}", "[STATUS] < 300"), (
        "a status that was never got is not below 300"
    )


def test_a_server_that_accepts_nobody_runs_out_of_time() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as server,
        socket.socket() as one,
        socket.socket() as two,
    ):
        for waiting in (one, two):
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        found = failure(
            f"tcp://127.0.0.1:{server.getsockname()[1]}", "[CONNECTED] == true", seconds=0.3
        )
    assert found == Failure("connect", "no answer in time", "[CONNECTED] == true")


@pytest.mark.usefixtures("trusted")
def test_https_is_probed_as_a_careful_client_would(authority: trustme.CA) -> None:
    ends = datetime.now(UTC) + timedelta(days=10)
    with servers.listening(servers.http, serving(authority, not_after=ends)) as port:
        conditions = [
            "[STATUS] == 200",
            UP,
            "[CERTIFICATE_EXPIRATION] > 239h",
            "[CERTIFICATE_EXPIRATION] < 240h",
        ]
        result, found = tried(f"https://127.0.0.1:{port}", *conditions)
        assert (found, list(result.seconds)) == (None, ["resolve", "connect", "tls", "exchange"])
        assert failure(f"https://127.0.0.1:{port}", *conditions, client={"insecure": True}) is None
        assert (
            failure(
                f"tls://127.0.0.1:{port}", "[CONNECTED] == true", "[CERTIFICATE_EXPIRATION] > 48h"
            )
            is None
        )
        soon = failure(f"https://127.0.0.1:{port}", "[CERTIFICATE_EXPIRATION] > 720h")
    assert soon
    assert (soon.phase, soon.got.startswith("[CERTIFICATE_EXPIRATION] is 86")) == (
        "condition",
        True,
    )


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("name", "expires", "said"),
    [
        ("127.0.0.1", -1, "certificate has expired"),
        ("127.0.0.2", 1, "IP address mismatch, certificate is not valid for '127.0.0.1'."),
    ],
)
def test_a_certificate_that_is_wrong_fails_the_handshake(
    authority: trustme.CA, name: str, expires: int, said: str
) -> None:
    context = serving(authority, name, not_after=datetime.now(UTC) + timedelta(days=expires))
    with servers.listening(servers.http, context) as port:
        assert failure(f"https://127.0.0.1:{port}") == Failure("tls", said, "[STATUS] == 200")
        assert failure(f"https://127.0.0.1:{port}", client={"insecure": True}) is None


@pytest.mark.usefixtures("trusted")
def test_an_authority_that_nobody_knows_and_a_server_without_tls_fail_the_handshake(
    web: str,
) -> None:
    with servers.listening(servers.http, serving(trustme.CA())) as port:
        found = failure(f"https://127.0.0.1:{port}")
    assert found
    assert (found.phase, "certificate" in found.got) == ("tls", True)
    plain = failure(web.replace("http", "https"))
    assert plain
    assert plain.phase == "tls"


def test_a_tcp_server_gets_the_body_of_the_entry_and_may_answer() -> None:
    with servers.listening(lambda wire, said: wire.sendall(b"+PONG " + said)) as port:
        url = f"tcp://127.0.0.1:{port}"
        assert failure(url, "[CONNECTED] == true", "[BODY] == +PONG PING", body="PING") is None
        assert failure(url, "[CONNECTED] == true") is None
    with servers.listening(lambda wire, _: time.sleep(1)) as port:
        found = failure(f"tcp://127.0.0.1:{port}", "[BODY] == PONG", body="PING", seconds=0.3)
    assert found == Failure("tcp", "no answer in time", "[BODY] == PONG")


def test_smtp_without_starttls_is_named() -> None:
    with servers.listening(servers.greet) as port:
        found = failure(f"starttls://127.0.0.1:{port}", "[CONNECTED] == true", seconds=0.5)
    assert found
    assert found.phase == "starttls"


@pytest.mark.parametrize(
    ("name", "kind", "conditions"),
    [
        (
            "web.test",
            "A",
            ["[DNS_RCODE] == NOERROR", "[BODY] == any(192.0.2.1, 192.0.2.2)", "[IP] == 127.0.0.1"],
        ),
        ("web.test.", "AAAA", ["[BODY] == 2001:db8::1"]),
        ("www.test", "A", ["[BODY] == pat(192.0.2.*)"]),
        ("www.test", "CNAME", ["[BODY] == web.test."]),
        ("web.test", "MX", ["[BODY] == mail.test."]),
        ("web.test", "NS", ["[BODY] == ns.test."]),
        ("web.test", "TXT", ["[BODY] == v=spf1 -all"]),
        ("missing.test", "A", ["[DNS_RCODE] == NXDOMAIN", "len([BODY]) == 0"]),
        ("broken.test", "A", ["[DNS_RCODE] == SERVFAIL"]),
        ("denied.test", "A", ["[DNS_RCODE] == REFUSED", "[CONNECTED] == true"]),
        ("long.test", "A", ["[DNS_RCODE] == NOERROR", "[BODY] == 192.0.2.99"]),
        ("garbled.test", "A", ["[BODY] == pat(192.0.2.*)"]),
    ],
)
def test_a_name_server_is_asked(resolver: str, name: str, kind: str, conditions: list[str]) -> None:
    assert failure(resolver, *conditions, dns={"query-name": name, "query-type": kind}) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing.test", Failure("condition", "[DNS_RCODE] is NXDOMAIN", "[DNS_RCODE] == NOERROR")),
        ("broken.test", Failure("condition", "[DNS_RCODE] is SERVFAIL", "[DNS_RCODE] == NOERROR")),
        ("silent.test", Failure("dns", "no answer in time", "[DNS_RCODE] == NOERROR")),
    ],
)
def test_what_dns_gets_wrong_is_named(resolver: str, name: str, expected: Failure) -> None:
    question = {"query-name": name, "query-type": "A"}
    assert failure(resolver, "[DNS_RCODE] == NOERROR", dns=question, seconds=0.3) == expected


def test_a_host_without_a_name_server_refuses() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{closed.getsockname()[1]}"
    found = failure(
        place, "[DNS_RCODE] == NOERROR", dns={"query-name": "web.test", "query-type": "A"}
    )
    assert found == Failure("dns", "Connection refused", "[DNS_RCODE] == NOERROR")
