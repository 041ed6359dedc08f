"""A finding as the ledger stores it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self

from fleet.alerts import Alert, AlertStatus, dedup_key
from fleet.findings import Fact, Severity

LONG_AGO = datetime.min.replace(tzinfo=UTC)
# A queue and the dead letters keep a message for 14 days each; while its row is there, a latecomer is known as old.
KEPT = timedelta(days=30)
# A job's next report knows the finding's newest title, so it comes first in reminding.
REPORTS_FIRST = timedelta(hours=1)
RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}

Key = tuple[str, str]


class State(StrEnum):
    """A finding is open or closed; what merely occurred is neither."""

    OPEN = "open"
    CLOSED = "closed"
    OCCURRED = "occurred"


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened to a finding, and when, whether or not anybody was told."""

    at: datetime
    status: AlertStatus
    severity: Severity


@dataclass(frozen=True, slots=True)
class Row:
    """A finding as the ledger knows it.

    `at` is when the last observation that was applied was so, and `event_ids` are those applied of that moment.
    `severity` is the worst of the episode, so that its end reaches whoever was told of its worst. `ordinal` counts the
    row's alerts. `changes` are its last openings and closings. `settles_at` is set while it flaps. `storm` names the
    storm that tells of it. `run` is the number of the job's run that found it; zero for what no job reports. `history`
    is for people: its last moments, which outlive an episode.
    """

    source: str
    subject: str
    state: State = State.CLOSED
    severity: Severity = Severity.INFO
    title: str = ""
    detail: Mapping[str, Fact] = field(default_factory=dict)
    link: str = ""
    owner: str = ""
    at: datetime = LONG_AGO
    event_ids: tuple[str, ...] = ()
    opened_at: datetime = LONG_AGO
    last_seen: datetime = LONG_AGO
    count: int = 0
    ordinal: int = 0
    changes: tuple[datetime, ...] = ()
    settles_at: datetime | None = None
    remind_at: datetime | None = None
    storm: str = ""
    run: int = 0
    owed: tuple[Alert, ...] = ()
    history: tuple[Moment, ...] = ()
    version: int = 0

    @property
    def dedup_key(self) -> str:
        return dedup_key(self.source, self.subject)

    @property
    def key(self) -> Key:
        return findings_of(self.source), self.dedup_key

    @property
    def due(self) -> datetime | None:
        return next_look(self)

    @property
    def expires(self) -> datetime | None:
        return None if self.state is State.OPEN or self.due else max(self.at, self.last_seen) + KEPT

    @property
    def opens(self) -> bool:
        """Whether it owes the alert that it opened."""
        return any(alert.status is AlertStatus.OPENED for alert in self.owed)

    def paid(self) -> Self:
        return replace(self, owed=()) if self.owed else self


def findings_of(source: str) -> str:
    """The key under which all findings of a source stand."""
    return f"finding#{source}"


def next_look(row: Row) -> datetime | None:
    """When a sweep is to look at a row, unless something touches it before: at once while it owes an alert."""
    if row.owed:
        return row.at
    late = row.remind_at and row.remind_at + (REPORTS_FIRST if row.run else timedelta())
    return min((at for at in (late, row.settles_at) if at), default=None)
