"""When EventBridge Scheduler runs what is scheduled: the due times of `cron(...)`, `rate(...)` and
`at(...)`.

A cron's fields are put as cronsim reads them; what it does not know, years and the weekday nearest
a day (`15W`), is decided here. A cron is read on the clocks of its time zone, as Scheduler does: a
time that they skip is not due, and one that they show twice is due once.
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
YEARS = (1970, 2199)
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MOMENT = timedelta(microseconds=1)


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
        return cls(
            answer["ScheduleExpression"],
            answer.get("ScheduleExpressionTimezone", "UTC"),
            answer.get("StartDate"),
            answer.get("EndDate"),
            timedelta(
                minutes=answer.get("FlexibleTimeWindow", {}).get("MaximumWindowInMinutes", 0)
            ),
        )

    def due(self, after: datetime) -> Iterator[datetime]:
        """Return, in UTC and in their order, the times later than `after` at which it is due.

        A rate counts from `after`, as from the last run, or from its start. Raises `ValueError` for
        an expression or a time zone that Scheduler would not take.
        """
        zone = _zone(self.zone)
        if once := AT.fullmatch(self.expression):  # which knows no start and no end
            time = datetime.fromisoformat(once[1])
            return _once(time.replace(tzinfo=zone), after)
        if self.start:
            after = max(after, self.start - MOMENT)
        if rate := RATE.fullmatch(self.expression):
            times = self._at_rate(int(rate[1]), rate[2], after)
        elif cron := CRON.fullmatch(self.expression):
            local_times = _local(cron, _naive(after, zone))
            times = _on_clocks(local_times, zone, after)
        else:
            raise ValueError(
                f"{self.expression!r} is not a cron(...) of six fields, a rate(...) or an at(...)"
            )
        return self._before_its_end(times)

    def _at_rate(self, number: int, unit: str, after: datetime) -> Iterator[datetime]:
        """Yield the times of a rate, such as 5 minutes, without end."""
        periods = {
            "minute": timedelta(minutes=number),
            "hour": timedelta(hours=number),
            "day": timedelta(days=number),
        }
        period = periods[unit]
        time = after + period
        if self.start and after < self.start:
            time = self.start
        time = time.astimezone(UTC)
        while True:
            yield time
            time += period

    def _before_its_end(self, times: Iterator[datetime]) -> Iterator[datetime]:
        for time in times:
            if self.end and time > self.end:
                return
            yield time

    def missed(self, since: datetime, now: datetime, grace: timedelta) -> list[datetime]:
        """Return the due times that a job has missed which was silent `since` its last report: two,
        one or none.

        It has missed them once the second should have begun (its window included) and `grace` has
        passed since. Where the schedule has no second (it runs once, or has ended), the first
        counts. Raises `ValueError` as `due` does.
        """
        due = list(islice(self.due(since), 2))
        if not due:
            return []
        latest_begin = due[-1] + self.window
        return due if latest_begin + grace <= now else []


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"there is no time zone {name!r}: name one of IANA's, such as Europe/Berlin"
        ) from None


def _once(time: datetime, after: datetime) -> Iterator[datetime]:
    if time > after:
        yield time.astimezone(UTC)


def _naive(time: datetime, zone: ZoneInfo) -> datetime:
    """Return what the clocks of a zone show at a time."""
    return time.astimezone(zone).replace(tzinfo=None)


def _on_clocks(local: Iterator[datetime], zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Yield, in UTC, when the zone's clocks first show each of these times.

    Those that are not later than `after` are left out.
    """
    for time in local:
        moment = time.replace(tzinfo=zone).astimezone(UTC)
        if moment > after and _naive(moment, zone) == time:
            yield moment


def _local(cron: re.Match[str], after: datetime) -> Iterator[datetime]:
    """Return the times that clocks show when a cron is due, later than `after`.

    Raises `ValueError` at once for fields that Scheduler would not take.
    """
    try:
        return _times([field.upper() for field in cron.groups()], after)
    except (ValueError, CronSimError) as error:
        raise ValueError(
            f"{cron[0]!r} is not as EventBridge Scheduler writes it: {error}"
        ) from None


def _times(fields: list[str], after: datetime) -> Iterator[datetime]:
    minutes, hours, day, month, weekday, years = fields
    if (day == "?") == (weekday == "?"):
        raise ValueError("one of its two days must be ?, and the other not")
    day_of_month = day.replace("?", "*")
    near = re.fullmatch(r"([1-9]|[12]\d|3[01])W", day)
    near_day = int(near[1]) if near else 0
    if near_day:  # no further away than Monday is from Saturday the 1st
        day_of_month = f"{max(near_day - 2, 1)}-{min(near_day + 2, 31)}"
    spec = " ".join([minutes, hours, day_of_month, month, _weekday(weekday)])
    CronSim(spec, after)  # which raises for fields that it cannot read
    ahead = sorted({year for year in _years(years) if year >= after.year})
    return _times_within(spec, ahead, near_day, after)


def _times_within(
    spec: str, years: list[int], near_day: int, after: datetime
) -> Iterator[datetime]:
    """Yield the times of these years.

    Where there is a `near_day`, those of the weekday nearest to it.
    """
    for year in years:
        new_year = datetime(year, 1, 1)  # noqa: DTZ001 - what clocks show, wherever
        begin = max(after, new_year - timedelta(seconds=1))
        for time in CronSim(spec, begin):
            if time.year != year:
                break
            if not near_day or time.day == _nearest_weekday(time, near_day):
                yield time


def _weekday(field: str) -> str:
    """Return the field with the days 0 to 6, not 1 to 7, from Sunday on."""
    for number, name in enumerate(WEEKDAYS, start=1):
        field = field.replace(name, str(number))
    field = {"?": "*", "L": "7"}.get(field, field)
    if bad := re.search(r"(?<![#/\d])(0|[89]|\d\d)", field):
        raise ValueError(f"there is no day {bad[0]} in a week of 1 (Sunday) to 7")
    field = re.sub(r"(?<![#/\d])\d", lambda day: str(int(day[0]) - 1), field)
    return re.sub(r"(?<![-#\d])(\d)/", r"\1-6/", field)


def _years(field: str) -> Iterator[int]:
    for term in field.split(","):
        yield from _years_of(term)


def _years_of(term: str) -> range:
    """Read a term such as `*`, `2027`, `2027-2030`, `2027/2` or `*/2`."""
    years, _, step = term.partition("/")
    low, high = YEARS
    if years != "*":
        first, _, last = years.partition("-")
        low = int(first)
        if last:
            high = int(last)
        elif not step:
            high = low
    if not YEARS[0] <= low <= high <= YEARS[1]:
        raise ValueError(f"its years are not within {YEARS[0]} and {YEARS[1]}")
    return range(low, high + 1, int(step or 1))


def _nearest_weekday(time: datetime, day: int) -> int:
    """Return the day of the time's month that is a weekday and nearest to `day`.

    0 where there is no such day.
    """
    first, last = monthrange(time.year, time.month)
    if day > last:
        return 0
    match (first + day - 1) % 7:
        case 5:
            return day - 1 if day > 1 else day + 2
        case 6:
            return day + 1 if day < last else day - 2
    return day
