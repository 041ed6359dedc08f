from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fleet.alerts import Observation, Status
from fleet.findings import Severity
from fleet.ledger.rows import Row, State
from fleet.ledger.storms import Storm
from fleet_triage.life import Rules, apply_observation, fold_into_storm
from fleet_triage.storm_life import LISTED, count_openings, review

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = Rules(storm_openings=3)
FAILING, OK = Status.FAILING, Status.OK


def opening(subject: str, severity: Severity = Severity.WARNING, status: Status = FAILING) -> Row:
    return apply_observation(
        Row("aws.x", subject),
        Observation("aws.x", subject, status, severity, f"{subject} fails", NOW, "e"),
        RULES,
    )


def openings(count: int, severity: Severity = Severity.WARNING) -> list[Row]:
    return [opening(f"s{number}", severity) for number in range(count)]


def stormy(count: int = 4) -> tuple[Storm, list[Row]]:
    """A storm whose opening was told, and its findings."""
    storm = count_openings(Storm("aws.x", "(storm)"), openings(count), NOW, RULES)
    return replace(storm.without_owed(), version=1), [
        fold_into_storm(row, storm.episode).without_owed() for row in openings(count)
    ]


def ended(rows: list[Row]) -> list[Row]:
    return [replace(row, state=State.CLOSED) for row in rows]


def told(storm: Storm) -> list[str]:
    return [f"{alert.status} {alert.severity} {alert.count}" for alert in storm.owed]


def test_a_few_openings_are_no_storm() -> None:
    storm = count_openings(Storm("aws.x", "(storm)"), openings(3), NOW, RULES)
    assert (storm.state, storm.openings, storm.owed) == (State.CLOSED, 3, ())
    assert storm.expires


def test_openings_count_within_a_window() -> None:
    storm = count_openings(Storm("aws.x", "(storm)"), openings(3), NOW, RULES)
    late = count_openings(storm, openings(1), NOW + 5 * MINUTE, RULES)
    assert (late.state, late.openings) == (State.CLOSED, 1)
    soon = count_openings(storm, openings(1), NOW + 4 * MINUTE, RULES)
    assert (soon.state, told(soon)) == (State.OPEN, ["opened warning 1"])


def test_a_storm_lists_what_opened() -> None:
    (alert,) = count_openings(Storm("aws.x", "(storm)"), openings(LISTED + 2), NOW, RULES).owed
    assert (alert.count, alert.detail["s1"]) == (LISTED + 2, "warning: s1 fails")
    assert alert.detail["and more"] == "2 findings that are not listed here"


def test_only_what_is_worse_changes_an_open_storm() -> None:
    storm, _ = stormy()
    assert count_openings(storm, openings(9), NOW, RULES) == storm
    assert told(count_openings(storm, openings(1, severity=Severity.CRITICAL), NOW, RULES)) == [
        "escalated critical 1"
    ]


def test_a_look_tells_once_how_many_they_are_by_now() -> None:
    storm, rows = stormy()
    more = [
        *rows,
        *(fold_into_storm(opening(f"more{number}"), storm.episode) for number in range(2)),
    ]
    grown = review(storm, more, NOW + MINUTE, RULES)
    assert told(grown) == ["reminded warning 6"]
    assert grown.owed[0].title == "aws.x: a storm of 6 findings, of which 6 are open"
    assert review(grown.without_owed(), more, NOW + 2 * MINUTE, RULES).owed == ()


def test_a_storm_ends_at_the_second_look_after_all_have() -> None:
    storm, rows = stormy()
    late = NOW + 10 * MINUTE
    assert review(storm, rows, late, RULES) == storm
    assert review(storm, ended(rows), NOW + MINUTE, RULES) == storm
    ending = review(storm, ended(rows), late, RULES)
    assert (ending.ending, ending.owed) == (True, ())
    assert told(review(ending, ended(rows), late, RULES)) == ["resolved warning 4"]


def test_what_is_folded_meanwhile_takes_the_end_back() -> None:
    storm, rows = stormy()
    ending = replace(storm, ending=True)
    assert count_openings(ending, openings(1), NOW, RULES) == storm
    assert review(ending, rows, NOW + 10 * MINUTE, RULES) == storm


def test_a_storm_that_lasts_is_called_to_mind() -> None:
    storm, rows = stormy()
    assert told(review(storm, rows[:2] + ended(rows[2:]), NOW + timedelta(hours=24), RULES)) == [
        "reminded warning 4"
    ]


def test_what_only_occurred_ends_by_itself() -> None:
    storm, _ = stormy()
    rows = [fold_into_storm(opening("x", status=Status.OCCURRED), storm.episode)]
    assert review(storm, rows, NOW + 10 * MINUTE, RULES).ending


@pytest.mark.parametrize("behind", [0, 1, 60])
def test_a_clock_that_is_behind_hides_no_storm(behind: int) -> None:
    storm, rows = stormy()
    ending = review(storm, ended(rows), NOW + 10 * MINUTE, RULES)
    closed = replace(
        review(ending, ended(rows), NOW + 10 * MINUTE, RULES).without_owed(), version=2
    )
    again = count_openings(closed, openings(4), NOW + (10 - behind) * MINUTE, RULES)
    assert told(again) == ["opened warning 4"]
