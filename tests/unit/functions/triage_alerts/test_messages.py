import json
import math
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.unit.functions.triage_alerts import payloads

from fleet.alerts import KEY_CHARACTERS, Observation, Status
from fleet.findings import (
    FACT_CHARACTERS,
    LINK_CHARACTERS,
    SUBJECT_CHARACTERS,
    TITLE_CHARACTERS,
    Severity,
)
from fleet_triage import sources
from fleet_triage.messages import from_message

NOW = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
ALARM = payloads.document("cloudwatch/sns_raw_delivery")
GUARDDUTY = payloads.document("guardduty/high")

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
# What turns up where something else is expected.
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**400, math.nan, math.inf),
    *("", " ", "text", "\ud800", "\x1b[31m\u202e", "x" * 5_000),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"),
    *([], {}, [[]], [None], {"a": {}}, ["x"], [{"x": 1}]),
)


def in_sns(message: Any, **changes: Any) -> dict[str, Any]:
    written = message if isinstance(message, str) else json.dumps(message)
    return {
        "Type": "Notification",
        "MessageId": "n1",
        "TopicArn": TOPIC,
        "Message": written,
        **changes,
    }


def one(body: Any) -> Observation:
    (observation,) = from_message(body, now=NOW)
    return observation


def sound(observations: list[Observation]) -> None:
    """Hold observations to what the ledger and the sinks rely on."""
    for observation in observations:
        written = json.dumps(dict(observation.detail), allow_nan=False, ensure_ascii=False)
        written += observation.subject + observation.title + observation.event_id
        assert written.encode(), "lone surrogates cannot be stored"
        assert not set(written) & {"\x1b", "\x00", "\u202e"}
        assert 0 < len(observation.source) <= 64
        assert 0 < len(observation.subject) <= SUBJECT_CHARACTERS
        assert 0 < len(observation.title) <= TITLE_CHARACTERS
        assert "\n" not in observation.subject + observation.title
        assert 0 < len(observation.event_id) <= SUBJECT_CHARACTERS
        assert len(observation.dedup_key) <= KEY_CHARACTERS
        assert all(
            len(fact) <= FACT_CHARACTERS
            for fact in observation.detail.values()
            if isinstance(fact, str)
        )
        assert observation.at.utcoffset() == timedelta(0)
        assert observation.at <= NOW + timedelta(hours=1)
        assert isinstance(observation.status, Status)
        assert isinstance(observation.severity, Severity)
        assert len(observation.link) <= LINK_CHARACTERS
        assert observation.link == "" or observation.link.startswith("https://")
        assert "not understood" not in observation.detail, "a source raised"


@given(JSON | st.binary() | st.text())
@example(10**5000)
@example("[" * 100_000)
@example('{"a":' * 100_000)
@example({"Records": [{"Records": [{}]}, None, 1, {"eventSource": "aws:sqs", "body": None}]})
@example({"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": {}})
@example({"source": "x" * 400, "detail-type": "é" * 3_000, "detail": {}})
def test_no_message_makes_it_raise(body: Any) -> None:
    sound(from_message(body, now=NOW))
    if not isinstance(body, bytes):
        sound(from_message(in_sns(body if isinstance(body, str) else "x"), now=NOW))


@settings(max_examples=200)
@given(st.data())
def test_no_field_of_a_known_message_can_make_it_raise(data: st.DataObject) -> None:
    body = json.loads(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        spoil(body, data)
    sound(from_message(body, now=NOW))
    if isinstance(body, dict) and isinstance(body.get("Message"), str):
        body["Message"] = spoilt_text(body["Message"], data)
        sound(from_message(body, now=NOW))


DOCUMENTS = [path.read_text() for path in payloads.FILES if path.suffix == ".json"]


def spoil(document: Any, data: st.DataObject) -> None:
    """Drop or replace a value somewhere inside."""
    places = list(inside(document))
    if places:
        holder, key = data.draw(st.sampled_from(places))
        if data.draw(st.booleans()) and isinstance(holder, dict):
            holder.pop(key, None)
        else:
            holder[key] = deepcopy(data.draw(st.sampled_from(ODD) | JSON))


def spoilt_text(written: str, data: st.DataObject) -> str:
    try:
        document = json.loads(written)
    except ValueError:
        return written[: data.draw(st.integers(0, len(written)))]
    spoil(document, data)
    return json.dumps(document)


def inside(document: Any) -> list[tuple[Any, Any]]:
    pairs = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    return [place for key, value in list(pairs) for place in ((document, key), *inside(value))]


def test_every_field_may_be_missing_or_of_any_other_kind() -> None:
    odds: tuple[Any, ...] = (..., None, 7, "odd", [], {})
    for written in DOCUMENTS:
        for number in range(len(inside(json.loads(written)))):
            for odd in odds:
                body = json.loads(written)
                holder, key = inside(body)[number]
                if odd is not ...:
                    holder[key] = odd
                elif isinstance(holder, dict):
                    del holder[key]
                sound(from_message(body, now=NOW))


SAMPLES = sorted(
    Path(__file__)
    .parents[4]
    .glob(
        ".venv/sam/lib/python3*/site-packages/samcli/lib/generated_sample_events/events/**/*.json"
    )
)


@pytest.mark.skipif(not SAMPLES, reason="aws-sam-cli is not installed")
def test_the_samples_of_aws_sam_cli_are_shown() -> None:
    for path in SAMPLES:
        observations = from_message(path.read_text(), now=NOW)
        assert observations, path
        sound(observations)


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda event: event, id="decoded"),
        pytest.param(json.dumps, id="text"),
        pytest.param(lambda event: json.dumps(event).encode(), id="bytes"),
        pytest.param(in_sns, id="SNS"),
        pytest.param(lambda event: in_sns(in_sns(event)), id="SNS in SNS"),
        pytest.param(
            lambda event: {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(event)}]},
            id="SQS",
        ),
        pytest.param(
            lambda event: {"Records": [{"EventSource": "aws:sns", "Sns": in_sns(event)}]},
            id="SNS to a function",
        ),
    ],
)
def test_no_envelope_changes_what_is_observed(wrap: Callable[[Any], Any]) -> None:
    assert from_message(wrap(GUARDDUTY), now=NOW) == from_message(GUARDDUTY, now=NOW)


def test_the_same_message_gives_the_same_whenever_it_comes() -> None:
    for path in payloads.FILES:
        first, second = (
            from_message(path.read_text(), now=NOW + timedelta(days=days)) for days in (0, 3)
        )
        assert [(one.subject, one.event_id) for one in first] == [
            (one.subject, one.event_id) for one in second
        ]


def test_messages_of_a_topic_are_told_apart_and_copies_are_not() -> None:
    ids = [one(in_sns("disk full", MessageId=number)).event_id for number in ("n1", "n1", "n2")]
    assert ids == ["n1", "n1", "n2"]


def test_a_bare_text_is_told_from_another() -> None:
    first, copy, other = (one(text) for text in ("disk full", "disk full", "disk empty"))
    assert first == copy
    assert first.event_id != other.event_id


def test_an_unheard_event_shows_what_it_says() -> None:
    observation = one(payloads.document("generic/unknown_event"))
    assert observation.detail == {
        "message": '{"job_id": "1", "status": "Failed"}',
        "account": "123456789012",
    }


@pytest.mark.parametrize(
    "body",
    ["x" * 300_000, in_sns({"a": "x" * 300_000}), {"a": "x" * 300_000}],
    ids=["text", "SNS", "JSON"],
)
def test_a_long_message_is_cut_and_says_so(body: Any) -> None:
    assert "cut from 300" in str(one(body).detail["message"])


@pytest.mark.parametrize(
    "text", ['the "text" is: x', 'text: {"AlarmName": 1}', '"text"', "Budget Name is no line"]
)
def test_plain_text_that_names_what_others_are_told_by_is_plain_text(text: str) -> None:
    for body in (text, in_sns(text)):
        observation = one(body)
        assert (observation.status, observation.severity) == (Status.OCCURRED, Severity.INFO)
        assert str(observation.detail["message"]).strip('"') == text.strip('"')


def test_every_finding_of_a_batch_and_every_record_is_observed() -> None:
    assert len(from_message(payloads.text("securityhub/batch"))) == 4
    assert (
        len(from_message({"Records": [{"EventSource": "aws:sns", "Sns": in_sns(ALARM)}] * 3})) == 3
    )


def test_a_record_that_nobody_knows_hides_no_other() -> None:
    observed = from_message(payloads.text("generic/sqs_records"), now=NOW)
    assert [observation.source for observation in observed] == [
        "aws.cloudwatch",
        "aws.sns",
        "aws.guardduty",
        "aws.sns",
    ]


def test_a_source_that_fails_is_said_and_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(event: Any) -> None:
        raise KeyError("detail")

    monkeypatch.setitem(sources.EVENTS, ("aws.guardduty", "GuardDuty Finding"), fail)
    bodies = [
        {"eventSource": "aws:sqs", "body": json.dumps(event)}
        for event in (GUARDDUTY, in_sns(ALARM))
    ]
    failed, alarm = from_message({"Records": bodies}, now=NOW)
    assert failed.detail["not understood"] == "KeyError: 'detail'"
    assert "talks to Tor" in str(failed.detail["message"])
    assert alarm.source == "aws.cloudwatch"


@pytest.mark.parametrize(
    ("time", "at"),
    [
        pytest.param("2026-11-20T01:00:00Z", datetime(2026, 11, 20, 1, tzinfo=UTC), id="UTC"),
        pytest.param("2026-11-20T01:00:00", datetime(2026, 11, 20, 1, tzinfo=UTC), id="no zone"),
        pytest.param(
            "2026-11-20T01:00:00+09:00", datetime(2026, 11, 19, 16, tzinfo=UTC), id="another zone"
        ),
        pytest.param(
            "2026-11-20T03:00:00Z",
            datetime(2026, 11, 20, 3, tzinfo=UTC),
            id="a clock that is ahead",
        ),
        pytest.param("2027-01-01T00:00:00Z", NOW, id="the future"),
        pytest.param("soon", NOW, id="no time"),
        pytest.param(None, NOW, id="none"),
    ],
)
def test_the_time_is_the_messages_own(time: Any, at: datetime) -> None:
    assert one({**GUARDDUTY, "time": time}).at == at


def test_text_is_rid_of_what_controls_a_screen_and_nothing_else() -> None:
    observation = one(
        in_sns("<b>a\x1b[31m & \u202eb\u0007\nsecond\x00 line é 🐙", Subject="x\ud83d\n\ty")
    )
    assert observation.title == "x y"
    assert observation.detail["message"] == "<b>a[31m & b\nsecond line é 🐙"


@pytest.mark.parametrize(
    "region", ["evil.example/#", "eu-west-1.evil.example", "", "EU (Ireland)", "..", "a" * 60]
)
def test_a_region_that_is_none_makes_no_link(region: str) -> None:
    for path in payloads.FILES:
        if (
            path.suffix == ".json"
            and isinstance(body := json.loads(path.read_text()), dict)
            and "region" in body
        ):
            body["region"] = region
            for observation in from_message(body, now=NOW):
                host = observation.link.removeprefix("https://").split("/")[0]
                assert host in (
                    "",
                    "eu-west-1.console.aws.amazon.com",
                    "cn-north-1.console.amazonaws.cn",
                ) or (host == "us-gov-west-1.console.amazonaws-us-gov.com")


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("cloudwatch/event_alarm", "eu-west-1.console.aws.amazon.com"),
        ("cloudwatch/event_china", "cn-north-1.console.amazonaws.cn"),
        ("cloudwatch/event_govcloud", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("health/govcloud", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_a_link_leads_to_the_console_of_the_partition(name: str, host: str) -> None:
    assert one(payloads.text(name)).link.startswith(f"https://{host}/")


def test_what_delivers_alerts_does_not_import_their_sources() -> None:
    modules = "'fleet_triage.sources' in sys.modules, 'boto3' in sys.modules"
    code = f"import sys, fleet.alerts; print({modules})"
    path = str(Path(__file__).parents[4] / "shared")
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": path},
        text=True,
        capture_output=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False"]
