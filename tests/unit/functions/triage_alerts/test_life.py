from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest

from fleet.alerts import Observation, Status
from fleet.findings import Severity
from fleet.ledger.rows import Row, State
from fleet_triage.life import (
    DETAIL_CHARACTERS,
    HISTORY,
    Rules,
    after_timers,
    apply_observation,
    apply_report_finding,
    fold_into_storm,
)

START = datetime(2026, 11, 21, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL
FAILING, OK, OCCURRED = Status.FAILING, Status.OK, Status.OCCURRED
RULES = Rules()
NEW = Row("aws.x", "disk")


def seen(
    minute: float, status: Status = FAILING, severity: Severity = WARNING, event_id: str = ""
) -> Observation:
    at = START + timedelta(minutes=minute)
    return Observation(
        "aws.x", "disk", status, severity, f"{status} {severity}", at, event_id or f"e{minute}"
    )


def lived(*story: Observation, rules: Rules = RULES, row: Row = NEW) -> tuple[Row, list[str]]:
    """Return the row after the story, and what was told."""
    told = []
    for each in story:
        row = apply_observation(row.without_owed(), each, rules)
        told += [f"{alert.status} {alert.severity}" for alert in row.owed]
    return row.without_owed(), told


@pytest.mark.parametrize(
    ("story", "told", "state"),
    [
        pytest.param([seen(0)], ["opened warning"], State.OPEN, id="opens"),
        pytest.param([seen(0), seen(1)], ["opened warning"], State.OPEN, id="stays"),
        pytest.param(
            [seen(0), seen(1, OK)], ["opened warning", "resolved warning"], State.CLOSED, id="ends"
        ),
        pytest.param([seen(0, OK)], [], State.CLOSED, id="ok of what nobody knows"),
        pytest.param(
            [seen(5, OK), seen(0)], [], State.CLOSED, id="an end that overtook its beginning"
        ),
        pytest.param(
            [seen(0), seen(5, OK), seen(2)],
            ["opened warning", "resolved warning"],
            State.CLOSED,
            id="old",
        ),
        pytest.param([seen(0), seen(0)], ["opened warning"], State.OPEN, id="the same again"),
        pytest.param(
            [
                seen(0, event_id="a"),
                seen(0, OK, event_id="b"),
                seen(0, event_id="a"),
                seen(0, OK, event_id="b"),
            ],
            ["opened warning", "resolved warning"],
            State.CLOSED,
            id="two of one moment, repeated",
        ),
        pytest.param(
            [
                seen(0),
                seen(1, severity=CRITICAL),
                seen(2, severity=WARNING),
                seen(3, severity=CRITICAL),
                seen(4, OK),
            ],
            ["opened warning", "escalated critical", "resolved critical"],
            State.CLOSED,
            id="the worst is told once, and its end as bad",
        ),
        pytest.param(
            [seen(0), seen(60 * 24 - 1)], ["opened warning"], State.OPEN, id="too early to remind"
        ),
        pytest.param(
            [seen(0), seen(60 * 24)],
            ["opened warning", "reminded warning"],
            State.OPEN,
            id="reminds",
        ),
        pytest.param(
            [
                seen(0, severity=CRITICAL),
                seen(60 * 4, severity=CRITICAL),
                seen(60 * 8 - 1),
                seen(60 * 8),
            ],
            ["opened critical", "reminded critical", "reminded critical"],
            State.OPEN,
            id="reminds again",
        ),
        pytest.param(
            [seen(0, severity=INFO), seen(60 * 24 * 90, severity=INFO)],
            ["opened info"],
            State.OPEN,
            id="info never reminds",
        ),
        pytest.param([seen(0, OCCURRED)], ["opened warning"], State.OCCURRED, id="occurs"),
        pytest.param(
            [seen(0, OCCURRED), seen(59, OCCURRED), seen(60, OCCURRED)],
            ["opened warning", "opened warning"],
            State.OCCURRED,
            id="occurs again within its window, and after it",
        ),
        pytest.param(
            [seen(0, OCCURRED), seen(1, OCCURRED, CRITICAL)],
            ["opened warning", "escalated critical"],
            State.OCCURRED,
            id="occurs again, and worse",
        ),
        pytest.param(
            [seen(0, OCCURRED), seen(1, OK)],
            ["opened warning"],
            State.CLOSED,
            id="ok of what occurred",
        ),
        pytest.param(
            [seen(0, OCCURRED), seen(1)],
            ["opened warning", "opened warning"],
            State.OPEN,
            id="fails after it occurred",
        ),
        pytest.param(
            [seen(0), seen(1, OCCURRED)], ["opened warning"], State.OPEN, id="occurs while it fails"
        ),
        pytest.param(
            [
                seen(0),
                seen(1, OK),
                seen(2),
                seen(3, OK),
                seen(4),
                seen(5, OK),
                seen(6),
                seen(7, severity=CRITICAL),
            ],
            ["opened warning", "resolved warning"] * 2 + ["opened warning", "escalated critical"],
            State.OPEN,
            id="flaps",
        ),
        pytest.param(
            [seen(0), seen(50, OK), seen(100), seen(150, OK), seen(200)],
            ["opened warning", "resolved warning"] * 2 + ["opened warning"],
            State.OPEN,
            id="too slow to flap",
        ),
    ],
)
def test_a_life(story: list[Observation], told: list[str], state: State) -> None:
    row, heard = lived(*story)
    assert (heard, row.state) == (told, state)


def test_an_alert_says_what_the_row_knows() -> None:
    rules = Rules(runbook_url="https://example.com/ops")
    first = replace(seen(0), detail={"size": 3}, link="https://x", owner="web")
    opened = apply_observation(Row("aws.x", "disk", run=3), first, rules)
    (alert,) = opened.owed
    assert (alert.dedup_key, alert.count, alert.first_seen, alert.owner) == (
        "aws.x/disk",
        1,
        START,
        "web",
    )
    assert (alert.detail, alert.link, alert.runbook) == (
        {"size": 3},
        "https://x",
        "https://example.com/ops#aws.x",
    )
    row, _ = lived(seen(1), seen(2), row=opened)
    (alert,) = apply_observation(row, seen(3, OK), rules).owed
    assert (alert.count, alert.first_seen, alert.last_seen) == (
        3,
        START,
        START + timedelta(minutes=2),
    )


@pytest.mark.parametrize(
    ("run", "runbook"),
    [(1, "https://example.com/ops#aws.x"), (-3, "https://example.com/ops#aws.x"), (0, "")],
)
def test_what_a_job_reports_has_a_runbook(run: int, runbook: str) -> None:
    rules = Rules(runbook_url="https://example.com/ops")
    (alert,) = apply_observation(Row("aws.x", "disk", run=run), seen(0), rules).owed
    assert alert.runbook == runbook


def test_ids_tell_transitions_apart_and_copies_together() -> None:
    story = [seen(0), seen(1, severity=CRITICAL), seen(2, OK), seen(3), seen(4, OK)]
    row, ids = NEW, []
    for each in story:
        changed = apply_observation(row.without_owed(), each, Rules())
        assert changed.owed == apply_observation(row.without_owed(), each, Rules()).owed
        ids += [alert.id for alert in changed.owed]
        row = changed
    assert len(set(ids)) == len(ids) == 5


FLAPPED = [seen(0), seen(1, OK), seen(2), seen(3, OK), seen(4)]


def test_what_flaps_settles_once_it_is_quiet() -> None:
    row, _ = lived(*FLAPPED, seen(10, OK))
    assert row.due == START + timedelta(minutes=70)
    assert after_timers(row, START + timedelta(minutes=69), Rules()) is row
    settled = after_timers(row, START + timedelta(minutes=70), Rules())
    assert [alert.status for alert in settled.owed] == ["resolved"]
    assert lived(seen(80), row=settled)[1] == ["opened warning"]


def test_what_flaps_and_stays_is_called_to_mind() -> None:
    row, _ = lived(*FLAPPED, seen(10, OK), seen(11))
    assert row.owed == ()
    settled = after_timers(row, START + 2 * HOUR, Rules())
    (alert,) = settled.owed
    assert (alert.status, alert.title) == ("reminded", "failing warning")
    assert settled.remind_at == START + 26 * HOUR


def test_the_alert_says_that_it_flaps() -> None:
    row = lived(*FLAPPED[:-1])[0]
    assert [alert.title for alert in apply_observation(row, FLAPPED[-1], Rules()).owed] == [
        "flapping: failing warning"
    ]


def test_what_is_folded_ends_in_silence_and_is_not_called_to_mind() -> None:
    row = fold_into_storm(apply_observation(NEW, seen(0), Rules()), "storm")
    assert (row.owed, row.remind_at, row.due) == ((), None, None)
    assert lived(seen(1), seen(2, OK), row=row)[1] == []


def test_what_is_folded_and_gets_worse_is_told_and_leaves_the_storm() -> None:
    row = fold_into_storm(apply_observation(NEW, seen(0), Rules()), "storm")
    row, told = lived(seen(1, severity=CRITICAL), seen(2, OK), row=row)
    assert told == ["escalated critical", "resolved critical"]


def test_what_flaps_inside_a_storm_and_stays_leaves_it() -> None:
    row = fold_into_storm(apply_observation(lived(*FLAPPED[:-1])[0], FLAPPED[-1], Rules()), "storm")
    settled = after_timers(row, START + 2 * HOUR, Rules())
    assert ([alert.status for alert in settled.owed], settled.storm) == (["reminded"], "")
    assert lived(seen(200, OK), row=settled.without_owed())[1] == ["resolved warning"]
    closed, _ = lived(seen(5, OK), row=row)
    assert after_timers(closed, START + 2 * HOUR, Rules()).owed == ()


def test_a_report_leaves_what_stays_as_it_is() -> None:
    row, _ = lived(seen(0))
    assert apply_report_finding(row, replace(seen(60), title="for 3 days by now"), Rules()) is row
    assert apply_report_finding(row, seen(60, severity=CRITICAL), Rules()).owed
    (alert,) = apply_report_finding(
        row, replace(seen(60 * 24), title="for 3 days by now"), Rules()
    ).owed
    assert (alert.status, alert.title) == ("reminded", "for 3 days by now")


def test_a_sweep_looks_at_what_owes_and_reminds_after_the_jobs_own_report() -> None:
    row = apply_observation(NEW, seen(0), Rules())
    assert row.due == START
    assert row.without_owed().due == START + 24 * HOUR
    assert replace(row.without_owed(), run=1).due == START + 25 * HOUR
    assert [
        alert.status for alert in after_timers(row.without_owed(), START + 24 * HOUR, Rules()).owed
    ] == ["reminded"]


def test_details_are_cut_to_what_an_alert_can_carry() -> None:
    detail = {"a": nan, "b": -inf, "c": 1.5, "d": True}
    row, _ = lived(replace(seen(0), detail=detail))
    assert row.detail == {"a": "nan", "b": "-inf", "c": 1.5, "d": True}
    facts = {str(number): "x" * 1_000 for number in range(50)}
    cut = lived(replace(seen(0), detail=facts))[0].detail
    assert cut["left out"] == "35 of 50 facts"
    assert len(str(cut)) < DETAIL_CHARACTERS + 200


def test_rules_have_their_ranges() -> None:
    with pytest.raises(ValueError, match="flapping_changes must be 2 to 100, got 1"):
        Rules(flapping_changes=1)


def test_the_history_says_what_happened_even_when_nobody_is_told() -> None:
    rules = Rules(flapping_changes=2)
    story = [seen(minute, OK if minute % 2 else FAILING) for minute in range(4)]

    row, told = lived(*story, rules=rules)

    assert [moment.status for moment in row.history] == ["opened", "resolved"] * 2
    assert len(told) < len(row.history)


def test_the_history_is_bounded() -> None:
    row, _ = lived(*(seen(minute, OK if minute % 2 else FAILING) for minute in range(2 * HISTORY)))

    assert len(row.history) == HISTORY
    assert row.history[-1].at == row.at
