"""What each job has reported, as the ledger stores it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from fleet.ledger.rows import LONG_AGO, Key

REPORTS = "reports"


@dataclass(frozen=True, slots=True)
class Part:
    """A range of subjects, and the last report that covers it."""

    after: str = ""
    """The range begins behind this subject; empty for the very first subject."""
    through: str | None = None
    """The range ends with this subject; None when it has no end."""
    at: datetime = LONG_AGO
    """The moment of the schedule that the report is of."""
    event_id: str = ""
    """The event that carried the report."""
    superseded: tuple[str, ...] = ()
    """Events that reported before it for the same moment, as a run that is retried does."""

    def covers(self, subject: str) -> bool:
        """Whether the subject lies in the range."""
        return self.after < subject and (self.through is None or subject <= self.through)

    def overlaps(self, other: Self) -> bool:
        """Whether both ranges have subjects in common."""
        through = self.first_end(other)
        return through is None or max(self.after, other.after) < through

    def first_end(self, other: Self) -> str | None:
        """Return the end of the range that ends first; None when neither has an end."""
        ends = (self.through, other.through)
        return min((end for end in ends if end is not None), default=None)


@dataclass(frozen=True, slots=True)
class Ran:
    """A run of a job."""

    at: datetime
    """The moment of the schedule that it was for."""
    found: Mapping[str, int]
    """How many findings each part of its report had, by a checksum of the part's range."""

    @property
    def findings(self) -> int:
        """How many findings the run had."""
        return sum(self.found.values())


@dataclass(frozen=True, slots=True)
class Reports:
    """What a job has reported."""

    job: str
    runs: int = 0
    """How many runs have reported: a finding that stays open need not be written for each."""
    last_report: datetime = LONG_AGO
    """The moment of the newest run; LONG_AGO until there is one."""
    previous_report: datetime = LONG_AGO
    """The moment of the run before it."""
    parts: tuple[Part, ...] = (Part(),)
    """The last report about each range of subjects: in order, without gaps, from first to last."""
    recent: tuple[Ran, ...] = ()
    """The last runs for people to read, the newest last."""
    version: int = 0
    due: ClassVar[None] = None
    expires: ClassVar[None] = None

    @property
    def key(self) -> Key:
        """Where the reports of the job are stored."""
        return REPORTS, self.job
