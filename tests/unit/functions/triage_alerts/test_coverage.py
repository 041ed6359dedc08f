"""What reports cover, against its plain meaning: the last report about each subject."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fleet.findings import Finding, Report
from fleet.ledger.reports import Part, Reports
from fleet_triage.coverage import RECENT, announce

START = datetime(2026, 11, 21, 9, tzinfo=UTC)
SUBJECTS = "bdfh"
bounds = st.sampled_from([None, "a", "b", "c", "d", "e", "f", "g", "h", "i"])
runs = st.lists(st.tuples(st.integers(0, 3), bounds, bounds, st.sampled_from("xyz")), max_size=12)


def report(minute: int, after: str | None = None, through: str | None = None) -> Report:
    return Report("job", START + timedelta(minutes=minute), (), after, through)


def inside(subject: str, after: str | None, through: str | None) -> bool:
    return (after is None or after < subject) and (through is None or subject <= through)


@given(runs)
def test_a_report_counts_where_none_newer_was_announced(
    made: list[tuple[int, str | None, str | None, str]],
) -> None:
    reports = Reports("job")
    last: dict[str, tuple[int, str]] = {}
    gone: set[tuple[str, int, str]] = set()
    for minute, after, through, name in made:
        event_id = f"{name}{after}{through}"  # an event is of one range
        announced = announce(reports, report(minute, after, through), event_id)
        reports, parts = announced.reports, announced.counting
        counts = set()
        for subject in SUBJECTS:
            if not inside(subject, after, through):
                continue
            at, by = last.get(subject, (-1, ""))
            if minute > at or (minute == at and (subject, minute, event_id) not in gone):
                if minute == at and by != event_id:
                    gone.add((subject, at, by))
                last[subject] = (minute, event_id)
                counts.add(subject)
        assert {
            subject for subject in SUBJECTS if any(part.covers(subject) for part in parts)
        } == counts
        assert [sum(part.covers(subject) for part in reports.parts) for subject in SUBJECTS] == [
            1
        ] * len(SUBJECTS)
        assert (reports.parts[0].after, reports.parts[-1].through) == ("", None)
    assert reports.runs <= len({minute for minute, *_ in made})


def test_parts_of_one_run_take_the_place_of_all_before() -> None:
    reports = Reports("job")
    for minute, middle in enumerate("mdxq"):
        reports = announce(reports, report(minute, None, middle), f"{minute}a").reports
        reports = announce(reports, report(minute, middle, None), f"{minute}b").reports
        assert [(part.after, part.through) for part in reports.parts] == [
            ("", middle),
            (middle, None),
        ]
    assert (reports.runs, reports.last_report) == (4, START + timedelta(minutes=3))
    assert reports.previous_report == START + timedelta(minutes=2)


def test_the_same_report_once_more_counts_and_changes_nothing() -> None:
    announced = announce(Reports("job"), report(1), "e1")
    assert announce(announced.reports, report(1), "e1") == announced
    assert announced.counting == [Part("", None, START + timedelta(minutes=1), "e1")]


def test_the_last_runs_are_kept_once_each_and_in_order() -> None:
    reports = Reports("job")
    for minute in (*range(RECENT, 0, -1), RECENT + 1):
        for event_id in ("first", "tried again"):
            reports = announce(reports, report(minute, None, "m"), event_id).reports
            second = replace(report(minute, "m"), findings=(Finding("x", "X"),))
            reports = announce(reports, second, event_id).reports

    assert [ran.at for ran in reports.recent] == [
        START + timedelta(minutes=2 + number) for number in range(RECENT)
    ]
    assert {ran.findings for ran in reports.recent} == {1}
