"""What each job has reported, as the ledger stores it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fleet.ledger.rows import LONG_AGO, Key

REPORTS = "reports"


@dataclass(frozen=True, slots=True)
class Part:
    """The last report about the subjects after `after` through `through` (None: all others).

    A run that is tried again reports a second time for the same moment: then the one announced last counts, and
    `superseded` are the ones before.
    """

    after: str = ""
    through: str | None = None
    at: datetime = LONG_AGO
    event_id: str = ""
    superseded: tuple[str, ...] = ()

    def covers(self, subject: str) -> bool:
        return self.after < subject and (self.through is None or subject <= self.through)


@dataclass(frozen=True, slots=True)
class Ran:
    """A run, and how many findings each of its reports had, by a checksum of the range that it is complete for."""

    at: datetime
    found: Mapping[str, int]

    @property
    def findings(self) -> int:
        return sum(self.found.values())


@dataclass(frozen=True, slots=True)
class Reports:
    """What a job has reported. `runs` counts its runs, so that a finding which stays the same is not written anew.

    `parts` cover all subjects, in their order. `last_report` is LONG_AGO until there is one. `recent` is for people:
    the last runs, the newest last.
    """

    job: str
    runs: int = 0
    last_report: datetime = LONG_AGO
    previous_report: datetime = LONG_AGO
    parts: tuple[Part, ...] = (Part(),)
    recent: tuple[Ran, ...] = ()
    version: int = 0
    due: ClassVar[None] = None
    expires: ClassVar[None] = None

    @property
    def key(self) -> Key:
        return REPORTS, self.job
