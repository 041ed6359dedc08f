"""Each sink against destinations that answer, refuse, fail, and fall silent."""

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.conftest import Context
from tests.delivery.sinks import Sink, configure, effects, environment, put, sinks
from tests.sample_alerts import SAMPLE, alert, event
from tools.local.destinations import (
    PAGERDUTY,
    SIGNING_KEY,
    SLACK,
    SLACK_WEBHOOK,
    WEBHOOK,
    Answer,
    Destinations,
)

from fleet import aws, deliveries, http
from fleet.alerts import Alert, AlertStatus

LATER = SAMPLE.last_seen + timedelta(hours=3)
ESCALATED = alert(
    id="a2", status=AlertStatus.ESCALATED, count=2, last_seen=SAMPLE.last_seen + timedelta(hours=1)
)
REMINDED = alert(
    id="a3", status=AlertStatus.REMINDED, count=9, last_seen=SAMPLE.last_seen + timedelta(hours=2)
)
RESOLVED = alert(id="a4", status=AlertStatus.RESOLVED, count=9, last_seen=LATER)
LIFE = [SAMPLE, ESCALATED, REMINDED, RESOLVED]

Letters = Callable[[], list[dict[str, Any]]]
Give = Callable[..., list[float | None]]


@pytest.fixture(params=[SLACK, SLACK_WEBHOOK, PAGERDUTY, WEBHOOK])
def sink(
    request: pytest.FixtureRequest,
    destinations: Destinations,
    monkeypatch: pytest.MonkeyPatch,
    ledger: str,
) -> Sink:
    """One sink after the other, without the waits between its deliveries."""
    found = sinks(destinations.url)[request.param]
    for name, value in environment(found).items():
        monkeypatch.setenv(name, value)
    configure(found)
    monkeypatch.setattr(f"functions.{found.job}.app.SPACING_SECONDS", 0.0, raising=False)
    return found


@pytest.fixture
def give(
    sink: Sink,
    sqs_event: Any,
    context: Context,
    dead_letters: Letters,
    monkeypatch: pytest.MonkeyPatch,
) -> Give:
    """Give the sink alerts, each a message; return the wait until the next attempt of each, or None
    when it is done.
    """

    def hand(*given: Alert, attempts: int = 1) -> list[float | None]:
        waits: dict[str, float] = {}
        monkeypatch.setattr(
            "fleet.runtime.queued._show_after",
            lambda record, wait: waits.update({record.message_id: wait}),
        )
        for number, each in enumerate(given):
            message = sqs_event(event(each), attempts=attempts)
            message["Records"][0]["messageId"] = f"m{number}"
            answer = sink.handler(message, context)
            assert {
                failure["itemIdentifier"] for failure in answer["batchItemFailures"]
            } == waits.keys() & {f"m{number}"}
        return [waits.get(f"m{number}") for number in range(len(given))]

    return hand


def reasons(letters: Letters) -> list[str]:
    return [letter["MessageAttributes"]["reason"]["StringValue"] for letter in letters()]


def only(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("sink", [name], indirect=True)


def test_an_alert_is_delivered_once(sink: Sink, give: Give, destinations: Destinations) -> None:
    assert give(SAMPLE, SAMPLE, SAMPLE) == [None, None, None]
    assert len(effects(destinations, sink.name)) == 1


PASSING = [
    (Answer(429, headers={"Retry-After": "17"}), 17),
    (Answer(503, headers={"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}), 42_300),
    (Answer(503), 5),
    (Answer(500), 5),
    (Answer(408), 5),
    (Answer(manner="reset"), 5),
    (Answer(manner="hang"), 5),
    (Answer(manner="drip"), 5),
]


def test_what_may_pass_is_tried_again(
    sink: Sink, give: Give, destinations: Destinations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)
    for number, (answer, wait) in enumerate(PASSING):
        found = alert(id=f"a{number}", dedup_key=f"finding {number}")
        destinations.misbehave(sink.name, answer)
        assert give(found) == [wait]
        assert give(found, attempts=2) == [None]
        assert len(effects(destinations, sink.name)) == number + 1


def test_what_will_never_do_is_parked(
    sink: Sink, give: Give, destinations: Destinations, dead_letters: Letters
) -> None:
    for status in (302, 400, 404, 422):
        destinations.misbehave(sink.name, Answer(status, "no"))
        assert give(SAMPLE) == [None]
        (reason,) = reasons(dead_letters)
        assert f"answered {status}: no" in reason
        assert "hunter2" not in reason


def test_a_rotated_secret_is_fetched_again_once(
    sink: Sink, give: Give, destinations: Destinations
) -> None:
    destinations.misbehave(sink.name, Answer(401))
    assert give(SAMPLE) == [None]
    assert [delivery.accepted for delivery in destinations.of(sink.name)] == [False, True]


def test_a_secret_refused_twice_is_parked(
    sink: Sink, give: Give, destinations: Destinations, dead_letters: Letters
) -> None:
    destinations.misbehave(sink.name, Answer(403), Answer(403))
    assert give(SAMPLE) == [None]
    assert len(destinations.of(sink.name)) == 2
    (letter,) = dead_letters()
    assert letter["MessageAttributes"]["error_type"]["StringValue"] == "Refused"


def test_the_fifth_failure_is_parked(
    sink: Sink, give: Give, destinations: Destinations, dead_letters: Letters
) -> None:
    destinations.misbehave(sink.name, Answer(500, "broken"))
    assert give(SAMPLE, attempts=5) == [None]
    assert "answered 500: broken" in reasons(dead_letters)[0]


def test_without_entries_nothing_is_sent(
    sink: Sink, give: Give, destinations: Destinations, dead_letters: Letters
) -> None:
    put("/entries", "[]", "String")
    assert give(SAMPLE) == [None]
    assert destinations.deliveries == []
    assert dead_letters() == []


def test_a_malformed_entry_parks_what_it_might_have_taken(
    sink: Sink, give: Give, destinations: Destinations, dead_letters: Letters
) -> None:
    put("/entries", "[{severity: critical}]", "String")
    assert give(SAMPLE) == [None]
    assert destinations.deliveries == []
    assert "unknown: severity" in reasons(dead_letters)[0]


def test_what_is_not_an_alert_is_parked(
    sink: Sink, sqs_event: Any, context: Context, dead_letters: Letters
) -> None:
    body = json.dumps(
        {"source": "fleet", "detail-type": "Alert", "id": "e1", "detail": {"id": "a1"}}
    )
    assert sink.handler(sqs_event(body), context) == {"batchItemFailures": []}
    assert "the event e1 is not an alert" in reasons(dead_letters)[0]


def test_a_secret_stays_out_of_the_log(
    sink: Sink, give: Give, destinations: Destinations, log: Any
) -> None:
    destinations.misbehave(sink.name, Answer(500, sink.secret), Answer(400, sink.secret))
    give(SAMPLE)
    give(SAMPLE)
    assert "answered 500" in log.getvalue()
    assert sink.secret not in log.getvalue()
    assert "hunter2" not in log.getvalue()


def test_killed_after_the_answer_it_is_delivered_again_and_the_window_is_one_write(
    sink: Sink,
    give: Give,
    destinations: Destinations,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str], None],
) -> None:
    """Where the destination knows alerts by a key of their own, even that has one effect."""
    unlock, windows = deliveries._unlock, []

    def measured(*arguments: Any) -> None:
        began = time.perf_counter()
        unlock(*arguments)
        windows.append(time.perf_counter() - began)

    monkeypatch.setattr(deliveries, "_unlock", measured)
    give(*LIFE[:3])
    figure(f"{sink.name}: {max(windows) * 1_000:.1f} ms for the write that notes the answer")
    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "_unlock", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            give(RESOLVED)
    assert give(RESOLVED) == [60]
    later = time.time() + 61
    monkeypatch.setattr(
        deliveries, "time", type("Clock", (), {"time": staticmethod(lambda: later)})
    )
    assert give(RESOLVED) == [None]
    if sink.name == WEBHOOK:
        assert len(effects(destinations, WEBHOOK)) == 5
        assert len(destinations.received) == 4
    if sink.name == PAGERDUTY:
        assert destinations.incidents == {
            SAMPLE.dedup_key: ["trigger", "trigger", "trigger", "resolve", "resolve"]
        }


@only(SLACK)
def test_slack_shows_one_message_that_is_kept_up_to_date(
    sink: Sink, give: Give, destinations: Destinations
) -> None:
    assert give(*LIFE) == [None] * 4
    methods = [
        (delivery.path.rpartition(".")[2], delivery.body.get("thread_ts"))
        for delivery in destinations.of(SLACK)
    ]
    assert methods == [
        *(("postMessage", None), ("update", None), ("update", None), ("postMessage", "1.000000")),
        *(("update", None), ("postMessage", "1.000000")),
    ]
    message, *thread = destinations.messages.values()
    assert message["text"].startswith("Resolved: billing-api")
    assert [reply["text"].split(":")[0] for reply in thread] == ["Still so", "Resolved"]


@only(SLACK)
def test_a_new_episode_is_a_new_message(sink: Sink, give: Give, destinations: Destinations) -> None:
    give(
        *LIFE,
        alert(id="a5", first_seen=LATER + timedelta(days=1), last_seen=LATER + timedelta(days=1)),
    )
    assert [delivery.path for delivery in destinations.of(SLACK)][-1].endswith("chat.postMessage")
    assert (
        len([message for message in destinations.messages.values() if "thread_ts" not in message])
        == 2
    )


@only(SLACK)
def test_slack_never_goes_back_in_a_findings_life(
    sink: Sink, give: Give, destinations: Destinations
) -> None:
    assert give(RESOLVED, REMINDED, SAMPLE) == [None] * 3
    (message,) = destinations.messages.values()
    assert message["text"].startswith("Resolved: ")


@only(SLACK)
def test_a_reply_that_failed_is_made_once(
    sink: Sink, give: Give, destinations: Destinations
) -> None:
    give(SAMPLE)
    destinations.misbehave(
        SLACK, Answer(200, '{"ok": true, "ts": "1.000000", "channel": "C1"}'), Answer(500)
    )
    assert give(RESOLVED) == [5]
    assert give(RESOLVED) == [None]
    assert [message.get("thread_ts") for message in destinations.messages.values()] == [
        None,
        "1.000000",
    ]


@only(SLACK)
def test_a_message_that_somebody_deleted_is_posted_again(
    sink: Sink, give: Give, destinations: Destinations
) -> None:
    give(SAMPLE)
    destinations.messages.clear()
    assert give(RESOLVED) == [None]
    (message,) = destinations.messages.values()
    assert message["text"].startswith("Resolved: ")


@only(SLACK)
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        *(
            (error, "retried")
            for error in ("ratelimited", "internal_error", "fatal_error", "service_unavailable")
        ),
        *(
            (error, "fetched again")
            for error in ("invalid_auth", "token_revoked", "token_expired", "account_inactive")
        ),
        *(
            (error, "parked")
            for error in (
                "channel_not_found",
                "not_in_channel",
                "is_archived",
                "missing_scope",
                "odd",
            )
        ),
    ],
)
def test_slack_refuses_with_200(
    error: str,
    outcome: str,
    sink: Sink,
    give: Give,
    destinations: Destinations,
    dead_letters: Letters,
) -> None:
    destinations.misbehave(
        SLACK, Answer(200, json.dumps({"ok": False, "error": error}), {"Retry-After": "9"})
    )
    waits = give(SAMPLE)
    assert (waits[0] is not None) is (outcome == "retried")
    assert len(destinations.of(SLACK)) == (2 if outcome == "fetched again" else 1)
    assert bool(effects(destinations, SLACK)) is (outcome == "fetched again")
    assert [reason for reason in reasons(dead_letters) if error not in reason] == []


@only(SLACK)
@pytest.mark.parametrize("body", ["", "<html>", "[]", "{}", '{"ok": false}', "null"])
def test_an_answer_that_is_not_slacks_is_transient(
    body: str, sink: Sink, give: Give, destinations: Destinations
) -> None:
    destinations.misbehave(SLACK, Answer(200, body))
    assert give(SAMPLE) == [5]


@only(PAGERDUTY)
def test_pagerduty_never_opens_what_was_resolved(
    sink: Sink, give: Give, destinations: Destinations
) -> None:
    assert give(RESOLVED, SAMPLE) == [None, None]
    assert destinations.incidents == {SAMPLE.dedup_key: ["resolve"]}


@only(WEBHOOK)
def test_the_id_stays_and_the_timestamp_is_fresh(
    sink: Sink, give: Give, destinations: Destinations, monkeypatch: pytest.MonkeyPatch
) -> None:
    destinations.misbehave(WEBHOOK, Answer(500))
    give(SAMPLE)
    later = time.time() + 100
    monkeypatch.setattr("functions.notify_webhook.app.time.time", lambda: later)
    give(SAMPLE)
    first, second = (delivery.headers for delivery in destinations.of(WEBHOOK))
    assert first["webhook-id"] == second["webhook-id"] == "a1"
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) in (99, 100)


@only(WEBHOOK)
def test_a_receiver_with_either_key_is_served(
    sink: Sink, give: Give, destinations: Destinations
) -> None:
    new = "whsec_bmV3IGtleSBvZiB0aGUgZmxlZXQ="
    put("/secret", f"{SIGNING_KEY} {new}")
    give(SAMPLE)
    destinations.signing_key = new
    give(RESOLVED)
    assert list(destinations.received) == ["a1", "a4"]


@only(WEBHOOK)
def test_a_webhook_that_is_gone_gets_no_more_and_an_alert_says_so(
    sink: Sink, give: Give, destinations: Destinations, published: Letters, dead_letters: Letters
) -> None:
    destinations.misbehave(WEBHOOK, Answer(410))
    assert give(SAMPLE, RESOLVED) == [None, None]
    assert len(destinations.of(WEBHOOK)) == 1
    (notice,) = published()
    assert notice["detail-type"] == "Alert"
    assert "answered that it is gone" in Alert.from_json(notice["detail"]).title
    assert dead_letters() == []
    aws._parameters.cache_clear()
    put("/entries", json.dumps([{**sink.entry, "url": f"{destinations.url}/hook?again"}]), "String")
    assert give(SAMPLE) == [None]
    assert list(destinations.received) == ["a1"]


@only(WEBHOOK)
def test_a_malformed_entry_among_others_parks_the_alert_after_the_others_got_it(
    sink: Sink, give: Give, destinations: Destinations, dead_letters: Letters
) -> None:
    put("/entries", json.dumps([{"url": "https://x.example/"}, sink.entry]), "String")
    assert give(SAMPLE) == [None]
    assert list(destinations.received) == ["a1"]
    assert "keys: required field missing" in reasons(dead_letters)[0]
