"""How a job is doing, decided from what was read of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from fleet.findings import Severity
from fleet.ledger.reports import Ran
from fleet.ledger.rows import LONG_AGO
from fleet_console.catalogue import Job
from fleet_console.reading.jobs import DEFAULT_GRACE, JobSchedule, QueueCounts
from fleet_console.reading.letters import DeadLetter


class Place(StrEnum):
    """What a part of a page is read from, in the words that name it when that fails."""

    LEDGER = "the ledger"
    LETTERS = "the dead letters"
    SCHEDULES = "the schedules"
    QUEUES = "the queues"
    GRACE = "the settings of missed_runs"
    SETTINGS = "its settings"
    LOG = "its log"


class JobState(StrEnum):
    """How a job is doing: the first of these that holds."""

    MISSING = "missing"
    DISABLED = "disabled"
    FAILING = "failing"
    LATE = "late"
    UNKNOWN = "unknown"
    FINDINGS = "findings"
    WAITING = "waiting"
    OK = "ok"


# The worst first, as the fleet is listed.
URGENCY = (
    JobState.MISSING,
    JobState.FAILING,
    JobState.LATE,
    JobState.UNKNOWN,
    JobState.FINDINGS,
    JobState.WAITING,
    JobState.DISABLED,
    JobState.OK,
)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it is at `now`.

    `schedule` is that of a scheduled job and `queue` that of any other; None when it has none, or
    when it was not read. `grace` is how long after its due time a run is not yet missed. `runs` are
    the last ones, newest last. `unread` are the places that could not be read.
    """

    job: Job
    now: datetime
    schedule: JobSchedule | None = None
    queue: QueueCounts | None = None
    grace: timedelta = DEFAULT_GRACE
    last_report: datetime = LONG_AGO
    runs: tuple[Ran, ...] = ()
    open_findings: Mapping[Severity, int] = field(default_factory=dict)
    letters: tuple[DeadLetter, ...] = ()
    unread: frozenset[Place] = frozenset()

    @property
    def state(self) -> JobState:
        """How it is doing; what was not read is never taken for silence."""
        trigger = Place.SCHEDULES if self.job.scheduled else Place.QUEUES
        if trigger in self.unread:
            return JobState.FAILING if self.letters else JobState.UNKNOWN
        state = self._known_state()
        if self.unread and state in (JobState.OK, JobState.WAITING):
            return JobState.UNKNOWN
        return state

    @property
    def urgency(self) -> tuple[int, str]:
        """Where it stands in a list of the most urgent first."""
        return URGENCY.index(self.state), self.job.name

    @property
    def reported(self) -> bool:
        """Whether it has ever published a report."""
        return self.last_report > LONG_AGO

    @property
    def last_failure(self) -> DeadLetter | None:
        """The newest of its dead letters."""
        return self.letters[-1] if self.letters else None

    @property
    def next_due(self) -> datetime | None:
        """When its schedule is due next, or None."""
        return self.schedule.next_due(self.now) if self.schedule else None

    def _known_state(self) -> JobState:
        schedule = self.schedule
        deployed = schedule if self.job.scheduled else self.queue
        late = schedule is not None and schedule.is_late(self.last_report, self.now, self.grace)
        holds = {
            JobState.MISSING: deployed is None,
            JobState.DISABLED: schedule is not None and not schedule.enabled,
            JobState.FAILING: bool(self.letters),
            JobState.LATE: late,
            JobState.UNKNOWN: schedule is not None and schedule.fault != "",
            JobState.FINDINGS: any(self.open_findings.values()),
            JobState.WAITING: schedule is not None and not self.reported,
            JobState.OK: True,
        }
        return next(state for state in JobState if holds[state])
