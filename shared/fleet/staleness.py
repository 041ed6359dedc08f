"""How long a thing may last before people hear of it, and the tag that excepts it for a while.

The tag is `fleet:<job>-exception`, its value a day and, after a space, a reason: `2027-01-31 until the vendor moves`.
It counts through that day (UTC), for at most a year ahead. One that does not count is said in the finding.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta

from fleet import aws
from fleet.findings import Fact, Finding, Severity

EXCEPTION_DAYS = 366
LIMIT_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class Ladders:
    """Settings in pairs, such as `old_days` and `old_critical_days`: when people are warned, when it is critical."""

    def __post_init__(self) -> None:
        names = [
            each.name.removesuffix("_critical_days")
            for each in fields(self)
            if "_critical_" in each.name
        ]
        ladders = [(name, *self._rungs(name)) for name in names]
        if wrong := [each for each in ladders if not 0 <= each[1] <= each[2] <= LIMIT_DAYS]:
            said = (
                f"{name}_days and {name}_critical_days are {low} and {high}"
                for name, low, high in wrong
            )
            raise ValueError(f"{', '.join(said)}: they must rise, within 0 to {LIMIT_DAYS}")

    def faults(self, ladder: str, what: str, lasts: timedelta) -> dict[str, Severity]:
        """Return `what` with its severity, or nothing as long as it may last."""
        warning, critical = (timedelta(days=days) for days in self._rungs(ladder))
        if lasts > critical:
            return {what: Severity.CRITICAL}
        return {what: Severity.WARNING} if lasts > warning else {}

    def _rungs(self, ladder: str) -> tuple[int, int]:
        return getattr(self, f"{ladder}_days"), getattr(self, f"{ladder}_critical_days")


@dataclass(frozen=True, slots=True)
class Stale:
    """A thing and its faults, each of which ends the sentence that `name` begins; `page` is of AWS's console."""

    subject: str
    name: str
    faults: Mapping[str, Severity]
    page: str
    detail: Mapping[str, Fact] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def judged(thing: Stale, job: str, now: datetime) -> Iterator[Finding]:
    """Yield the finding about a thing with faults, unless its tag excepts it from the job."""
    exception = thing.tags.get(exception_tag(job))
    why = "" if exception is None else _refused(exception, now)
    if thing.faults and (exception is None or why):
        severity = (
            Severity.CRITICAL if Severity.CRITICAL in thing.faults.values() else Severity.WARNING
        )
        title = " and ".join([f"{thing.name} {next(iter(thing.faults))}", *list(thing.faults)[1:]])
        detail = {**thing.detail, **({"exception": why} if why else {})}
        link = aws.console_url(thing.page)
        yield Finding(
            thing.subject, f"{title}; its exception {why}" if why else title, severity, detail, link
        )


def exception_tag(job: str) -> str:
    """The tag that excepts a resource from a job."""
    return f"fleet:{job.replace('_', '-')}-exception"


def last_moment(text: str) -> datetime:
    """The end, in UTC, of the day with which a tag's text begins. Raises `ValueError`."""
    return datetime.strptime(text.split(" ", 1)[0], "%Y-%m-%d").replace(
        hour=23, minute=59, second=59, tzinfo=UTC
    )


def _refused(exception: str, now: datetime) -> str:
    try:
        left = last_moment(exception) - now
    except ValueError:  # the finding shows the tag itself
        return f"does not begin with a day such as {now:%Y-%m-%d}: {exception!r}"
    if left < timedelta(0):
        return f"has ended: {exception!r}"
    return (
        f"ends in more than {EXCEPTION_DAYS} days: {exception!r}"
        if left > timedelta(days=EXCEPTION_DAYS)
        else ""
    )
