"""A finding as the ledger stores it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self

from fleet.alerts import Alert, AlertStatus, dedup_key
from fleet.findings import Fact, Severity

LONG_AGO = datetime.min.replace(tzinfo=UTC)
# A queue and the dead letters keep a message for 14 days each. While the row is there, a message
# that comes after all that time is recognised as old.
KEPT = timedelta(days=30)
# A job's next report knows the finding's newest title, so the sweep lets it remind first.
REPORTS_FIRST = timedelta(hours=1)
RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}

Key = tuple[str, str]
"""The partition key and the sort key of an item."""


class State(StrEnum):
    """A finding is open or closed; what merely occurred is neither."""

    OPEN = "open"
    CLOSED = "closed"
    OCCURRED = "occurred"


@dataclass(frozen=True, slots=True)
class Moment:
    """A transition of a finding, whether or not an alert was sent about it."""

    at: datetime
    status: AlertStatus
    severity: Severity


@dataclass(frozen=True, slots=True)
class Row:
    """A finding as the ledger stores it. All times are UTC."""

    source: str
    """What reports it: a job (`stale_backups`) or an AWS service (`aws.cloudwatch`)."""
    subject: str
    """What it is about, stable within the source."""
    state: State = State.CLOSED
    severity: Severity = Severity.INFO
    """The worst of the episode, so that its end reaches everybody who was alerted at its worst."""
    title: str = ""
    detail: Mapping[str, Fact] = field(default_factory=dict)
    link: str = ""
    owner: str = ""
    at: datetime = LONG_AGO
    """The time of the newest observation that was applied; older ones change nothing."""
    event_ids: tuple[str, ...] = ()
    """The events that were applied with exactly the time `at`: each counts once."""
    opened_at: datetime = LONG_AGO
    """When the episode began; LONG_AGO if the finding has never been open."""
    last_seen: datetime = LONG_AGO
    """When it was last observed to fail or to occur."""
    count: int = 0
    """How often it was observed in this episode."""
    ordinal: int = 0
    """How many alerts the row has ever owed. It makes their ids unique."""
    changes: tuple[datetime, ...] = ()
    """Its last openings and closings, from which flapping is judged."""
    settles_at: datetime | None = None
    """While it flaps: when it will have been quiet for long enough. None when it does not flap."""
    remind_at: datetime | None = None
    """When people are to be reminded of it, unless it ends before."""
    storm: str = ""
    """The episode of the storm that it is folded into; empty when it alerts by itself."""
    run: int = 0
    """The ordinal of the job's run that opened it; 0 for a finding that no job reports.

    It is negative for a finding that flapped more often than the job ran, as retries of one run
    can let it.
    """
    owed: tuple[Alert, ...] = ()
    """Alerts of committed transitions that may not have been published yet."""
    history: tuple[Moment, ...] = ()
    """Its last transitions, over all episodes, for people to read."""
    version: int = 0
    """How often it was written; 0 for a row that is not stored yet."""

    @property
    def dedup_key(self) -> str:
        """What all alerts about the finding have in common."""
        return dedup_key(self.source, self.subject)

    @property
    def key(self) -> Key:
        """Where the row is stored."""
        return findings_of(self.source), self.dedup_key

    @property
    def is_open(self) -> bool:
        """Whether it fails, as far as is known."""
        return self.state is State.OPEN

    @property
    def due(self) -> datetime | None:
        """When a sweep has something to do with it; None when only an observation can change it."""
        return next_look(self)

    @property
    def expires(self) -> datetime | None:
        """When DynamoDB may delete it; None while it is open or due."""
        if self.is_open or self.due:
            return None
        return max(self.at, self.last_seen) + KEPT

    @property
    def owes_opening(self) -> bool:
        """Whether an alert that it opened is owed."""
        return any(alert.status is AlertStatus.OPENED for alert in self.owed)

    def without_owed(self) -> Self:
        """Return the row as it is once its alerts have been published."""
        return replace(self, owed=()) if self.owed else self


def findings_of(source: str) -> str:
    """Return the partition key of all findings of a source."""
    return f"finding#{source}"


def next_look(row: Row) -> datetime | None:
    """Return when a sweep has something to do with a row: at once while it owes an alert."""
    if row.owed:
        return row.at
    timers = [row.settles_at] if row.settles_at else []
    if row.remind_at:
        timers.append(row.remind_at + REPORTS_FIRST if row.run else row.remind_at)
    return min(timers, default=None)
