"""What a URL, an address and an answer mean. How calls go out is tested in tests/delivery."""

from datetime import UTC, datetime

import pytest

from fleet import secrets
from fleet.errors import Permanent, Refused, Transient
from fleet.http import DestinationGone, Url, parse_url, raise_unless_success, retry_after
from fleet.network import Answer

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PLACE = Url("https", "hooks.example.com", 443, "/services/T0/B0/hunter2", guarded=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/services/T/B/x",
        "https://events.pagerduty.com/v2/enqueue",
        "https://example.com:8443/a?b=c",
        "https://xn--bcher-kva.example/",
        "https://EXAMPLE.com",
        "https://93.184.216.34/",
        "https://[2606:2800:220:1:248:1893:25c8:1946]/",
    ],
)
def test_an_address_of_the_web_may_be_called(url: str) -> None:
    assert parse_url(url).guarded


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://example.com/", id="plain"),
        pytest.param("ftp://example.com/", id="ftp"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("//example.com/", id="no scheme"),
        pytest.param("https://", id="no host"),
        pytest.param("https://example.com:99999/", id="port"),
        pytest.param("https://example.com:x/", id="no port"),
        pytest.param("https://user@example.com/", id="user"),
        pytest.param("https://user:word@example.com/", id="password"),
        pytest.param("https://@example.com/", id="empty user"),
        pytest.param("https://example.com@169.254.169.254/", id="host as user"),
        pytest.param("https://example.com\\@169.254.169.254/", id="backslash"),
        pytest.param("https://example.com#@169.254.169.254/\t", id="tab"),
        pytest.param("https://example.com/\r\nHost: internal", id="header"),
        pytest.param("https://exa mple.com/", id="space"),
        pytest.param("https://example.com./", id="trailing dot"),
        pytest.param("https://127.0.0.1./", id="trailing dot of an address"),
        pytest.param("https://.example.com/", id="leading dot"),
        pytest.param("https://a..b/", id="two dots"),
        pytest.param("https://2130706433/", id="decimal"),
        pytest.param("https://017700000001/", id="octal"),
        pytest.param("https://0x7f000001/", id="hexadecimal"),
        pytest.param("https://0x7f.0.0.1/", id="hexadecimal part"),
        pytest.param("https://0177.0.0.1/", id="octal part"),
        pytest.param("https://127.0.0.01/", id="leading zero"),
        pytest.param("https://127.1/", id="short"),
        pytest.param("https://127.0.1/", id="three parts"),
        pytest.param("https://1.2.3.4.5/", id="five parts"),
        pytest.param("https://256.1.1.1/", id="too large"),
        pytest.param("https://0x/", id="empty hexadecimal"),
        pytest.param("https://foo.0x7f/", id="ends in a number"),
        pytest.param("https://①②⑦.⓪.⓪.①/", id="circled digits"),
        pytest.param("https://127。0。0。1/", id="ideographic dots"),
        pytest.param("https://١٢٧.0.0.1/", id="Arabic digits"),
        pytest.param("https://ｅxample.com/", id="fullwidth letter"),
        pytest.param("https://bücher.example/", id="not punycode"),
        pytest.param("https://%31%32%37.0.0.1/", id="percent-encoded"),
        pytest.param("https://[::1%25lo]/", id="zone"),
        pytest.param("https://[::1/", id="open bracket"),
        pytest.param("https://[127.0.0.1]/", id="IPv4 in brackets"),
        pytest.param("https://[example.com]/", id="name in brackets"),
    ],
)
def test_a_url_that_no_call_should_follow_is_refused(url: str) -> None:
    with pytest.raises(Permanent):
        parse_url(url)


@pytest.mark.parametrize(
    ("url", "guarded"),
    [
        ("http://127.0.0.1:8080/api", False),
        ("https://127.0.0.1:8080/api", False),
        ("https://127.0.0.1:8081/api", True),
        ("https://localhost:8080/api", True),
    ],
)
def test_the_allow_list_is_of_exact_hosts_and_ports(url: str, guarded: bool) -> None:
    assert parse_url(url, {"127.0.0.1:8080"}).guarded is guarded


def test_plain_http_needs_the_allow_list() -> None:
    with pytest.raises(Permanent, match="is not https"):
        parse_url("http://127.0.0.1:8081/api", {"127.0.0.1:8080"})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *(
            (status, Permanent)
            for status in (300, 301, 302, 304, 307, 308, 400, 402, 404, 405, 409, 413, 418, 422)
        ),
        *((status, Refused) for status in (401, 403)),
        *((status, Transient) for status in (408, 429, 500, 501, 502, 503, 504, 599)),
        *((status, Permanent) for status in (100, 199, 0)),
        (410, DestinationGone),
    ],
)
def test_what_is_not_a_success_raises(status: int, kind: type[Exception]) -> None:
    with pytest.raises(
        kind, match=rf"^https://hooks.example.com:443 answered {status}: no$"
    ) as raised:
        raise_unless_success(PLACE, Answer(status, {}, b"no"))
    assert type(raised.value) is kind


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_only_2xx_is_a_success(status: int) -> None:
    raise_unless_success(PLACE, Answer(status, {}, b""))


@pytest.mark.parametrize(("status", "waits"), [(429, 7.0), (503, 7.0), (500, None), (408, None)])
def test_who_may_ask_for_a_wait(status: int, waits: float | None) -> None:
    with pytest.raises(Transient) as raised:
        raise_unless_success(PLACE, Answer(status, {"retry-after": "7"}, b""))
    assert raised.value.retry_after == waits


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 30 ", 30.0),
        ("Sat, 21 Nov 2026 12:01:30 GMT", 90.0),
        ("Saturday, 21-Nov-26 12:01:30 GMT", 90.0),
        ("Sat Nov 21 12:01:30 2026", 90.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("Sat, 21 Nov 2026 13:01:30 +0100", 90.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("1e9", None),
        ("Sat, 99 Nov 2026 12:01:30 GMT", None),
        ("٣", None),
    ],
)
def test_a_wait_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


def test_a_wait_until_a_date_is_never_too_short() -> None:
    assert retry_after("Sat, 21 Nov 2026 12:00:02 GMT", NOW.replace(microsecond=500_000)) == 2.0


def test_an_error_shows_neither_the_path_nor_a_secret() -> None:
    secrets._fetched.add("whsec_abc")
    with pytest.raises(Permanent) as raised:
        raise_unless_success(
            PLACE,
            Answer(404, {}, b"nothing at /services/T0/B0/hunter2 for\nwhsec_abc " + b"x" * 1_000),
        )
    assert str(raised.value).startswith(
        "https://hooks.example.com:443 answered 404: nothing at [path] for [secret] x"
    )
    assert len(str(raised.value)) < 300
