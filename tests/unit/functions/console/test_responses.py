from typing import Any

import pytest

from fleet_console.responses import EncodableResponse, Headers, join_headers


@pytest.mark.parametrize(
    ("text", "sent"), [("Zoë", "Zoë".encode()), ("half \ud83d", b"half ?"), (b"\xff", b"\xff")]
)
def test_any_text_can_be_sent(text: str | bytes, sent: bytes) -> None:
    assert EncodableResponse(text).get_data() == sent


def joined(headers: Headers) -> Headers:
    """Return the headers that a server gets from an application that sends these."""
    got: Headers = []

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", headers)
        return [b""]

    def start(_status: str, sent: Headers, _error: Any) -> None:
        got.extend(sent)

    join_headers(application)({}, start)
    return got


def test_repeated_headers_become_one() -> None:
    assert joined([("Vary", "Cookie"), ("Age", "1"), ("vary", "Accept")]) == [
        ("vary", "Cookie, Accept"),
        ("age", "1"),
    ]


def test_each_cookie_stays_alone() -> None:
    cookies = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]

    assert joined(cookies) == cookies
