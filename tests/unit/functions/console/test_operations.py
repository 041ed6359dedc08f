"""An operation that cannot be meant as it was asked for is refused before anything is done."""

from datetime import timedelta
from typing import Any

import pytest
from tests.unit.functions.console.samples import NOW
from werkzeug.exceptions import RequestEntityTooLarge

from fleet.dead_letters.redrive import Selection
from fleet_console.operations import LARGEST_EVENT, Operations
from fleet_console.problems import Invalid, Missing
from fleet_console.reading import Reading
from fleet_console.settings import Settings


@pytest.fixture
def operations() -> Operations:
    return Operations(Reading(Settings("fleet-test", "ledger", "https://queue")))


@pytest.mark.parametrize(
    ("selection", "fault"),
    [
        (Selection(), "say which dead letters are meant"),
        (Selection(ids=("short",)), "an id has at least 8 characters"),
        (Selection(jobs=("",)), "an empty name would mean all letters"),
        (Selection(causes=("x", "")), "an empty name would mean all letters"),
        (Selection(jobs=("notify_*",)), "name each job instead of using patterns: notify_*"),
    ],
)
def test_no_more_letters_are_meant_than_were_named(
    operations: Operations, selection: Selection, fault: str
) -> None:
    with pytest.raises(Invalid) as refused:
        operations.redrive(selection, NOW, "ada", dry_run=True)

    assert fault in str(refused.value.description)


def test_letters_are_discarded_for_a_reason(operations: Operations) -> None:
    with pytest.raises(Invalid):
        operations.discard(Selection(ids=("12345678",)), NOW, "ada", " ", dry_run=False)


@pytest.mark.parametrize(
    ("job", "event", "error"),
    [
        ("nope", {}, Missing),
        ("start_pipeline", None, Invalid),
        ("start_pipeline", [1], Invalid),
        ("start_pipeline", {"a": "x" * LARGEST_EVENT}, RequestEntityTooLarge),
    ],
)
def test_an_event_must_fit_its_job(
    operations: Operations, job: str, event: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        operations.run(job, event, "ada", NOW)


@pytest.mark.parametrize("lasting", [timedelta(seconds=59), timedelta(days=366)])
def test_a_mute_lasts_from_a_minute_to_a_year(operations: Operations, lasting: timedelta) -> None:
    with pytest.raises(Invalid, match="until must be"):
        operations.mute("a", "b", "ada", lasting, NOW)
