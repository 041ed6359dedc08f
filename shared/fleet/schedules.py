"""When EventBridge Scheduler runs what is scheduled: the due times of `cron(...)`, `rate(...)` and
`at(...)`.

A cron's fields are rewritten for cronsim. Years and the weekday nearest a day (`15W`), which
cronsim does not know, are decided here. A cron is read on the clocks of its time zone, as Scheduler
does: a time that they skip is not due, and one that they show twice is due once.
"""

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

CRON = re.compile(r"cron\(\s*(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s*\)")
RATE = re.compile(r"rate\(\s*([1-9]\d{0,5})\s+(minute|hour|day)s?\s*\)")
AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")
UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
WEEKDAY_NEAREST = re.compile(r"([1-9]|[12]\d|3[01])W")
FIRST_YEAR = 1970
LAST_YEAR = 2199
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
# In the field of weekdays. What stands behind # or / counts, and is not a day.
DAY_NUMBER = re.compile(r"(?<![#/\d])\d")
WRONG_DAY_NUMBER = re.compile(r"(?<![#/\d])(0|[89]|\d\d)")
STEP_WITHOUT_END = re.compile(r"(?<![-#\d])(\d)/")
# As datetime.weekday() counts.
SATURDAY = 5
SUNDAY = 6
MOMENT = timedelta(microseconds=1)

Times = Iterator[datetime]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as Scheduler keeps it; a run may begin as late as `window` after it is due."""

    expression: str
    zone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None
    window: timedelta = timedelta(0)

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Read what Scheduler's GetSchedule answers."""
        flexible = answer.get("FlexibleTimeWindow", {})
        minutes = flexible.get("MaximumWindowInMinutes", 0)
        return cls(
            expression=answer["ScheduleExpression"],
            zone=answer.get("ScheduleExpressionTimezone", "UTC"),
            start=answer.get("StartDate"),
            end=answer.get("EndDate"),
            window=timedelta(minutes=minutes),
        )

    def due(self, after: datetime) -> Times:
        """Return, in UTC and in their order, the times later than `after` at which it is due.

        A rate counts from `after`, as from the last run, or from its start. Raises `ValueError` for
        an expression or a time zone that Scheduler would not take.
        """
        zone = _zone(self.zone)
        if once := AT.fullmatch(self.expression):  # which knows no start and no end
            local_time = datetime.fromisoformat(once[1])
            time = local_time.replace(tzinfo=zone)
            return _once(time, after)
        if self.start:
            just_before = self.start - MOMENT
            after = max(after, just_before)
        times = self._times(zone, after)
        return self._before_its_end(times)

    def _times(self, zone: ZoneInfo, after: datetime) -> Times:
        """Return the times of what repeats, later than `after`, whatever its end is."""
        if rate := RATE.fullmatch(self.expression):
            number, unit = rate.groups()
            count = int(number)
            period = count * UNITS[unit]
            return self._at_rate(period, after)
        if cron := CRON.fullmatch(self.expression):
            local_after = _naive(after, zone)
            local_times = _local(cron, local_after)
            return _on_clocks(local_times, zone, after)
        raise ValueError(
            f"{self.expression!r} is not a cron(...) of six fields, a rate(...) or an at(...)"
        )

    def _at_rate(self, period: timedelta, after: datetime) -> Times:
        """Yield the times of a rate, such as every 5 minutes, without end."""
        time = after + period
        if self.start and after < self.start:
            time = self.start
        time = time.astimezone(UTC)
        while True:
            yield time
            time += period

    def _before_its_end(self, times: Times) -> Times:
        for time in times:
            if self.end and time > self.end:
                return
            yield time

    def missed(self, since: datetime, now: datetime, grace: timedelta) -> list[datetime]:
        """Return the due times that a job has missed if its last report came at `since`.

        They are the first two after `since`, and count as missed once `grace` has passed since the
        second should have begun (its window included). Where the schedule has no second (it runs
        once, or has ended), the first is enough. Empty while nothing is missed. Raises
        `ValueError` as `due` does.
        """
        times = self.due(since)
        first_two = list(islice(times, 2))
        if not first_two:
            return []
        last = first_two[-1]
        latest_begin = last + self.window
        if now < latest_begin + grace:
            return []
        return first_two


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {name!r}: name one of IANA's, such as Europe/Berlin"
        ) from None


def _once(time: datetime, after: datetime) -> Times:
    if time > after:
        yield time.astimezone(UTC)


def _naive(time: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clocks of a zone show at a time."""
    local_time = time.astimezone(zone)
    return local_time.replace(tzinfo=None)


def _on_clocks(local: Times, zone: ZoneInfo, after: datetime) -> Times:
    """Yield, in UTC, when the zone's clocks first show each of these times.

    Those that are not later than `after` are left out.
    """
    for local_time in local:
        in_zone = local_time.replace(tzinfo=zone)
        time = in_zone.astimezone(UTC)
        skipped = _naive(time, zone) != local_time
        if time > after and not skipped:
            yield time


def _local(cron: re.Match[str], after: datetime) -> Times:
    """Return the times that clocks show when a cron is due, later than `after`.

    Raises `ValueError` at once for fields that Scheduler would not take.
    """
    fields = [field.upper() for field in cron.groups()]
    try:
        return _times(fields, after)
    except (ValueError, CronSimError) as error:
        fault = f"{cron[0]!r} is not as EventBridge Scheduler writes it: {error}"
        raise ValueError(fault) from None


def _times(fields: list[str], after: datetime) -> Times:
    minutes, hours, day, month, weekday, years = fields
    if (day == "?") == (weekday == "?"):
        raise ValueError("one of its two days must be ?, and the other not")
    days = day.replace("?", "*")
    near_day = 0
    if near := WEEKDAY_NEAREST.fullmatch(day):
        near_day = int(near[1])
        days = _days_about(near_day)
    weekdays = _weekday(weekday)
    spec = f"{minutes} {hours} {days} {month} {weekdays}"
    CronSim(spec, after)  # which raises for fields that it cannot read
    known_years = _years(years)
    return _times_within(spec, known_years, near_day, after)


def _days_about(day: int) -> str:
    """Return the days of a month among which the weekday nearest to `day` is.

    It is no further away than Monday the 3rd is from Saturday the 1st.
    """
    earliest = max(day - 2, 1)
    latest = min(day + 2, 31)
    return f"{earliest}-{latest}"


def _times_within(spec: str, years: list[int], near_day: int, after: datetime) -> Times:
    """Yield the times of these years that are later than `after`.

    If there is a `near_day`, only those on the weekday nearest to it.
    """
    for year in years:
        if year < after.year:
            continue
        new_year = datetime(year, 1, 1)  # noqa: DTZ001 - what clocks show, wherever
        just_before = new_year - timedelta(seconds=1)
        begin = max(after, just_before)
        for time in CronSim(spec, begin):
            if time.year != year:
                break
            if near_day and time.day != _nearest_weekday(time, near_day):
                continue
            yield time


def _weekday(field: str) -> str:
    """Return the field with the days 0 to 6, not 1 to 7, from Sunday on."""
    if field == "?":
        return "*"
    if field == "L":
        return "6"
    for number, name in enumerate(WEEKDAYS, start=1):
        field = field.replace(name, str(number))
    if wrong := WRONG_DAY_NUMBER.search(field):
        raise ValueError(f"there is no day {wrong[0]} in a week of 1 (Sunday) to 7")
    field = DAY_NUMBER.sub(_day_before, field)
    return STEP_WITHOUT_END.sub(r"\1-6/", field)


def _day_before(day: re.Match[str]) -> str:
    number = int(day[0])
    return str(number - 1)


def _years(field: str) -> list[int]:
    """Return, in their order, the years that a field names."""
    years: set[int] = set()
    for term in field.split(","):
        years_of_term = _years_of(term)
        years.update(years_of_term)
    return sorted(years)


def _years_of(term: str) -> range:
    """Read a term such as `*`, `2027`, `2027-2030`, `2027/2` or `*/2`."""
    years, _, step = term.partition("/")
    low = FIRST_YEAR
    high = LAST_YEAR
    if years != "*":
        first, _, last = years.partition("-")
        low = int(first)
        if last:
            high = int(last)
        elif not step:
            high = low
    if not FIRST_YEAR <= low <= high <= LAST_YEAR:
        raise ValueError(f"its years are not within {FIRST_YEAR} and {LAST_YEAR}")
    interval = int(step) if step else 1
    return range(low, high + 1, interval)


def _nearest_weekday(time: datetime, day: int) -> int:
    """Return the day of the time's month that is a weekday and nearest to `day`.

    0 where there is no such day.
    """
    first_weekday, last_day = monthrange(time.year, time.month)
    if day > last_day:
        return 0
    weekday = (first_weekday + day - 1) % 7
    if weekday == SATURDAY:
        monday = day + 2
        return monday if day == 1 else day - 1
    if weekday == SUNDAY:
        friday = day - 2
        return friday if day == last_day else day + 1
    return day
