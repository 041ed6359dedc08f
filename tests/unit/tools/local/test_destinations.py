"""What stands for Slack, PagerDuty and a webhook's receiver refuses what those would refuse."""

import json
from typing import Any

import pytest
from tools.local.destinations import (
    PAGERDUTY,
    ROUTING_KEY,
    SLACK,
    SLACK_TOKEN,
    Answer,
    Destinations,
)

TOKEN = {"authorization": f"Bearer {SLACK_TOKEN}"}


def take(destinations: Destinations, path: str, headers: dict[str, str], **body: Any) -> Answer:
    return destinations.take(path, headers, json.dumps(body).encode())


def test_slack_updates_a_message_that_it_has_and_no_other() -> None:
    slack = Destinations()
    posted = take(slack, "/api/chat.postMessage", TOKEN, channel="C1", text="opened")
    ts = json.loads(posted.body)["ts"]
    assert (
        '"ok": true' in take(slack, "/api/chat.update", TOKEN, channel="C1", ts=ts, text="x").body
    )
    unknown = take(slack, "/api/chat.update", TOKEN, channel="C1", ts="9.9", text="x")
    assert json.loads(unknown.body)["error"] == "message_not_found"
    assert slack.texts("chat.update") == ["x"]


def test_a_wrong_secret_is_refused() -> None:
    destinations = Destinations()
    refused = take(destinations, "/api/chat.postMessage", {}, channel="C1", text="opened")
    assert json.loads(refused.body)["error"] == "invalid_auth"
    assert take(destinations, "/v2/enqueue", {}, routing_key="wrong").status == 400
    assert take(destinations, "/hook", {"webhook-id": "1"}, data={}).status == 401
    assert [delivery.accepted for delivery in destinations.deliveries] == [False, False, False]


def test_pagerduty_keeps_what_was_done_to_an_incident() -> None:
    pagerduty = Destinations()
    for action in ("trigger", "resolve"):
        event = {"routing_key": ROUTING_KEY, "dedup_key": "k", "event_action": action}
        assert take(pagerduty, "/v2/enqueue", {}, **event).status == 202
    assert pagerduty.incidents["k"] == ["trigger", "resolve"]
    assert len(pagerduty.accepted(PAGERDUTY)) == 2


@pytest.mark.parametrize(("about", "statuses"), [("", [429, 200]), ("second", [200, 429])])
def test_an_arranged_answer_waits_for_the_request_that_it_is_about(
    about: str, statuses: list[int]
) -> None:
    slack = Destinations()
    slack.misbehave(SLACK, Answer(429, about=about))
    for text in ("first", "second"):
        take(slack, "/api/chat.postMessage", TOKEN, channel="C1", text=text)
    assert [delivery.answer.status for delivery in slack.of(SLACK)] == statuses
