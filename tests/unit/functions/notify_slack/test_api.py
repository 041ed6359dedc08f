import json
from typing import Any

import pytest

from fleet import http, secrets
from fleet.errors import Permanent, Refused, Transient
from fleet.network import Answer
from fleet_slack.api import MessageDeleted, WebApi, post_to_webhook

SLACK = WebApi("https://slack.example/api", "/fleet/token")
MESSAGE = {"channel": "C1", "text": "hello"}


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Slack is asked; its secrets are called as their parameters."""
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(secrets, "using", lambda name, attempt: attempt(f" secret of {name}\n"))
    return made


def answer(
    monkeypatch: pytest.MonkeyPatch, requests: list[Any], document: Any, **headers: str
) -> None:
    def post(url: str, body: bytes, sent: dict[str, str]) -> Answer:
        requests.append({"url": url, "body": json.loads(body), "headers": sent})
        return Answer(200, headers, json.dumps(document).encode())

    monkeypatch.setattr(http, "post", post)


def test_a_method_is_called_with_the_token(
    requests: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, requests, {"ok": True, "ts": "1.0"})
    assert SLACK.call("chat.postMessage", MESSAGE) == {"ok": True, "ts": "1.0"}
    (request,) = requests
    assert request["url"] == "https://slack.example/api/chat.postMessage"
    assert request["body"] == MESSAGE
    assert request["headers"]["Authorization"] == "Bearer secret of /fleet/token"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("ratelimited", Transient),
        ("invalid_auth", Refused),
        ("message_not_found", MessageDeleted),
        ("channel_not_found", Permanent),
    ],
)
def test_a_refusal_is_raised_by_its_kind(
    error: str, kind: type[Exception], requests: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(monkeypatch, requests, {"ok": False, "error": error})
    with pytest.raises(kind, match=f"Slack refused chat.update in C1: {error}") as raised:
        SLACK.call("chat.update", MESSAGE)
    assert type(raised.value) is kind


def test_slack_says_how_long_to_wait(requests: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, requests, {"ok": False, "error": "ratelimited"}, **{"retry-after": "9"})
    with pytest.raises(Transient) as raised:
        SLACK.call("chat.postMessage", MESSAGE)
    assert raised.value.retry_after == 9


def test_a_webhook_takes_the_message(requests: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, requests, "ok")
    post_to_webhook("/fleet/webhook", MESSAGE)
    (request,) = requests
    assert request["url"] == " secret of /fleet/webhook\n"
    assert request["body"] == MESSAGE
