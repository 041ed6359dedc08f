import calendar
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.schedules import Schedule

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(schedule: Schedule, after: str, most: int = 3) -> list[str]:
    return [f"{time:%Y-%m-%dT%H:%M:%S}" for time in islice(schedule.due(at(after)), most)]


@pytest.mark.parametrize(
    ("fields", "days"),
    [
        pytest.param("1 * ? 2026-2027", "2026-12-01 2027-01-01 2027-02-01", id="day"),
        pytest.param("L * ? *", "2026-11-30 2026-12-31 2027-01-31", id="last day"),
        pytest.param("LW * ? *", "2026-11-30 2026-12-31 2027-01-29", id="last weekday"),
        pytest.param("1W * ? *", "2026-12-01 2027-01-01 2027-02-01", id="weekday by itself"),
        pytest.param(
            "1W 5,8 ? *",
            "2027-05-03 2027-08-02 2028-05-01",
            id="Saturday the 1st gives Monday, Sunday too",
        ),
        pytest.param("15W * ? 2027", "2027-01-15 2027-02-15 2027-03-15", id="15W"),
        pytest.param("14W 8,11 ? 2027", "2027-08-13 2027-11-15", id="Friday before, Monday after"),
        pytest.param(
            "28W 2 ? 2027-2028",
            "2027-02-26 2028-02-28",
            id="Sunday that ends the month gives Friday",
        ),
        pytest.param(
            "31W * ? *", "2026-12-31 2027-01-29 2027-03-31", id="months without a 31st are left out"
        ),
        pytest.param("? * 2 *", "2026-11-23 2026-11-30 2026-12-07", id="2 is Monday"),
        pytest.param(
            "? * 1,7 *", "2026-11-22 2026-11-28 2026-11-29", id="1 is Sunday and 7 Saturday"
        ),
        pytest.param("? * MON-FRI *", "2026-11-23 2026-11-24 2026-11-25", id="names"),
        pytest.param("? * 4/2 *", "2026-11-25 2026-11-27 2026-12-02", id="step ends with the week"),
        pytest.param("? * 2-6/2 *", "2026-11-23 2026-11-25 2026-11-27", id="step in a range"),
        pytest.param("? * L *", "2026-11-28 2026-12-05 2026-12-12", id="L is Saturday"),
        pytest.param("? * 6L *", "2026-11-27 2026-12-25 2027-01-29", id="last Friday"),
        pytest.param("? * THUL *", "2026-11-26 2026-12-31 2027-01-28", id="last Thursday by name"),
        pytest.param("? * 3#2 *", "2026-12-08 2027-01-12 2027-02-09", id="second Tuesday"),
        pytest.param(
            "? * TUE#5 *",
            "2026-12-29 2027-03-30 2027-06-29",
            id="months without a fifth are left out",
        ),
        pytest.param("29 2 ? *", "2028-02-29 2032-02-29 2036-02-29", id="leap days"),
        pytest.param(
            "1/15 FEB,APR ? *", "2027-02-01 2027-02-16 2027-04-01", id="steps from a start"
        ),
        pytest.param("1 1 ? 2025/4", "2029-01-01 2033-01-01 2037-01-01", id="years from a start"),
        pytest.param("1 1 ? 2030,2027,2026-2027", "2027-01-01 2030-01-01", id="years"),
        pytest.param("1 1 ? 2020-2025", "", id="years that are over"),
    ],
)
def test_a_cron_is_due_on_the_days_that_aws_means(fields: str, days: str) -> None:
    assert due(Schedule(f"cron(0 8 {fields})"), "2026-11-21T22:00:00") == [
        f"{day}T08:00:00" for day in days.split()
    ]


@pytest.mark.parametrize(
    ("after", "first"),
    [("07:59:59", "21T08:00:00"), ("08:00:00", "21T20:00:00"), ("20:00:00", "22T08:00:00")],
)
def test_due_is_what_is_later_to_the_second(after: str, first: str) -> None:
    assert due(Schedule("cron(0 8,20 * * ? *)"), f"2026-11-21T{after}", 1) == [f"2026-11-{first}"]


def test_a_year_begins_with_its_first_minute() -> None:
    assert due(Schedule("cron(0 0 1 1 ? 2030)"), "2026-11-21T00:00:00") == ["2030-01-01T00:00:00"]


def test_a_time_that_the_clocks_skip_is_not_due() -> None:
    assert due(Schedule("cron(30 2 * * ? *)", BERLIN), "2027-03-27T00:00:00") == [
        *("2027-03-27T01:30:00", "2027-03-29T00:30:00", "2027-03-30T00:30:00"),
    ]


def test_a_time_that_the_clocks_show_twice_is_due_the_first_time() -> None:
    nightly, often = (
        Schedule("cron(30 2 * * ? *)", BERLIN),
        Schedule("cron(0/30 * * * ? *)", BERLIN),
    )

    assert due(nightly, "2026-10-24T00:30:00") == [
        *("2026-10-25T00:30:00", "2026-10-26T01:30:00", "2026-10-27T01:30:00"),
    ]
    assert due(nightly, "2026-10-25T01:00:00", 1) == ["2026-10-26T01:30:00"]
    assert due(often, "2026-10-25T00:00:00") == [
        "2026-10-25T00:30:00",
        "2026-10-25T02:00:00",
        "2026-10-25T02:30:00",
    ]


def test_a_rate_counts_from_the_last_run_and_knows_no_clocks() -> None:
    assert due(Schedule("rate(1 day)", BERLIN), "2026-10-24T12:00:07", 2) == [
        *("2026-10-25T12:00:07", "2026-10-26T12:00:07"),
    ]
    assert due(Schedule("rate(90 minutes)"), "2026-11-21T00:00:00", 2) == [
        "2026-11-21T01:30:00",
        "2026-11-21T03:00:00",
    ]


def test_nothing_is_due_before_the_start_and_after_the_end() -> None:
    start, end = at("2026-12-01T08:00:00"), at("2026-12-02T08:00:00")
    days = ["2026-12-01T08:00:00", "2026-12-02T08:00:00"]

    assert due(Schedule("cron(0 8 * * ? *)", start=start, end=end), "2026-11-21T00:00:00") == days
    assert due(Schedule("rate(1 day)", start=start, end=end), "2026-11-21T00:00:00") == days
    assert due(Schedule("rate(1 day)", start=start, end=end), "2026-12-01T08:00:00") == days[1:]


def test_what_runs_once_is_due_once_on_the_clocks_of_its_zone() -> None:
    once = Schedule(
        "at(2026-11-22T09:00:00)", BERLIN, start=at("2027-01-01T00:00:00")
    )  # AWS reads no start here

    assert due(once, "2026-11-22T07:59:59") == ["2026-11-22T08:00:00"]
    assert due(once, "2026-11-22T08:00:00") == []


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("cron(0 8 * * *)", "not a cron(...) of six fields"),
        ("rate(5 seconds)", "a rate(...)"),
        ("rate(0 minutes)", "a rate(...)"),
        ("cron(0 8 * * * *)", "one of its two days must be ?"),
        ("cron(0 8 ? * ? *)", "one of its two days must be ?"),
        ("cron(60 8 * * ? *)", "Bad minute"),
        ("cron(0 24 * * ? *)", "Bad hour"),
        ("cron(0 8 32 * ? *)", "Bad day-of-month"),
        ("cron(0 8 30 2 ? *)", "Bad day-of-month"),
        ("cron(0 8 ? * 0 *)", "no day 0 in a week"),
        ("cron(0 8 ? * 8 *)", "no day 8 in a week"),
        ("cron(0 8 ? * 2#6 *)", "Bad day-of-week"),
        ("cron(0 8 * * ? 1969)", "years"),
        ("cron(0 8 * * ? soon)", "'SOON'"),
        ("every day", "not a cron(...)"),
    ],
)
def test_what_aws_would_not_take_is_said_at_once(expression: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"cron|rate") as error:
        Schedule(expression).due(at("2026-11-21T00:00:00"))

    assert said in str(error.value)
    assert repr(expression) in str(error.value)


@pytest.mark.parametrize("zone", ["Europe/Berln", "", "../etc", "Europe"])
def test_a_time_zone_that_is_none_is_said(zone: str) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Schedule("rate(1 day)", zone).due(at("2026-11-21T00:00:00"))


@pytest.mark.parametrize(
    ("grace", "missed"),
    [(timedelta(minutes=15), ["02:00", "03:00"]), (timedelta(minutes=30), [])],
)
def test_a_run_is_missed_once_its_grace_has_passed(grace: timedelta, missed: list[str]) -> None:
    since, now = at("2026-11-20 01:00"), at("2026-11-20 03:20")
    times = Schedule("rate(60 minutes)").missed(since, now, grace)
    assert [f"{time:%H:%M}" for time in times] == missed


def test_one_missed_run_is_enough_where_there_is_no_second() -> None:
    once = Schedule("at(2026-11-20T02:00:00)", window=timedelta(minutes=10))
    grace = timedelta(minutes=5)
    due, late = at("2026-11-20 02:00"), at("2026-11-20 02:15")
    assert once.missed(due - grace, late, grace) == [due]
    assert once.missed(due - grace, late - timedelta(seconds=1), grace) == []
    assert once.missed(due, late, grace) == []


def test_a_schedule_is_read_from_what_scheduler_answers() -> None:
    start, end = at("2026-01-01T00:00:00"), at("2027-01-01T00:00:00")
    answer = {
        "ScheduleExpression": "rate(1 hour)",
        "ScheduleExpressionTimezone": BERLIN,
        "StartDate": start,
        "EndDate": end,
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 20},
    }

    assert Schedule.of(answer) == Schedule(
        "rate(1 hour)", BERLIN, start, end, timedelta(minutes=20)
    )
    off = {"ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"}}
    assert Schedule.of(off) == Schedule("rate(1 hour)")


class Cron(dict[str, set[int]]):
    """A cron by the sets that its fields stand for."""

    def matches(self, moment: datetime, zone: ZoneInfo) -> bool:
        local = moment.astimezone(zone)
        shown = {
            "minute": local.minute,
            "hour": local.hour,
            "day": local.day,
            "month": local.month,
            "weekday": local.isoweekday() % 7 + 1,
            "year": local.year,
        }
        return not local.fold and all(shown[field] in wanted for field, wanted in self.items())


def field(least: int, most: int) -> st.SearchStrategy[tuple[str, set[int]]]:
    every = set(range(least, most + 1))
    number = st.integers(least, most)
    lists = st.sets(number, min_size=1, max_size=3).map(
        lambda some: (",".join(map(str, sorted(some))), some)
    )
    ranges = (
        st.tuples(number, number)
        .map(sorted)
        .map(lambda ends: (f"{ends[0]}-{ends[1]}", {*range(ends[0], ends[1] + 1)}))
    )
    steps = st.tuples(number, st.integers(1, 20)).map(
        lambda s: (f"{s[0]}/{s[1]}", {*range(s[0], most + 1, s[1])})
    )
    return st.one_of(st.just(("*", every)), lists, ranges, steps)


@st.composite
def crons(draw: st.DrawFn) -> tuple[str, Cron]:
    minute, hour, month = (
        draw(field(0, 59)),
        draw(field(0, 23)),
        draw(st.just(("*", {*range(1, 13)})) | field(3, 11)),
    )
    year = draw(st.sampled_from([("*", {2026, 2027}), ("2026", {2026}), ("2025/2", {2027})]))
    if draw(st.booleans()):
        name, wanted = "day", draw(field(1, 31))
        days = f"{wanted[0]} {month[0]} ?"
    else:
        name, wanted = "weekday", draw(field(1, 7))
        days = f"? {month[0]} {wanted[0]}"
    sets = Cron(minute=minute[1], hour=hour[1], month=month[1], year=year[1]) | {name: wanted[1]}
    return f"cron({minute[0]} {hour[0]} {days} {year[0]})", Cron(sets)


# Two days around what zones do to their clocks: an hour back, an hour forward, half an hour, at
# midnight, a year's end.
TURNS = [
    (BERLIN, at("2026-10-24T12:00:00")),
    (BERLIN, at("2027-03-27T12:00:00")),
    ("Australia/Lord_Howe", at("2027-04-03T00:00:00")),
    ("America/Havana", at("2027-03-13T12:00:00")),
    ("UTC", at("2026-12-31T00:00:00")),
]


@settings(max_examples=40)
@given(crons(), st.sampled_from(TURNS), st.integers(0, 86_399))
def test_due_are_the_minutes_that_a_clock_with_these_fields_shows(
    cron: tuple[str, Cron], turn: tuple[str, datetime], seconds: int
) -> None:
    (expression, fields), (zone, begin) = cron, turn
    after, until = begin + timedelta(seconds=seconds), begin + timedelta(days=2)
    minutes = (begin + timedelta(minutes=number) for number in range(2 * 24 * 60 + 1))
    wanted = [time for time in minutes if time > after and fields.matches(time, ZoneInfo(zone))]

    try:
        found = Schedule(expression, zone).due(after)
    except ValueError:  # such as the 31st of every April
        days, months = fields.get("day", {1}), fields["month"]
        assert all(min(days) > calendar.monthrange(2028, month)[1] for month in months)
        return
    shown = []
    for time in found:
        if time > until:
            break
        shown.append(time)
    assert shown == wanted
    assert all(one < other for one, other in pairwise(shown))
