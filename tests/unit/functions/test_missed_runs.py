import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
from functions.missed_runs import app
from functions.missed_runs.app import Settings, Watched, describe, handler, missed
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import Context
from tools.sandbox import ACCOUNT, REGION

from fleet import aws
from fleet.findings import Finding, Report
from fleet.ledger.reports import Reports
from fleet.ledger.table import Table
from fleet.schedules import Schedule
from fleet.settings import SettingsError, load
from fleet_triage.coverage import announce

EVENT = json.loads((Path(__file__).parents[2] / "events" / "missed_runs.json").read_text())
NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)  # a Friday
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
GRACE = timedelta(minutes=15)
SECOND = timedelta(seconds=1)
Published = Callable[[], list[dict[str, Any]]]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def watched(
    expression: str,
    last_report: str = "",
    changed: datetime = LONG_AGO,
    zone: str = "UTC",
    **bounds: Any,
) -> Watched:
    schedule = Schedule(expression, zone, **bounds)
    return Watched("web", "web", schedule, changed, at(last_report) if last_report else None)


@pytest.mark.parametrize(
    ("job", "second"),
    [
        pytest.param(
            watched("rate(15 minutes)", "2026-11-20T05:00:07"), "2026-11-20T05:30:07", id="rate"
        ),
        pytest.param(
            watched("cron(0 8,20 ? * MON-FRI *)", "2026-11-13T20:00"),
            "2026-11-16T20:00",
            id="weekend",
        ),
        pytest.param(
            watched("cron(0 8,20 ? * MON-FRI *)", "2026-11-13T14:00"),
            "2026-11-16T08:00",
            id="run by hand",
        ),
        pytest.param(
            watched("cron(0 8 1 * ? *)", "2026-09-01T08:00"), "2026-11-01T08:00", id="monthly"
        ),
        pytest.param(
            watched("cron(0 3 ? * 2#1 *)", "2026-09-07T03:00"),
            "2026-11-02T03:00",
            id="first Mondays",
        ),
        pytest.param(
            watched("cron(30 2 * * ? *)", "2026-10-23T00:30", zone="Europe/Berlin"),
            "2026-10-25T00:30",
            id="hour twice",
        ),
        pytest.param(
            watched("cron(30 2 * * ? *)", "2026-03-27T01:30", zone="Europe/Berlin"),
            "2026-03-30T00:30",
            id="hour skipped",
        ),
        pytest.param(watched("rate(1 day)"), "2026-01-03T00:00", id="never reported"),
        pytest.param(
            watched("cron(0 8 * * ? *)", changed=at("2026-11-15T08:00")),
            "2026-11-17T08:00",
            id="made a while ago",
        ),
        pytest.param(
            watched("cron(0 8 * * ? *)", "2026-11-01T08:00", changed=at("2026-11-15T08:00:01")),
            "2026-11-17T08:00",
            id="changed since its last report",
        ),
        pytest.param(
            watched("cron(0 8 * * ? *)", start=at("2026-11-10T08:00")),
            "2026-11-11T08:00",
            id="not before its start",
        ),
        pytest.param(watched("at(2026-11-19T08:00:00)"), "2026-11-19T08:00", id="runs once"),
        pytest.param(
            watched("cron(0 8 * * ? *)", "2026-11-09T08:00", end=at("2026-11-10T09:00")),
            "2026-11-10T08:00",
            id="last run",
        ),
        pytest.param(
            watched("rate(1 hour)", "2026-11-20T01:00", window=timedelta(minutes=30)),
            "2026-11-20T03:30",
            id="window",
        ),
    ],
)
def test_a_job_is_silent_once_its_second_run_and_the_grace_have_passed(
    job: Watched, second: str
) -> None:
    assert missed(job, at(second) + GRACE, GRACE)
    assert not missed(job, at(second) + GRACE - SECOND, GRACE)


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(watched("rate(1 day)", "2026-11-19T06:00"), id="reported"),
        pytest.param(
            watched("rate(15 minutes)", changed=NOW - timedelta(minutes=30)), id="just made"
        ),
        pytest.param(
            watched("rate(1 hour)", "2026-01-01T00:00", changed=NOW - timedelta(hours=1)),
            id="just changed",
        ),
        pytest.param(
            watched("cron(0 8 * * ? *)", start=NOW + timedelta(days=1)), id="begins later"
        ),
        pytest.param(
            watched("rate(1 day)", end=LONG_AGO - SECOND), id="ended before it was changed"
        ),
        pytest.param(watched("at(2026-11-19T08:00:00)", "2026-11-19T08:00:00"), id="ran once"),
        pytest.param(watched("at(2027-01-01T08:00:00)"), id="runs once, later"),
        pytest.param(
            watched("rate(1 hour)", "2027-01-01T00:00"), id="reported by a clock that is ahead"
        ),
    ],
)
def test_a_job_owes_nothing(job: Watched) -> None:
    assert missed(job, NOW, GRACE) == []


@given(
    st.sampled_from(
        [
            "rate(7 minutes)",
            "cron(0 8,20 ? * MON-FRI *)",
            "cron(0/15 1-3 * * ? *)",
            "cron(30 2 L * ? *)",
        ]
    ),
    st.sampled_from(["UTC", "Europe/Berlin"]),
    st.integers(0, 400 * 86_400),
    st.integers(0, 60 * 86_400),
)
def test_a_job_is_silent_when_two_runs_or_more_are_owed(
    expression: str, zone: str, begin: int, later: int
) -> None:
    reported = LONG_AGO + timedelta(seconds=begin)
    now = reported + timedelta(seconds=later)
    due = _until(Schedule(expression, zone), reported, now - GRACE)

    job = Watched("web", "web", Schedule(expression, zone), LONG_AGO, reported)

    assert bool(missed(job, now, GRACE)) == (len(due) >= 2)


def _until(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    found: list[datetime] = []
    for time in schedule.due(after):
        if time > until or len(found) > 2:
            break
        found.append(time)
    return found


def test_a_finding_says_what_was_due_and_where_to_look() -> None:
    job = watched("cron(0 8,20 * * ? *)", "2026-11-18T08:00", zone="Europe/Berlin")

    assert describe(job, missed(job, NOW, GRACE), "/fleet/fleet-test") == Finding(
        subject="web",
        title="web has not reported since 2026-11-18 08:00 UTC",
        detail={
            "last report": "2026-11-18 08:00 UTC",
            "missed runs": "2026-11-18 19:00 UTC and 2026-11-19 07:00 UTC",
            "schedule": "cron(0 8,20 * * ? *) Europe/Berlin",
            "if its log shows these runs": "they failed: see the log, and the dead letters",
            "if its log shows none": "they never began: see Scheduler's reason in a dead letter",
            "log": "aws logs tail /fleet/fleet-test --since 2026-11-18T19:00:00Z"
            """ --filter-pattern '{ $.service = "web" }'""",
        },
        link="https://eu-west-1.console.aws.amazon.com/cloudwatch/home#logsV2:log-groups/log-group/"
        "$252Ffleet$252Ffleet-test/log-events$3FfilterPattern$3D$257B$2520$2524.service$2520$253D$2520$2522web$2522$2520$257D",
    )


def test_a_job_that_never_reported_is_said_to() -> None:
    finding = describe(watched("rate(1 day)"), [NOW], "logs")

    assert (finding.title, finding.detail["last report"]) == ("web has never reported", "never")


@pytest.fixture
def environment(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "STACK": "fleet-test",
        "LOG_GROUP": "/fleet/fleet-test",
        "POWERTOOLS_SERVICE_NAME": "missed_runs",
    }.items():
        monkeypatch.setenv(name, value)
    # moto's schedules are made now: the run is one of days to come.
    monkeypatch.setitem(EVENT, "scheduled_at", (datetime.now(UTC) + timedelta(days=3)).isoformat())


def schedule(name: str, target: str = "", expression: str = "rate(1 day)", **more: Any) -> None:
    aws.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression=expression,
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={
            "Arn": target or f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}",
            "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/scheduler",
        },
        **more,
    )


def report(job: str, scheduled_at: datetime) -> None:
    ledger = Table("ledger")
    reports = announce(Reports(job), Report(job, scheduled_at, ()), "event").reports
    ledger.commit([reports])


def found(published: Published, context: Context) -> dict[str, dict[str, Any]]:
    handler(EVENT, context)
    (event,) = published()
    return {finding["subject"]: finding for finding in event["detail"]["findings"]}


def test_the_stacks_jobs_are_judged_by_their_schedules_and_the_ledger(
    environment: None, published: Published, context: Context
) -> None:
    planned = datetime.fromisoformat(EVENT["scheduled_at"])
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function"
    schedule("fleet-test-silent")
    schedule("fleet-test-well")
    report("well", planned - timedelta(hours=24))
    schedule("fleet-test-just_deployed", expression="rate(2 days)")
    schedule("fleet-test-off", State="DISABLED")
    schedule("fleet-test-missed_runs")  # an alarm watches the watcher
    schedule("fleet-test-qualified", f"{function}:fleet-test-qualified:live")
    schedule("fleet-test-sweep", f"arn:aws:sqs:{REGION}:{ACCOUNT}:fleet-test-triage_alerts")
    schedule("fleet-test-2-other_stack")
    schedule("elsewhere-silent")
    schedule("once-silent", f"{function}:fleet-test-silent", "at(2026-01-01T00:00:00)")
    schedule("fleet-test-mistaken", expression="cron(0 8 * * * *)")

    findings = found(published, context)

    assert set(findings) == {"silent", "qualified", "mistaken"}
    assert findings["silent"]["title"] == "silent has never reported"
    assert findings["qualified"]["title"] == "qualified has never reported"
    assert "one of its two days must be ?" in findings["mistaken"]["detail"]["error"]


def test_a_schedule_that_cannot_be_read_hides_no_other(
    environment: None, published: Published, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule("fleet-test-a")
    schedule("fleet-test-b")
    schedule("fleet-test-gone")
    scheduler = aws.client("scheduler")
    read = scheduler.get_schedule

    def refused(Name: str, GroupName: str) -> Any:  # noqa: N803 - boto3 names them
        if Name == "fleet-test-b":
            return read(Name=Name, GroupName=GroupName)
        code = "AccessDeniedException" if Name == "fleet-test-a" else "ResourceNotFoundException"
        kind = (
            ClientError
            if Name == "fleet-test-a"
            else scheduler.exceptions.ResourceNotFoundException
        )
        raise kind({"Error": {"Code": code, "Message": "no"}}, "GetSchedule")

    monkeypatch.setattr(scheduler, "get_schedule", refused)
    findings = found(published, context)

    assert set(findings) == {"a", "b"}
    assert "AccessDeniedException" in findings["a"]["detail"]["error"]


def test_schedules_are_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Mock()
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:fleet-{}"
    scheduler.get_paginator().paginate.return_value = [
        {"Schedules": [{"Name": f"fleet-{job}", "Target": {"Arn": arn.format(job)}}]}
        for job in ("a", "b")
    ]

    assert app.schedules(scheduler, "fleet") == {"fleet-a": "a", "fleet-b": "b"}


@pytest.mark.parametrize("grace", ["30s", "2d"])
def test_settings_have_bounds(grace: str) -> None:
    environment = {"LEDGER_TABLE": "t", "LOG_GROUP": "l", "STACK": "s", "GRACE": grace}

    with pytest.raises(SettingsError, match="GRACE must be 1m to 1d, got"):
        load(Settings, environment)
