from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fleet.findings import Finding, Report, Severity
from fleet.ledger.reports import Part, Reports
from fleet.ledger.rows import Row, State
from fleet_triage.life import Rules
from fleet_triage.reporting import ReportUpdate, catch_up

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
BEFORE = NOW - timedelta(hours=1)
OPEN = Row("job", "a", State.OPEN, Severity.WARNING, "a is wrong", at=BEFORE, count=1, run=1)
OPEN = replace(OPEN, opened_at=BEFORE, last_seen=BEFORE)


def update(*findings: Finding, part: Part = Part()) -> ReportUpdate:  # noqa: B008 - it is frozen
    reports = Reports("job", runs=2, last_report=NOW, previous_report=BEFORE)
    report = Report("job", NOW, findings)
    return ReportUpdate(report, "e1", reports, [part], lambda _: "web", Rules())


def test_a_finding_that_stays_is_not_written() -> None:
    assert update(Finding("a", "a is wrong")).apply(OPEN) is OPEN


def test_a_finding_that_is_missing_is_resolved() -> None:
    closed = update().apply(OPEN)
    assert (closed.state, [alert.status for alert in closed.owed]) == (State.CLOSED, ["resolved"])
    assert update().apply(closed) is closed


def test_a_new_finding_has_a_row_an_owner_and_an_alert() -> None:
    applied = update(Finding("a", "a is wrong"), Finding("b", "b is wrong"))
    (row,) = applied.new_rows([OPEN])
    opened = applied.apply(row)
    assert (opened.subject, opened.owner, opened.run) == ("b", "web", 2)
    assert [alert.status for alert in opened.owed] == ["opened"]


def test_what_a_newer_report_covers_is_left_alone() -> None:
    covered_elsewhere = update(Finding("b", "b is wrong"), part=Part(after="x"))
    assert covered_elsewhere.apply(OPEN) is OPEN
    assert covered_elsewhere.new_rows([]) == []


def test_how_often_a_finding_was_reported_follows_from_the_runs() -> None:
    row = catch_up(OPEN, runs=5, last_report=NOW)
    assert (row.count, row.last_seen) == (5, NOW)
    closed = replace(OPEN, state=State.CLOSED)
    assert catch_up(closed, runs=5, last_report=NOW).run == 6
    flapping = replace(closed, settles_at=NOW, count=3)
    assert catch_up(flapping, runs=5, last_report=NOW).run == 3
