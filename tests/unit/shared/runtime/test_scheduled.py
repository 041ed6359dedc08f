import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.conftest import Context

from fleet import aws, secrets
from fleet.errors import Transient
from fleet.events import shape
from fleet.findings import Finding
from fleet.runtime.scheduled import SCHEDULED_TIME, Run, scheduled, scheduled_time

Published = Callable[[], list[dict[str, Any]]]
EVENT = {"scheduled_at": "2026-11-20T08:00:00Z"}
DUE = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "watch_things")


def test_a_run_publishes_what_it_found_as_a_job_report(context: Context, published: Published) -> None:
    @scheduled
    def handler(run: Run) -> Iterator[Finding]:
        yield Finding("b", "b is wrong")
        yield Finding("a", f"a is wrong at {run.scheduled_at:%H:%M}")

    answer = handler(EVENT, context)
    (event,) = published()
    assert (event["source"], event["detail-type"], event["time"]) == ("fleet", "Job Report", "2026-11-20T08:00:00Z")
    assert (event["detail"]["job"], event["detail"]["scheduled_at"]) == ("watch_things", "2026-11-20T08:00:00+00:00")
    assert [f["title"] for f in event["detail"]["findings"]] == ["a is wrong at 08:00", "b is wrong"]
    assert answer == {"job": "watch_things", "scheduled_at": "2026-11-20T08:00:00+00:00", "findings": 2, "reports": 1}


def test_a_run_that_finds_nothing_says_so(context: Context, published: Published) -> None:
    scheduled(lambda _: [])(EVENT, context)
    (event,) = published()
    assert (event["detail"]["findings"], event["detail"]["after"], event["detail"]["through"]) == ([], None, None)


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
def test_no_secret_is_in_what_is_published(secret: str, context: Context, published: Published) -> None:
    secrets._fetched.add(secret)
    found = [Finding(f"a {secret}", f"wrong: {secret}", detail={"error": f"refused {secret}!"})]
    scheduled(lambda _: found)(EVENT, context)
    (event,) = published()
    (finding,) = event["detail"]["findings"]
    assert (finding["subject"], finding["title"]) == ("a [secret]", "wrong: [secret]")
    assert finding["detail"] == {"error": "refused [secret]!"}


def many(_: Run) -> Iterable[Finding]:
    return (Finding(f"{number:04}", "wrong", detail={"fact": "x" * 2_000}) for number in range(200))


def test_a_run_that_finds_too_much_for_one_event_publishes_several(context: Context, published: Published) -> None:
    answer = scheduled(many)(EVENT, context)
    details = [event["detail"] for event in published()]
    assert [f["subject"] for detail in details for f in detail["findings"]] == [f"{number:04}" for number in range(200)]
    assert answer["reports"] == len(details) > 1
    assert [detail["after"] for detail in details] == [None, *(detail["through"] for detail in details[:-1])]
    assert details[-1]["through"] is None


@pytest.mark.usefixtures("moto")
def test_a_report_that_eventbridge_does_not_take_fails_the_run(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = aws.client("events")
    refusal = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}]}
    monkeypatch.setattr(events, "put_events", lambda **_: refusal)
    with pytest.raises(Transient, match="EventBridge did not take the report: InternalFailure try again"):
        scheduled(lambda _: [])(EVENT, context)


@pytest.mark.usefixtures("moto")
def test_no_report_exceeds_what_putevents_takes(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def put_events(Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - botocore's name
        sizes.append(
            14 + sum(len(str(e[name]).encode()) for e in Entries for name in ("Source", "DetailType", "Detail"))
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
    "event", [{}, None, {"scheduled_at": SCHEDULED_TIME}], ids=["empty", "no event", "keyword as it stands"]
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
    assert str(raised.value) == f'expected {{}} or {{"scheduled_at": "2026-11-21T09:00:00Z"}}, got {shape(event)}'


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
    with pytest.raises(ValueError, match="scheduled_at must be a time such as 2026-11-21T09:00:00Z, got"):
        scheduled_time({"scheduled_at": value})


@pytest.mark.parametrize("event", [{"scheduled_at": "today"}, {"Records": [1]}], ids=["time", "another event"])
def test_a_run_with_a_malformed_event_looks_at_nothing(event: Any, context: Context, published: Published) -> None:
    def look(_: Run) -> list[Finding]:
        pytest.fail("looked")

    with pytest.raises(ValueError, match="scheduled_at"):
        scheduled(look)(event, context)
    assert published() == []
