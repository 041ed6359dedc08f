"""A job is late by the rule and the deployed setting of missed_runs."""

from datetime import UTC, datetime, timedelta

import pytest
from functions.missed_runs.app import Settings as MissedRunsSettings

from fleet.ledger.rows import LONG_AGO
from fleet.schedules import Schedule
from fleet_console.reading import Reading
from fleet_console.reading.jobs import DEFAULT_GRACE, JobSchedule
from fleet_console.settings import Settings

AT = datetime(2026, 11, 21, tzinfo=UTC)
HOURLY = Schedule("rate(1 hour)", window=timedelta(minutes=5))
ONCE = Schedule("at(2026-11-21T01:00:00)")


@pytest.mark.parametrize(
    ("schedule", "last_report", "minutes"),
    [
        (HOURLY, LONG_AGO, 140),
        (HOURLY, AT + timedelta(minutes=30), 170),
        (ONCE, LONG_AGO, 75),
        (ONCE, AT + timedelta(minutes=30), 75),
    ],
)
def test_a_run_is_owed_when_the_second_should_have_begun(
    schedule: Schedule, last_report: datetime, minutes: int
) -> None:
    known = JobSchedule(schedule, enabled=True, event="{}", changed=AT)

    def late_after(minutes: int) -> bool:
        return known.is_late(last_report, AT + timedelta(minutes=minutes), DEFAULT_GRACE)

    assert not late_after(minutes - 1)
    assert late_after(minutes)


@pytest.mark.parametrize(
    ("variables", "grace"),
    [
        ({"GRACE": "30m"}, timedelta(minutes=30)),
        ({}, DEFAULT_GRACE),
        ({"GRACE": "soon"}, DEFAULT_GRACE),
    ],
)
def test_the_grace_is_the_one_that_is_deployed(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], grace: timedelta
) -> None:
    reading = Reading(Settings("fleet-test", "ledger", "https://queue"))
    asked: list[str] = []

    def settings(job: str) -> dict[str, str]:
        asked.append(job)
        return variables

    monkeypatch.setattr(reading.jobs, "settings", settings)

    assert reading.jobs.grace() == grace
    assert asked == ["missed_runs"]


def test_the_default_is_that_of_missed_runs() -> None:
    assert MissedRunsSettings("ledger", "group", "stack").grace == DEFAULT_GRACE
