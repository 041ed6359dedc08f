import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fleet.errors import Permanent
from fleet.events import DEEPEST, Event, moment, shape, unwrap

TOPIC = "arn:aws:sns:eu-west-2:123456789012:alarms"
Json = dict[str, Any]
Wrap = Callable[[Any], Json]


def eventbridge(number: int = 1, **changes: Any) -> Json:
    return {
        "version": "0",
        "id": f"e{number}",
        "detail-type": "ECR Image Action",
        "source": "aws.ecr",
        "account": "123456789012",
        "time": "2026-11-20T01:54:34Z",
        "region": "eu-west-2",
        "resources": ["arn:aws:ecr:eu-west-2:123456789012:repository/web"],
        "detail": {"number": number},
        **changes,
    }


def in_sns(message: Any, **changes: Any) -> Json:
    """SNS's JSON format, as SQS receives it without raw delivery."""
    return {
        "Type": "Notification",
        "MessageId": "n1",
        "TopicArn": TOPIC,
        "Subject": "ALARM: disk",
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-20T01:54:35.000Z",
        **changes,
    }


def in_sns_records(message: Any) -> Json:
    """What SNS hands to a function that subscribes to it."""
    envelope = {name: value for name, value in in_sns(message).items() if name != "Type"}
    return {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": envelope}]}


def in_sqs_records(*bodies: Any) -> Json:
    return {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(body)} for body in bodies]}


def s3_record(key: str = "k", **of_object: Any) -> Json:
    return {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": "2026-11-20T01:54:34.000Z",
        "awsRegion": "eu-west-2",
        "s3": {
            "bucket": {"name": "reports", "arn": "arn:aws:s3:::reports"},
            "object": {"key": key, "size": 5, "eTag": "d41d", "sequencer": "00", **of_object},
        },
    }


def s3(*keys: str) -> Json:
    return {"Records": [s3_record(key) for key in keys]}


def unwrapped(body: str | Json) -> list[Event]:
    return list(unwrap(body))


def key_of(event: Event) -> str:
    return str(event.detail["object"]["key"])


def test_an_eventbridge_event_keeps_its_facts() -> None:
    assert unwrapped(json.dumps(eventbridge())) == [
        Event(
            source="aws.ecr",
            type="ECR Image Action",
            id="e1",
            account="123456789012",
            region="eu-west-2",
            time="2026-11-20T01:54:34Z",
            resources=("arn:aws:ecr:eu-west-2:123456789012:repository/web",),
            detail={"number": 1},
        )
    ]


def test_an_eventbridge_event_may_lack_all_but_what_names_it() -> None:
    assert unwrapped({"source": "fleet", "detail-type": "Start Pipeline", "detail": {}}) == [
        Event(source="fleet", type="Start Pipeline", id="")
    ]


def test_what_is_no_text_is_missing() -> None:
    odd: Json = {
        "id": None,
        "account": 123456789012,
        "time": [],
        "region": {},
        "resources": [None, "arn:aws:s3:::a", 1],
    }
    assert list(unwrap(eventbridge(**odd))) == [
        Event(
            source="aws.ecr",
            type="ECR Image Action",
            id="",
            resources=("arn:aws:s3:::a",),
            detail={"number": 1},
        )
    ]


def test_a_decoded_body_is_taken_as_its_text_is() -> None:
    assert unwrapped(in_sns(eventbridge())) == unwrapped(json.dumps(in_sns(eventbridge())))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(eventbridge(), id="raw delivery"),
        pytest.param(in_sns(eventbridge()), id="SNS"),
        pytest.param(in_sns_records(eventbridge()), id="SNS records"),
        pytest.param(in_sqs_records(eventbridge()), id="SQS records"),
        pytest.param(in_sqs_records(in_sns(eventbridge())), id="SNS in SQS records"),
        pytest.param(in_sns(in_sns(eventbridge())), id="SNS in SNS"),
    ],
)
def test_no_envelope_changes_the_event_inside(body: Json) -> None:
    assert unwrapped(json.dumps(body)) == unwrapped(eventbridge())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(s3("a", "b", "c"), id="raw delivery"),
        pytest.param(in_sns(s3("a", "b", "c")), id="SNS"),
        pytest.param(in_sqs_records(in_sns(s3("a", "b")), s3("c")), id="some in SNS in SQS"),
    ],
)
def test_every_s3_record_is_an_event(body: Json) -> None:
    assert [key_of(event) for event in unwrapped(json.dumps(body))] == ["a", "b", "c"]


def test_an_s3_record_reads_like_s3s_event_in_eventbridge() -> None:
    record = s3_record("a+b.csv", versionId="v7", sequencer="0055AED6DCD90281E5")
    assert unwrapped({"Records": [record]}) == [
        Event(
            source="aws.s3",
            type="ObjectCreated:Put",
            id="reports/a b.csv/v7/ObjectCreated:Put/0055AED6DCD90281E5",
            region="eu-west-2",
            time="2026-11-20T01:54:34.000Z",
            resources=("arn:aws:s3:::reports",),
            detail={
                "bucket": {"name": "reports"},
                "object": {
                    "key": "a b.csv",
                    "size": 5,
                    "etag": "d41d",
                    "version-id": "v7",
                    "sequencer": "0055AED6DCD90281E5",
                },
            },
        )
    ]


def test_an_s3_record_bears_the_same_id_when_it_comes_again_and_another_for_the_next_write() -> (
    None
):
    first, again, later = (
        unwrapped({"Records": [s3_record("k", sequencer=sequencer)]})[0].id
        for sequencer in ("01", "01", "02")
    )
    assert first == again != later


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("my+report.csv", "my report.csv"),
        ("a%2Bb", "a+b"),
        ("caf%C3%A9/%F0%9F%9A%80", "café/🚀"),
        ("100%25", "100%"),
        ("line%0Abreak", "line\nbreak"),
        ("a/b/c", "a/b/c"),
    ],
)
def test_s3s_own_notifications_encode_their_keys(written: str, key: str) -> None:
    assert key_of(unwrapped(s3(written))[0]) == key


@pytest.mark.parametrize("key", ["my+report.csv", "a%2Bb", "café 🚀"])
def test_s3_events_of_eventbridge_do_not_encode_their_keys(key: str) -> None:
    event = eventbridge(
        source="aws.s3", detail={"bucket": {"name": "reports"}, "object": {"key": key}}
    )
    assert key_of(unwrapped(in_sns(event))[0]) == key


@pytest.mark.parametrize(
    "wrap", [dict, in_sns, in_sqs_records], ids=["raw delivery", "SNS", "SQS records"]
)
def test_s3s_test_message_holds_no_event(wrap: Callable[[Json], Json]) -> None:
    message = {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Bucket": "reports",
        "RequestId": "5582815E1AEA5ADF",
    }
    assert unwrapped(json.dumps(wrap(message))) == []


@pytest.mark.parametrize(
    ("message", "content"),
    [
        pytest.param("disk full on web-1", "disk full on web-1", id="plain text"),
        pytest.param("", "", id="empty"),
        pytest.param('{"AlarmName": "disk"}', {"AlarmName": "disk"}, id="JSON that is no event"),
        pytest.param("[1, 2]", [1, 2], id="JSON list"),
        pytest.param("[" * 5_000, "[" * 5_000, id="JSON too deep to read"),
        pytest.param('{"Record": [7]}', {"Record": [7]}, id="JSON that is nearly records"),
    ],
)
def test_an_sns_message_that_is_no_event_is_a_notification(message: str, content: Any) -> None:
    assert unwrapped(in_sns(message)) == [
        Event(
            source="aws.sns",
            type="Notification",
            id="n1",
            account="123456789012",
            region="eu-west-2",
            time="2026-11-20T01:54:35.000Z",
            resources=(TOPIC,),
            detail={"message": content, "subject": "ALARM: disk", "topic": TOPIC},
        )
    ]


def test_a_notification_need_not_have_a_subject() -> None:
    assert unwrapped(in_sns("hello", Subject=None))[0].detail["subject"] == ""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("", "not JSON", id="empty"),
        pytest.param("hello", "not JSON .*: text of 5 characters", id="plain text"),
        pytest.param('{"detail-type": ', "not JSON", id="torn JSON"),
        pytest.param(
            "9" * 5_000, "not JSON .*: text of 5000 characters", id="a number too long to read"
        ),
        pytest.param("[" * 100_000, "not JSON", id="lists too deep to read"),
        pytest.param(
            "5", "not an EventBridge, SNS, S3 or SQS event: value of type int", id="number"
        ),
        pytest.param("null", "not an EventBridge", id="null"),
        pytest.param('"text"', "not an EventBridge", id="text"),
        pytest.param("[]", "not an EventBridge", id="list"),
        pytest.param("{}", "not an EventBridge", id="mapping"),
        pytest.param(
            '{"detail-type": "x", "source": "y", "detail": "z"}',
            "not an EventBridge",
            id="detail is text",
        ),
        pytest.param(
            '{"Records": [{"eventSource": "aws:s3"}]}',
            "not an S3, SNS or SQS record",
            id="S3 without object",
        ),
        pytest.param(
            '{"Records": [7]}',
            "not an S3, SNS or SQS record: value of type int",
            id="record is a number",
        ),
        pytest.param(
            '{"Records": [{"eventSource": "aws:sqs", "body": "x"}]}',
            "not JSON",
            id="SQS body not JSON",
        ),
        pytest.param(
            '{"Records": [{"EventSource": "aws:sns", "Sns": {}}]}',
            "not an EventBridge",
            id="SNS without message",
        ),
    ],
)
def test_a_body_that_holds_no_event_is_permanent_and_its_shape_is_said(
    body: str, message: str
) -> None:
    with pytest.raises(Permanent, match=message):
        unwrapped(body)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("a secret", "text of 8 characters"),
        ({"b": "a secret", "a": 1}, "object with keys a, b"),
        ({}, "object without keys"),
        ({"a" * 300: 1}, f"object with keys {'a' * 200}"),
        (["a secret"], "value of type list"),
    ],
)
def test_a_shape_says_nothing_of_what_a_value_holds(value: object, said: str) -> None:
    assert shape(value) == said


@pytest.mark.parametrize("wrap", [dict, in_sns, in_sns_records, in_sqs_records])
def test_what_stands_beside_malformed_records_comes_out_before_they_are_permanent(
    wrap: Wrap,
) -> None:
    body = {
        "Records": [s3_record("a"), 7, s3_record("b"), {"eventSource": "aws:s3"}, s3_record("c")]
    }
    found: list[Event] = []
    with pytest.raises(
        Permanent,
        match=r"SQS record: value of type int; .* SQS record: object with keys eventSource",
    ):
        found.extend(unwrap(json.dumps(wrap(body))))
    assert [key_of(event) for event in found] == ["a", "b", "c"]


def test_envelopes_beside_a_malformed_one_are_opened() -> None:
    body = in_sqs_records(eventbridge(1), in_sns(s3("a")), {"Records": [7]}, in_sns("hello"))
    found: list[Event] = []
    with pytest.raises(Permanent, match="not an S3, SNS or SQS record: value of type int"):
        found.extend(unwrap(body))
    assert [event.type for event in found] == [
        "ECR Image Action",
        "ObjectCreated:Put",
        "Notification",
    ]


@pytest.mark.parametrize("wrap", [in_sns, in_sns_records])
def test_malformed_records_are_no_notification(wrap: Wrap) -> None:
    with pytest.raises(Permanent, match="not an S3, SNS or SQS record"):
        unwrapped(wrap({"Records": [{"eventSource": "aws:s3"}]}))


def test_events_come_out_one_by_one() -> None:
    events = unwrap({"Records": [s3_record("a"), 7]})
    assert key_of(next(events)) == "a"
    with pytest.raises(Permanent):
        next(events)


def test_a_long_body_is_shown_in_part() -> None:
    with pytest.raises(Permanent) as raised:
        unwrapped("x" * 100_000)
    assert len(str(raised.value)) < 500


def nested(levels: int) -> Json:
    body: Json = eventbridge()
    for _ in range(levels):
        body = {"Records": [{"eventSource": "aws:sqs", "body": json.dumps(body)}]}
    return body


def test_envelopes_may_nest_only_so_deep() -> None:
    assert unwrapped(nested(DEEPEST - 1)) == unwrapped(eventbridge())
    for too_deep in (nested(DEEPEST), in_sns(nested(DEEPEST - 1))):
        with pytest.raises(Permanent, match=f"nests more than {DEEPEST} envelopes"):
            unwrapped(too_deep)


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(
            '{"detail-type": "x", "source": "y", "detail": {}, "resources": %s}', id="resources"
        ),
        pytest.param('{"detail-type": "x", "source": "y", "detail": {}, "id": %s}', id="id"),
        pytest.param('{"Records": [{"eventSource": %s}]}', id="record"),
        pytest.param("%s", id="body"),
    ],
)
def test_no_depth_of_lists_breaks_out(shape: str) -> None:
    for depth in (*range(850, 1_050), 20_000, 200_000):
        try:
            unwrapped(shape % ("[" * depth + "]" * depth))
        except Permanent:
            continue


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Records", "Message", "detail", "s3", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def distorted(shape: Json) -> st.SearchStrategy[Json]:
    """The shape with one field missing, or holding anything at all."""
    names = st.sampled_from(sorted(shape))
    missing = names.map(
        lambda missing: {name: value for name, value in shape.items() if name != missing}
    )
    return missing | st.builds(lambda name, value: {**shape, name: value}, names, anything)


almost_events = (
    distorted(eventbridge())
    | distorted(in_sns(eventbridge()))
    | st.builds(lambda *records: {"Records": list(records)}, distorted(s3_record()), anything)
    | distorted(s3_record()).map(lambda record: {"Records": [record]})
    | distorted(s3_record()["s3"]).map(lambda part: {"Records": [{**s3_record(), "s3": part}]})
    | distorted(s3_record()["s3"]["object"]).map(
        lambda part: {
            "Records": [{**s3_record(), "s3": {"bucket": {"name": "reports"}, "object": part}}]
        }
    )
    | distorted(in_sns("x")).map(lambda sns: {"Records": [{"EventSource": "aws:sns", "Sns": sns}]})
)


@settings(max_examples=1_000)
@example(json.dumps(eventbridge(resources=7)))
@given(st.text() | anything.map(json.dumps) | almost_events.map(json.dumps))
def test_any_body_gives_events_or_is_permanent(body: str) -> None:
    try:
        events = unwrapped(body)
    except Permanent:
        return
    assert all(isinstance(event, Event) for event in events)


wraps: list[Wrap] = [in_sns, in_sns_records, in_sqs_records]


@given(st.lists(st.tuples(st.integers(), st.lists(st.sampled_from(wraps), max_size=3))))
def test_whatever_wraps_n_events_they_come_out_in_order(
    wrapped: list[tuple[int, list[Wrap]]],
) -> None:
    bodies = []
    for number, around in wrapped:
        body = eventbridge(number)
        for wrap in around:
            body = wrap(body)
        bodies.append(body)
    expected = [unwrapped(eventbridge(number))[0] for number, _ in wrapped]
    assert unwrapped(json.dumps(in_sqs_records(*bodies))) == expected


def test_an_id_that_cannot_be_written_is_none() -> None:
    body = json.dumps({"source": "fleet", "detail-type": "Alert", "detail": {}, "id": "e\ud800"})
    assert [event.id for event in unwrap(body)] == [""]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-20T08:00:00Z", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T09:00:00+01:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20T08:00:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("0001-01-01T00:00:00+01:00", None),
        ("<aws.scheduler.scheduled-time>", None),
        ("", None),
        (None, None),
        (1795139674, None),
    ],
)
def test_a_moment_is_an_iso_time_in_utc(text: object, time: datetime | None) -> None:
    assert moment(text) == time
