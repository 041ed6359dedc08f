"""How long a thing may last before people hear of it, and the tag that excepts it for a while.

The tag is `fleet:<job>-exception`. Its text is a day and, after a space, a reason, such as
`2027-01-31 until the vendor moves`. It counts through that day (UTC), for at most a year ahead.
The finding says so when it does not count. Why exceptions end: docs/decisions/0013.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta

from fleet import aws
from fleet.findings import Fact, Finding, Severity

EXCEPTION_DAYS = 366
LIMIT_DAYS = 3_650


@dataclass(frozen=True, slots=True)
class Threshold:
    """How many days something may last before it is a warning, and before it is critical."""

    name: str
    warning: int
    critical: int

    def __str__(self) -> str:
        variable = self.name.upper()
        names = f"{variable}_DAYS and {variable}_CRITICAL_DAYS"
        return f"{names} are {self.warning} and {self.critical}"

    def rises(self) -> bool:
        """Whether it can be meant."""
        return 0 <= self.warning <= self.critical <= LIMIT_DAYS

    def severity(self, age: timedelta) -> Severity | None:
        """How bad it is that something has lasted so long. None up to the threshold."""
        if age > timedelta(days=self.critical):
            return Severity.CRITICAL
        if age > timedelta(days=self.warning):
            return Severity.WARNING
        return None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Settings in pairs, such as `old_days` and `old_critical_days`, which a job's `Settings` add.

    Raises `ValueError` that names each pair which does not rise.
    """

    def __post_init__(self) -> None:
        wrong = []
        for setting in fields(self):
            name, suffix, _ = setting.name.partition("_critical_days")
            if suffix and not self.threshold(name).rises():
                wrong.append(str(self.threshold(name)))
        if wrong:
            pairs = ", ".join(wrong)
            raise ValueError(f"{pairs}: they must rise, within 0 to {LIMIT_DAYS}")

    def threshold(self, name: str) -> Threshold:
        """The threshold of a pair of settings, such as `old`."""
        return Threshold(
            name=name,
            warning=getattr(self, f"{name}_days"),
            critical=getattr(self, f"{name}_critical_days"),
        )

    def flaws(self, name: str, flaw: str, age: timedelta) -> dict[str, Severity]:
        """Return `flaw` with its severity by the threshold of this name; nothing up to it."""
        severity = self.threshold(name).severity(age)
        return {flaw: severity} if severity else {}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A thing that may be stale, and what speaks for it."""

    subject: str
    name: str
    """As a title begins: `secret crm`."""
    flaws: Mapping[str, Severity]
    """How a title may go on, such as `is 100 d old`. Without any, the thing is not stale."""
    page: str
    """The path of its page in AWS's console, URL-encoded."""
    detail: Mapping[str, Fact] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


def judge(candidate: Candidate, job: str, now: datetime) -> Iterator[Finding]:
    """Yield the finding about a thing with flaws, unless its tag excepts it from the job."""
    if not candidate.flaws:
        return
    title = f"{candidate.name} {' and '.join(candidate.flaws)}"
    detail = dict(candidate.detail)
    exception = candidate.tags.get(exception_tag(job))
    if exception is not None:
        fault = exception_fault(exception, now)
        if not fault:
            return
        title += f"; its exception {fault}"
        detail["exception"] = fault
    is_critical = Severity.CRITICAL in candidate.flaws.values()
    yield Finding(
        subject=candidate.subject,
        title=title,
        severity=Severity.CRITICAL if is_critical else Severity.WARNING,
        detail=detail,
        link=aws.console_url(candidate.page),
    )


def exception_tag(job: str) -> str:
    """The tag that excepts a resource from a job."""
    return f"fleet:{job.replace('_', '-')}-exception"


def exception_fault(exception: str, now: datetime) -> str:
    """Why the text of an exception does not count now; empty when it does."""
    try:
        left = last_moment(exception) - now
    except ValueError:  # the finding shows the tag itself
        return f"does not begin with a day such as {now:%Y-%m-%d}: {exception!r}"
    if left < timedelta(0):
        return f"has ended: {exception!r}"
    if left > timedelta(days=EXCEPTION_DAYS):
        return f"ends in more than {EXCEPTION_DAYS} days: {exception!r}"
    return ""


def last_moment(text: str) -> datetime:
    """The end, in UTC, of the day with which a tag's text begins. Raises `ValueError`."""
    day, _, _ = text.partition(" ")
    midnight = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    return midnight.replace(hour=23, minute=59, second=59)
