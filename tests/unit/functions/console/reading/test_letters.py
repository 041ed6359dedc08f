"""Dead letters are listed oldest first, in pages, and in groups of one cause."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.unit.functions.console.samples import NOW, letter

from fleet.dead_letters.causes import Cause
from fleet_console.reading import Reading
from fleet_console.reading.letters import DeadLetter, DeadLetterList
from fleet_console.settings import Settings

OTHER = Cause("look", "Transient", "timeout")
LETTERS = (
    replace(letter("1"), first_seen=NOW - timedelta(hours=3)),
    replace(letter("2", obstacle="nobody knows its origin"), first_seen=NOW - timedelta(hours=2)),
    replace(letter("3"), first_seen=NOW, job="look", cause=OTHER),
)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    reading = Reading(Settings("fleet-test", "ledger", "https://queue"))
    monkeypatch.setattr(reading.letters, "all", lambda: DeadLetterList(LETTERS, "not all"))
    return reading


def ids(letters: list[DeadLetter]) -> list[str]:
    return [letter.id for letter in letters]


def test_pages_lead_to_each_other(reading: Reading) -> None:
    first = reading.letters.page("", "", 2, "")
    assert first.next is not None
    last = reading.letters.page("", "", 2, first.next)

    assert (ids([*first.letters]), ids([*last.letters])) == (["1", "2"], ["3"])
    assert last.next is None
    assert first.unseen == last.unseen == "not all"


def test_a_page_may_be_of_one_job_or_cause(reading: Reading) -> None:
    of_job = reading.letters.page("look", "", 9, "")
    of_cause = reading.letters.page("", letter().cause.id, 9, "")

    assert (ids([*of_job.letters]), ids([*of_cause.letters])) == (["3"], ["1", "2"])


def test_the_largest_group_comes_first() -> None:
    large, small = DeadLetterList(LETTERS[::-1]).by_cause()

    assert (large.count, large.redrivable) == (2, 1)
    assert small.cause == OTHER
    in_order, _ = DeadLetterList(LETTERS).by_cause()
    assert (in_order.oldest, in_order.newest) == (LETTERS[0].first_seen, LETTERS[1].first_seen)
