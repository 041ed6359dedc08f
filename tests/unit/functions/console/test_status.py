"""A job's state is the first that holds, and what was not read is never taken for silence."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.unit.functions.console.samples import NOW, QUEUED, SCHEDULED, letter, schedule

from fleet.findings import Severity
from fleet_console.reading.jobs import QueueCounts
from fleet_console.status import URGENCY, JobState, JobStatus, Place

FINE = JobStatus(SCHEDULED, NOW, schedule=schedule(), last_report=NOW - timedelta(minutes=1))
QUEUE = QueueCounts(0, 0, 0)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, JobState.OK),
        ({"last_report": JobStatus(SCHEDULED, NOW).last_report}, JobState.WAITING),
        ({"open_findings": {Severity.INFO: 1}}, JobState.FINDINGS),
        ({"schedule": schedule(fault="no such day")}, JobState.UNKNOWN),
        (
            {"schedule": schedule(changed=NOW - timedelta(days=9)), "last_report": FINE.now},
            JobState.OK,
        ),
        (
            {
                "schedule": schedule(changed=NOW - timedelta(days=9)),
                "last_report": NOW - timedelta(hours=3),
            },
            JobState.LATE,
        ),
        ({"letters": (letter(),), "open_findings": {Severity.INFO: 1}}, JobState.FAILING),
        ({"letters": (letter(),), "schedule": schedule(enabled=False)}, JobState.DISABLED),
        ({"letters": (letter(),), "schedule": None}, JobState.MISSING),
    ],
)
def test_the_first_state_that_holds_is_shown(facts: dict[str, Any], state: JobState) -> None:
    assert replace(FINE, **facts).state is state


def test_a_longer_grace_makes_a_job_late_later() -> None:
    silent = replace(
        FINE,
        schedule=schedule(changed=NOW - timedelta(days=9)),
        last_report=NOW - timedelta(hours=2, minutes=20),
    )

    assert silent.state is JobState.LATE
    assert replace(silent, grace=timedelta(minutes=30)).state is JobState.OK


@pytest.mark.parametrize(
    ("status", "place", "state"),
    [
        (FINE, Place.SCHEDULES, JobState.UNKNOWN),
        (FINE, Place.LEDGER, JobState.UNKNOWN),
        (replace(FINE, letters=(letter(),)), Place.SCHEDULES, JobState.FAILING),
        (replace(FINE, letters=(letter(),)), Place.LEDGER, JobState.FAILING),
        (JobStatus(QUEUED, NOW, queue=QUEUE), Place.LETTERS, JobState.UNKNOWN),
        (JobStatus(QUEUED, NOW), Place.QUEUES, JobState.UNKNOWN),
    ],
)
def test_what_was_not_read_is_no_good_news(
    status: JobStatus, place: Place, state: JobState
) -> None:
    assert replace(status, unread=frozenset({place})).state is state


def test_a_queue_job_without_a_queue_is_missing() -> None:
    assert JobStatus(QUEUED, NOW).state is JobState.MISSING
    assert JobStatus(QUEUED, NOW, queue=QUEUE).state is JobState.OK


def test_every_state_has_its_urgency() -> None:
    assert sorted(URGENCY) == sorted(JobState)
