import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Context

from fleet import aws, secrets
from fleet.errors import Transient
from fleet.events import shape
from fleet.findings import EVERYTHING, Finding
from fleet.runtime.scheduled import (
    SCHEDULED_TIME,
    Run,
    Scattered,
    divided,
    scatter,
    scheduled,
    scheduled_time,
)

Published = Callable[[], list[dict[str, Any]]]
EVENT = {"scheduled_at": "2026-11-20T08:00:00Z"}
DUE = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "watch_things")


def test_a_run_publishes_what_it_found_as_a_job_report(
    context: Context, published: Published
) -> None:
    @scheduled
    def handler(run: Run) -> Iterator[Finding]:
        yield Finding("b", "b is wrong")
        yield Finding("a", f"a is wrong at {run.scheduled_at:%H:%M}")

    answer = handler(EVENT, context)
    (event,) = published()
    assert (event["source"], event["detail-type"], event["time"]) == (
        "fleet",
        "Job Report",
        "2026-11-20T08:00:00Z",
    )
    assert (event["detail"]["job"], event["detail"]["scheduled_at"]) == (
        "watch_things",
        "2026-11-20T08:00:00+00:00",
    )
    assert [f["title"] for f in event["detail"]["findings"]] == [
        "a is wrong at 08:00",
        "b is wrong",
    ]
    assert answer == {
        "job": "watch_things",
        "scheduled_at": "2026-11-20T08:00:00+00:00",
        "findings": 2,
        "reports": 1,
    }


def test_a_run_that_finds_nothing_says_so(context: Context, published: Published) -> None:
    scheduled(lambda _: [])(EVENT, context)
    (event,) = published()
    assert (event["detail"]["findings"], event["detail"]["after"], event["detail"]["through"]) == (
        [],
        None,
        None,
    )


def test_a_run_gets_its_job_and_its_time(context: Context, published: Published) -> None:
    runs: list[Run] = []

    @scheduled
    def handler(run: Run) -> list[Finding]:
        runs.append(run)
        return []

    handler(EVENT, context)
    assert runs == [Run("watch_things", DUE)]


def test_a_run_that_fails_midway_reports_nothing(context: Context, published: Published) -> None:
    @scheduled
    def handler(_: Run) -> Iterator[Finding]:
        yield Finding("a", "found before the failure")
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError, match="gone"):
        handler(EVENT, context)
    assert published() == []


def test_a_job_that_forgets_to_answer_fails(context: Context, published: Published) -> None:
    def forgetful(_: Run) -> Any:
        return None

    with pytest.raises(TypeError):
        scheduled(forgetful)(EVENT, context)
    assert published() == []


def test_two_findings_of_one_subject_fail_the_run(context: Context, published: Published) -> None:
    with pytest.raises(ValueError, match="share the subject 'a'"):
        scheduled(lambda _: [Finding("a", "x"), Finding("a", "y")])(EVENT, context)
    assert published() == []


@pytest.mark.parametrize("secret", ["s3cr3t", 's3cr3t"\\\n🔑'], ids=["plain", "as JSON writes it"])
def test_no_secret_is_in_what_is_published(
    secret: str, context: Context, published: Published
) -> None:
    secrets._fetched.add(secret)
    found = [Finding(f"a {secret}", f"wrong: {secret}", detail={"error": f"refused {secret}!"})]
    scheduled(lambda _: found)(EVENT, context)
    (event,) = published()
    (finding,) = event["detail"]["findings"]
    assert (finding["subject"], finding["title"]) == ("a [secret]", "wrong: [secret]")
    assert finding["detail"] == {"error": "refused [secret]!"}


def many(_: Run) -> Iterable[Finding]:
    return (Finding(f"{number:04}", "wrong", detail={"fact": "x" * 2_000}) for number in range(200))


def test_a_run_that_finds_too_much_for_one_event_publishes_several(
    context: Context, published: Published
) -> None:
    answer = scheduled(many)(EVENT, context)
    details = [event["detail"] for event in published()]
    assert [f["subject"] for detail in details for f in detail["findings"]] == [
        f"{number:04}" for number in range(200)
    ]
    assert answer["reports"] == len(details) > 1
    assert [detail["after"] for detail in details] == [
        None,
        *(detail["through"] for detail in details[:-1]),
    ]
    assert details[-1]["through"] is None


@pytest.mark.usefixtures("moto")
def test_a_report_that_eventbridge_does_not_take_fails_the_run(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = aws.client("events")
    refusal = {
        "FailedEntryCount": 1,
        "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}],
    }
    monkeypatch.setattr(events, "put_events", lambda **_: refusal)
    with pytest.raises(Transient, match="InternalFailure: try again"):
        scheduled(lambda _: [])(EVENT, context)


@pytest.mark.usefixtures("moto")
def test_no_report_exceeds_what_putevents_takes(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    def put_events(Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - botocore's name
        sizes.append(
            14
            + sum(
                len(str(e[name]).encode())
                for e in Entries
                for name in ("Source", "DetailType", "Detail")
            )
        )
        assert json.loads(Entries[0]["Detail"])["job"] == "watch_things"
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    monkeypatch.setattr(aws.client("events"), "put_events", put_events)
    scheduled(many)(EVENT, context)
    assert len(sizes) > 1
    assert max(sizes) < 256_000


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-20T08:00:00Z", DUE),
        ("2026-11-20T09:00:00+01:00", DUE),
        ("2026-11-20T08:00:00", DUE),
        ("2026-11-20T08:00:00.500Z", DUE + timedelta(milliseconds=500)),
    ],
    ids=["Z", "offset", "naive", "milliseconds"],
)
def test_the_time_of_a_run_is_the_events_in_utc(text: str, time: datetime) -> None:
    read = scheduled_time({"scheduled_at": text})
    assert (read, read.tzinfo) == (time, UTC)


@pytest.mark.parametrize(
    "event",
    [{}, None, {"scheduled_at": SCHEDULED_TIME}],
    ids=["empty", "no event", "keyword as it stands"],
)
def test_an_event_without_a_time_means_now(event: Any) -> None:
    before = datetime.now(UTC)
    assert before <= scheduled_time(event) <= datetime.now(UTC)


@pytest.mark.parametrize(
    "event",
    [
        [],
        [1],
        "",
        "text",
        0,
        7,
        False,
        {"Records": [1]},
        {"scheduledAt": "2026-11-20T08:00:00Z"},
        {"scheduled_at": "2026-11-20T08:00:00Z", "dry_run": True},
    ],
    ids=repr,
)
def test_an_event_of_another_shape_is_refused_and_its_shape_is_said(event: Any) -> None:
    with pytest.raises(ValueError, match="expected") as raised:
        scheduled_time(event)
    assert (
        str(raised.value)
        == f'expected {{}} or {{"scheduled_at": "2026-11-21T09:00:00Z"}}, got {shape(event)}'
    )


def test_a_long_event_is_shown_in_part() -> None:
    with pytest.raises(ValueError, match="got ") as raised:
        scheduled_time({"Records": ["x" * 100_000]})
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    "value",
    ["", "today", "2026-13-01T00:00:00Z", "20 Nov 2026", 1795139674, ["2026-11-20"], None],
    ids=repr,
)
def test_a_time_that_cannot_be_read_is_refused(value: Any) -> None:
    with pytest.raises(
        ValueError, match="scheduled_at must be a time such as 2026-11-21T09:00:00Z, got"
    ):
        scheduled_time({"scheduled_at": value})


@pytest.mark.parametrize(
    "event", [{"scheduled_at": "today"}, {"Records": [1]}], ids=["time", "another event"]
)
def test_a_run_with_a_malformed_event_looks_at_nothing(
    event: Any, context: Context, published: Published
) -> None:
    def look(_: Run) -> list[Finding]:
        pytest.fail("looked")

    with pytest.raises(ValueError, match="scheduled_at"):
        scheduled(look)(event, context)
    assert published() == []


SUBJECTS = st.text("abc", min_size=1, max_size=3)


@given(st.sets(SUBJECTS), st.integers(1, 5), SUBJECTS)
def test_a_divided_range_holds_every_subject_once(
    subjects: set[str], most: int, other: str
) -> None:
    ranges = divided(EVERYTHING, subjects, most)
    assert [sum(subject in each for each in ranges) for subject in (*subjects, other)] == [1] * (
        len(subjects) + 1
    )
    assert all(sum(subject in each for subject in subjects) <= most for each in ranges)
    assert len(ranges) == max(1, math.ceil(len(subjects) / most))
    assert [each.through for each in ranges[:-1]] == [each.after for each in ranges[1:]]


@given(st.sets(SUBJECTS, min_size=1), st.integers(1, 3), st.data())
def test_a_part_can_be_divided_again(subjects: set[str], most: int, data: st.DataObject) -> None:
    part = data.draw(st.sampled_from(divided(EVERYTHING, subjects, most)))
    within = [subject for subject in subjects if subject in part]
    assert [
        subject
        for each in divided(part, within, 1)
        for subject in sorted(within)
        if subject in each
    ] == sorted(within)


NUMBERS = [f"{number:02}" for number in range(25)]


@pytest.fixture
def queue(moto: None) -> str:
    return aws.client("sqs").create_queue(QueueName="watch_things")["QueueUrl"]


@pytest.fixture
def parts(queue: str) -> Callable[[], list[str]]:
    """Call it to receive the bodies of the parts that were sent."""

    def received() -> list[str]:
        answer = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return sorted(message["Body"] for message in answer.get("Messages", []))

    return received


def scattering(queue: str, most: int) -> Callable[[Any, Any], dict[str, Any]]:
    """A job that finds something wrong with each even number."""

    @scheduled
    def handler(run: Run) -> Iterable[Finding] | Scattered:
        mine = [number for number in NUMBERS if number in run.about]
        if len(mine) > most:
            return scatter(run, queue, mine, most)
        return [Finding(number, "is even") for number in mine if int(number) % 2 == 0]

    return handler


def test_parts_of_a_run_report_all_of_it_whatever_their_order_and_number(
    context: Context,
    queue: str,
    parts: Callable[[], list[str]],
    published: Published,
    sqs_event: Callable[..., Any],
) -> None:
    handler = scattering(queue, 10)
    answer = handler(EVENT, context)
    assert answer == {
        "job": "watch_things",
        "scheduled_at": "2026-11-20T08:00:00+00:00",
        "parts": 3,
    }
    assert published() == []
    sent = parts()
    for batch in ([sent[2], sent[0]], [sent[1]], [sent[2]]):
        assert handler(sqs_event(*batch), context) == {"batchItemFailures": []}
    details = [event["detail"] for event in published()]
    found = [(d["after"], d["through"], [f["subject"] for f in d["findings"]]) for d in details]
    even = NUMBERS[::2]
    assert sorted(found[:3], key=lambda each: each[0] or "") == [
        (None, "09", even[:5]),
        ("09", "19", even[5:10]),
        ("19", None, even[10:]),
    ]
    assert found[3] == next(each for each in found[:3] if each[1] is None or each[0] == found[3][0])
    assert {detail["scheduled_at"] for detail in details} == {"2026-11-20T08:00:00+00:00"}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"scheduled_at": "soon", "after": null, "through": null}',
        '{"scheduled_at": 1}',
    ],
)
def test_what_is_no_part_is_parked(
    body: str, context: Context, queue: str, dead_letters: Any, sqs_event: Callable[..., Any]
) -> None:
    assert scattering(queue, 10)(sqs_event(body), context) == {"batchItemFailures": []}
    (letter,) = dead_letters()
    assert letter["MessageAttributes"]["job"]["StringValue"] == "watch_things"
    assert "part of a run" in letter["MessageAttributes"]["reason"]["StringValue"]


def test_a_part_that_fails_is_tried_again(
    context: Context, queue: str, sqs_event: Callable[..., Any]
) -> None:
    @scheduled
    def handler(_: Run) -> list[Finding]:
        raise ConnectionError("gone")

    event = sqs_event(
        '{"scheduled_at": "2026-11-20T08:00:00+00:00", "after": null, "through": "a"}'
    )
    assert handler(event, context) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


def test_a_run_knows_until_when_it_has_time(context: Context, published: Published) -> None:
    left: list[float] = []

    @scheduled
    def handler(run: Run) -> list[Finding]:
        left.append(run.deadline - time.monotonic())
        return []

    handler(EVENT, context)
    assert 50 < left[0] <= 55
