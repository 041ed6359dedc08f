"""Pages say in words why something is missing or unknown."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.functions.console.samples import NOW, QUEUED, SCHEDULED, schedule

from fleet.dead_letters.letters import Letter, Route
from fleet.dead_letters.redrive import Outcome, Step
from fleet.findings import Severity
from fleet.ledger.mutes import Mute
from fleet_console import views
from fleet_console.operations import LetterOutcomes, RequestedRun
from fleet_console.reading.jobs import QueueCounts
from fleet_console.status import JobStatus, Place
from fleet_console.views import JobView

HOURLY = JobStatus(SCHEDULED, NOW, schedule=schedule(), last_report=NOW - timedelta(minutes=1))


def outcome(step: Step, detail: str = "") -> Outcome:
    letter = Letter("1", Route.JOB, "react", "r", "E", 1, NOW, "", "", "{}")
    return Outcome(letter, step, detail)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (replace(HOURLY, schedule=None), "not deployed"),
        (replace(HOURLY, schedule=schedule(enabled=False)), "disabled"),
        (replace(HOURLY, schedule=schedule(fault="bad day")), "unknown: bad day"),
        (replace(HOURLY, schedule=None, unread=frozenset({Place.SCHEDULES})), "unknown"),
    ],
)
def test_when_a_job_runs_next_is_a_time_or_why_not(status: JobStatus, words: str) -> None:
    assert JobView.of(HOURLY).next_run == NOW + timedelta(hours=1)
    assert JobView.of(status).next_run == words


def test_what_is_in_a_queue_is_said_in_words() -> None:
    known = JobStatus(QUEUED, NOW, queue=QueueCounts(waiting=2, delayed=1, in_flight=4))

    assert JobView.of(known).queue == "3 waiting, 4 being worked on"
    assert JobView.of(replace(known, queue=None)).queue == "not deployed"
    unread = replace(known, queue=None, unread=frozenset({Place.QUEUES}))
    assert JobView.of(unread).queue == "unknown"


def test_without_the_ledger_no_number_is_shown() -> None:
    view = JobView.of(replace(HOURLY, unread=frozenset({Place.LEDGER})))

    assert (view.last_run, view.runs, view.open_findings) == ("unknown", None, None)
    assert view.dead_letters == 0


def test_findings_of_all_sources_are_counted_by_severity() -> None:
    tally = {("look", Severity.INFO): 1, ("aws.cloudwatch", Severity.INFO): 2}

    counts = views.count_by_severity(tally)

    assert list(counts.items()) == [
        (Severity.CRITICAL, 0),
        (Severity.WARNING, 0),
        (Severity.INFO, 3),
    ]


def test_mutes_in_force_and_ended_stand_apart() -> None:
    active = Mute("1", "a", "b", "c", NOW + timedelta(hours=1))
    over = replace(active, until=NOW)
    ended = replace(active, ended=True)

    assert views.split_mutes([active, over, ended], NOW) == ([active], [over, ended])


def test_a_run_says_where_to_see_what_became_of_it() -> None:
    invoked = views.describe_run(RequestedRun("look", "invocation", "42"))
    sent = views.describe_run(RequestedRun("react", "message", "43"))

    assert invoked.text.endswith("within a minute, with this invocation: 42")
    assert sent.text.endswith("its log line below names it: 43")


def test_letters_that_were_not_dealt_with_are_named() -> None:
    done = LetterOutcomes((outcome(Step.SENT), outcome(Step.KEPT, "password=hunter2hunter2")))

    flash = views.describe_outcomes(done)

    assert flash.text == "Dead letters: 1 sent, 1 kept."
    assert flash.items == ("react 1: kept. [masked]",)
    assert not flash.good
    assert views.describe_outcomes(LetterOutcomes((outcome(Step.SENT),))).good
