"""One message of each way into the dead letters, and what hostile ones are read as."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools.paths import ROOT

from fleet.dead_letters.letters import UNKNOWN, Letter, Route, read

SAMPLES = ROOT / "tests/events/dead_letters"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:fleet-dev-start_pipeline"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:fleet-dev-paused_pipelines"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"{name}.json").read_text())


def facts(letter: Letter) -> tuple[object, ...]:
    seen = f"{letter.first_seen:%d %H:%M:%S}"
    return (
        letter.route,
        letter.job,
        letter.error_type,
        letter.attempts,
        letter.origin,
        letter.redrives,
        seen,
    )


TOPIC = "arn:aws:sns:eu-west-1:123456789012:fleet-dev-AlertsTopic-1XMPL2ABCDEF"
PRUNING, TRIAGE = (
    FUNCTION.replace("paused_pipelines", "prune_objects"),
    QUEUE.replace("start_pipeline", "triage_alerts"),
)
NO_QUEUE, NO_ANSWER = "AWS.SimpleQueueService.NonExistentQueue", "AWSLambda.ServiceException"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("job", (Route.JOB, "start_pipeline", "Permanent", 1, QUEUE, 1, "20 01:54:35")),
        ("queue", (Route.QUEUE, "start_pipeline", "Unanswered", 5, QUEUE, 0, "20 01:54:34")),
        (
            "invocation",
            (Route.INVOCATION, "paused_pipelines", "ClientError", 3, FUNCTION, 0, "20 08:00:00"),
        ),
        (
            "invocation_expired",
            (Route.INVOCATION, "prune_objects", "EventAgeExceeded", 0, PRUNING, 0, "20 03:30:00"),
        ),
        (
            "schedule",
            (Route.SCHEDULE, "paused_pipelines", NO_ANSWER, 6, FUNCTION, 0, "20 08:00:00"),
        ),
        (
            "schedule_universal",
            (Route.SCHEDULE, "triage_alerts", NO_QUEUE, 1, TRIAGE, 0, "20 08:05:00"),
        ),
        ("rule", (Route.RULE, "start_pipeline", "NO_PERMISSIONS", 1, QUEUE, 0, "20 01:54:34")),
        (
            "subscription",
            (
                Route.SUBSCRIPTION,
                TOPIC.rpartition(":")[2],
                "NotDelivered",
                0,
                TOPIC,
                0,
                "20 08:10:11",
            ),
        ),
        ("unknown", (Route.UNKNOWN, UNKNOWN, UNKNOWN, 0, "", 0, "20 01:54:34")),
    ],
)
def test_whatever_gave_it_up_a_letter_says_whose_it_was_and_where_it_goes(
    name: str, expected: tuple[object, ...]
) -> None:
    assert facts(read(sample(name))) == expected


def test_a_letter_that_holds_no_url_where_one_belongs_is_still_a_letter() -> None:
    letter = sample("schedule_universal")
    letter["Body"] = json.dumps({"QueueUrl": "https://[", "MessageBody": "x"})
    assert (read(letter).route, read(letter).obstacle != "") == (Route.UNKNOWN, True)


def test_every_way_has_a_sample() -> None:
    assert {read(sample(path.stem)).route for path in SAMPLES.glob("*.json")} == set(Route)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("job", "no pipeline deploy-nowhere"),
        ("queue", "did not answer, 5 times: it timed out, crashed or ran out of memory"),
        ("invocation", "when calling the ListPipelines operation: not authorized"),
        ("invocation_expired", "Lambda gave it up: EventAgeExceeded"),
        ("schedule", "The service encountered an internal error. (given up: MaximumRetryAttempts)"),
        ("rule", "The target's policy does not permit the rule to send to it"),
        ("subscription", "does not say why"),
        ("unknown", "nothing in the message says why"),
    ],
)
def test_a_letter_says_why_it_is_there(name: str, reason: str) -> None:
    assert reason in read(sample(name)).reason


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("job", sample("job")["Body"]),
        ("queue", sample("queue")["Body"]),
        ("invocation", '{"scheduled_at": "2026-11-20T08:00:00Z"}'),
        ("schedule", sample("schedule")["Body"]),
        ("schedule_universal", json.loads(sample("schedule_universal")["Body"])["MessageBody"]),
        ("rule", sample("rule")["Body"]),
        ("subscription", sample("subscription")["Body"]),
        ("unknown", "who sent this?"),
    ],
)
def test_a_letter_holds_the_original_event(name: str, body: str) -> None:
    assert read(sample(name)).body == body


@pytest.mark.parametrize(
    ("name", "trace"),
    [
        ("job", "5b8a0c0e-9a2b-4e57-8a1c-0f3d6c2e7b41"),
        ("queue", "22222222-2222-4222-8222-222222222222"),
        ("invocation", "e4b46cbf-b738-4b2a-8880-a18cdf61200e"),
        ("subscription", "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324"),
    ],
)
def test_a_letter_knows_which_delivery_failed(name: str, trace: str) -> None:
    assert read(sample(name)).trace == trace


def scheduled(body: Any, target: str, **attributes: str) -> Letter:
    message = sample("schedule") | {"Body": body if isinstance(body, str) else json.dumps(body)}
    given = {"TARGET_ARN": target, **attributes}
    message["MessageAttributes"] |= {
        name: {"DataType": "String", "StringValue": text} for name, text in given.items()
    }
    return read(message)


@pytest.mark.parametrize(
    ("target", "body", "origin", "event"),
    [
        pytest.param(
            "lambda:invoke",
            {"scheduled_at": "x"},
            FUNCTION,
            '{"scheduled_at": "x"}',
            id="by its name",
        ),
        pytest.param(
            "lambda:invoke",
            {"FunctionName": "fleet-dev-paused_pipelines", "Payload": '{"a": 1}'},
            FUNCTION,
            '{"a": 1}',
            id="a call by name",
        ),
        pytest.param(
            "lambda:invoke",
            {"FunctionName": FUNCTION, "Payload": {"a": 1}},
            FUNCTION,
            '{"a": 1}',
            id="a call by ARN",
        ),
        pytest.param(
            "ecs:runTask", {"a": 1}, "", '{"a": 1}', id="no target that can be redriven to"
        ),
    ],
)
def test_a_schedule_may_name_the_call_instead_of_the_target(
    target: str, body: Any, origin: str, event: str
) -> None:
    letter = scheduled(body, f"arn:aws:scheduler:::aws-sdk:{target}")
    assert (letter.origin, letter.body, bool(letter.obstacle)) == (origin, event, not origin)


def test_a_cut_payload_cannot_be_sent_back() -> None:
    letter = scheduled('{"scheduled_', FUNCTION, IS_PAYLOAD_TRUNCATED="true")
    assert (letter.origin, letter.obstacle) == (
        "",
        "Scheduler cut its payload: provide the whole event",
    )


def test_a_message_that_its_queue_gave_up_keeps_its_attributes_but_the_count() -> None:
    team = {"DataType": "String", "StringValue": "shop"}
    message = sample("queue") | {
        "MessageAttributes": {"team": team, "redrives": {"StringValue": "2"}}
    }
    letter = read(message)
    assert (letter.attributes, letter.redrives) == ({"team": team}, 2)


def test_a_published_count_of_redrives_is_found_in_the_envelope() -> None:
    message = sample("subscription")
    envelope = json.loads(message["Body"])
    envelope["MessageAttributes"] = {"redrives": {"Type": "Number", "Value": "1"}}
    assert read(message | {"Body": json.dumps(envelope)}).redrives == 1


DEEP = "[" * 900 + "]" * 900
hostile = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = (
    "requestContext",
    "requestPayload",
    "responsePayload",
    "Type",
    "TopicArn",
    "Message",
    "Timestamp",
    "time",
    "id",
)
NAMES = (
    "job",
    "error_type",
    "reason",
    "attempts",
    "redrives",
    "first_seen",
    "RULE_ARN",
    "SCHEDULE_ARN",
    "TARGET_ARN",
)


@given(
    st.dictionaries(
        st.sampled_from(KEYS),
        hostile | st.fixed_dictionaries({"functionArn": st.text()}),
        max_size=5,
    ),
    st.dictionaries(st.sampled_from((*NAMES, "RETRY_ATTEMPTS")), st.text(max_size=200), max_size=6),
    st.text(max_size=30),
)
def test_no_message_is_too_strange_to_be_read(
    body: Any, texts: dict[str, str], source: str
) -> None:
    attributes = {name: {"DataType": "String", "StringValue": text} for name, text in texts.items()}
    message: Any = {"MessageId": "m", "Body": json.dumps(body), "MessageAttributes": attributes}
    message["Attributes"] = {"SentTimestamp": "1795139674500", "DeadLetterQueueSourceArn": source}
    letter = read(message)
    assert letter.job
    assert letter.reason
    assert letter.first_seen.utcoffset() == timedelta(0)
    assert letter.origin or letter.obstacle
    assert len(letter.cause.id) == 8


@pytest.mark.parametrize(
    "payload",
    [DEEP, "[" * 100_000, "1" * 5_000, '"\\ud800"', '{"a": 1, "a": 2}', "NaN"],
    ids=lambda text: text[:8],
)
def test_a_record_of_any_payload_can_be_read(payload: str) -> None:
    record = f'{{"requestContext": {{"functionArn": "{FUNCTION}"}}, "requestPayload": {payload}}}'
    letter = read({"MessageId": "m", "Body": record, "Attributes": {"SentTimestamp": "0"}})
    assert letter.first_seen == datetime(1970, 1, 1, tzinfo=UTC)
    assert letter.origin in ("", FUNCTION)
    assert letter.origin or letter.body == record
