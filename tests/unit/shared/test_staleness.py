from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.findings import Finding, Severity
from fleet.settings import SettingsError, load
from fleet.staleness import Candidate, Thresholds, exception_tag, judge, last_moment

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
TAG = "fleet:stale-things-exception"
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


@dataclass(frozen=True, slots=True)
class Settings(Thresholds):
    old_days: int = 90
    old_critical_days: int = 365
    late_days: int = 0
    late_critical_days: int = 7


def found(
    flaws: dict[str, Severity] | None = None, tags: dict[str, str] | None = None
) -> list[Finding]:
    flaws = {"is old": WARNING} if flaws is None else flaws
    box = Candidate("box/a b", "the box", flaws, "boxes/a%20b", {"made": "long ago"}, tags or {})
    return list(judge(box, "stale_things", NOW))


def excepted(text: str) -> str:
    """Why an exception does not count; empty if it does."""
    findings = found(tags={TAG: text})
    return str(findings[0].detail["exception"]) if findings else ""


@pytest.mark.parametrize(
    ("name", "age", "severity"),
    [
        pytest.param("old", timedelta(days=90), None, id="as long as it may"),
        pytest.param("old", timedelta(days=90, seconds=1), WARNING, id="a second longer"),
        pytest.param("old", timedelta(days=365), WARNING, id="not yet critical"),
        pytest.param("old", timedelta(days=365, seconds=1), CRITICAL, id="critical"),
        pytest.param("old", timedelta(days=9_000), CRITICAL, id="crossed though runs were missed"),
        pytest.param("late", timedelta(seconds=-1), None, id="not due yet"),
        pytest.param("late", timedelta(seconds=1), WARNING, id="due"),
    ],
)
def test_a_threshold_warns_and_then_is_critical(
    name: str, age: timedelta, severity: Severity | None
) -> None:
    assert Settings().flaws(name, "is old", age) == ({"is old": severity} if severity else {})


def test_every_threshold_that_does_not_rise_is_named_at_once() -> None:
    environment = {"OLD_DAYS": "400", "LATE_DAYS": "-1"}
    with pytest.raises(SettingsError) as caught:
        load(Settings, environment)
    assert str(caught.value) == (
        "the environment: OLD_DAYS and OLD_CRITICAL_DAYS are 400 and 365, "
        "LATE_DAYS and LATE_CRITICAL_DAYS are -1 and 7: they must rise, within 0 to 3650"
    )


def test_a_threshold_may_be_critical_at_once() -> None:
    settings = load(Settings, {"OLD_DAYS": "365"})
    assert settings.flaws("old", "x", timedelta(days=366)) == {"x": CRITICAL}


def test_a_thing_with_flaws_is_a_finding_as_bad_as_the_worst() -> None:
    assert found({"is old": WARNING, "has never been used": CRITICAL}) == [
        Finding(
            "box/a b",
            "the box is old and has never been used",
            CRITICAL,
            {"made": "long ago"},
            "https://eu-west-1.console.aws.amazon.com/boxes/a%20b",
        )
    ]


def test_a_thing_without_flaws_is_no_finding_whatever_its_exception() -> None:
    assert found({}) == []
    assert found({}, {TAG: "soon"}) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("2026-11-20", "", id="through this day"),
        pytest.param("2027-01-31 until the vendor moves", "", id="with a reason"),
        pytest.param("2027-11-20", "", id="a year ahead"),
        pytest.param("2026-11-19 until then", "has ended: '2026-11-19 until then'", id="ended"),
        pytest.param("2027-11-22", "ends in more than 366 days: '2027-11-22'", id="too far"),
        pytest.param("9999-12-31", "ends in more than 366 days: '9999-12-31'", id="for ever"),
        pytest.param("", "does not begin with a day such as 2026-11-20: ''", id="empty"),
        pytest.param("yes", "does not begin with a day such as 2026-11-20: 'yes'", id="no day"),
        pytest.param(
            "31.01.2027",
            "does not begin with a day such as 2026-11-20: '31.01.2027'",
            id="another form",
        ),
        pytest.param(
            "2027-02-30",
            "does not begin with a day such as 2026-11-20: '2027-02-30'",
            id="no such day",
        ),
        pytest.param(
            "2027-01-311",
            "does not begin with a day such as 2026-11-20: '2027-01-311'",
            id="a digit more",
        ),
        pytest.param("\n", "does not begin with a day such as 2026-11-20: '\\n'", id="a line"),
    ],
)
def test_an_exception_holds_through_its_day_and_says_why_it_does_not(text: str, said: str) -> None:
    assert excepted(text) == said


@given(
    st.one_of(st.text(), st.dates().map(str), st.from_regex(r"\d{4}-\d\d-\d\d.?", fullmatch=True))
)
def test_whatever_an_exception_says_it_holds_or_is_in_the_finding(text: str) -> None:
    findings = found(tags={TAG: text})
    day = text.split(" ", maxsplit=1)[0]
    if findings:
        assert repr(text) in str(findings[0].detail["exception"])
    else:
        assert date(2026, 11, 20) <= date(*map(int, day.split("-"))) <= date(2027, 11, 21)


def test_a_finding_with_an_exception_that_does_not_count_says_so_in_its_title() -> None:
    (finding,) = found(tags={TAG: "2026-11-01 until the move"})
    assert finding.title == "the box is old; its exception has ended: '2026-11-01 until the move'"
    assert finding.severity is WARNING


def test_the_exception_of_another_job_does_not_count() -> None:
    assert exception_tag("stale_things") == TAG
    assert len(found(tags={exception_tag("stale_others"): "2027-01-31"})) == 1


def test_a_day_ends_with_its_last_second_in_utc() -> None:
    assert last_moment("2026-11-20 and why") == datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
