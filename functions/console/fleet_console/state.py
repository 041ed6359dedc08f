"""What is to be said of a job, decided from what was read of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, Protocol, Self

from fleet.findings import Severity
from fleet.ledger.reports import Ran
from fleet.ledger.rows import LONG_AGO
from fleet.schedules import Schedule
from fleet_console.catalogue import Job

# The same as the job `missed_runs` gives by default.
GRACE = timedelta(minutes=15)


class State(StrEnum):
    """How a job fares, the first that holds."""

    MISSING = "missing"
    DISABLED = "disabled"
    FAILING = "failing"
    LATE = "late"
    UNKNOWN = "unknown"
    FINDINGS = "findings"
    WAITING = "waiting"
    OK = "ok"


@dataclass(frozen=True, slots=True)
class Planned:
    """A job's schedule, as Scheduler has it now and since `changed`; `event` is what it sends.

    `fault` says why nobody knows when it is due, if so.
    """

    schedule: Schedule
    enabled: bool
    event: str
    changed: datetime
    fault: str = ""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Read what Scheduler's GetSchedule answers."""
        schedule, changed, fault = Schedule.of(answer), answer["LastModificationDate"], ""
        try:
            next(schedule.due(changed), None)
        except ValueError as error:
            fault = str(error)
        return cls(
            schedule,
            answer["State"] == "ENABLED",
            answer["Target"].get("Input", "{}"),
            changed,
            fault,
        )

    def next_due(self, now: datetime) -> datetime | None:
        return next(self.schedule.due(now), None) if self.enabled and not self.fault else None

    def missed(self, last: datetime, now: datetime) -> bool:
        """Whether two runs were to begin since the last, or since the schedule changed; it may have but one."""
        if self.fault:
            return False
        due = list(islice(self.schedule.due(max(last, self.changed)), 2))
        return bool(due) and due[-1] + self.schedule.window + GRACE <= now


class Failure(Protocol):
    """The newest dead letter of a job."""

    @property
    def id(self) -> str: ...
    @property
    def first_seen(self) -> datetime: ...
    @property
    def error_type(self) -> str: ...
    @property
    def reason(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Status:
    """A job as it is now. `planned` is of a scheduled job, `queue` of a queue job; None says there is none such."""

    job: Job
    now: datetime
    planned: Planned | None = None
    queue: Mapping[str, int] | None = None
    last_report: datetime = LONG_AGO
    runs: tuple[Ran, ...] = ()
    open_findings: Mapping[Severity, int] = field(default_factory=dict)
    letters: int = 0
    last_failure: Failure | None = None

    @property
    def state(self) -> State:
        planned = self.planned
        facts = {
            State.MISSING: planned is None if self.job.scheduled else self.queue is None,
            State.DISABLED: planned is not None and not planned.enabled,
            State.FAILING: self.letters > 0,
            State.LATE: planned is not None and planned.missed(self.last_report, self.now),
            State.UNKNOWN: planned is not None and bool(planned.fault),
            State.FINDINGS: any(self.open_findings.values()),
            State.WAITING: planned is not None and not self.reported,
        }
        return next((state for state, holds in facts.items() if holds), State.OK)

    @property
    def reported(self) -> bool:
        return self.last_report > LONG_AGO

    def as_json(self) -> dict[str, Any]:
        """The job as the API shows it in a list."""
        planned = self.planned
        next_due = planned.next_due(self.now) if planned else None
        return {
            "name": self.job.name,
            "summary": self.job.summary,
            "state": self.state,
            "trigger": self.job.trigger,
            "schedule": planned
            and {
                "expression": planned.schedule.expression,
                "time_zone": planned.schedule.zone,
                "enabled": planned.enabled,
                "next_due": next_due and next_due.isoformat(),
                "fault": planned.fault,
            },
            "queue": self.queue,
            "last_report": self.last_report.isoformat() if self.reported else None,
            "runs": [{"at": ran.at.isoformat(), "findings": ran.findings} for ran in self.runs],
            "findings_open": {
                severity.value: self.open_findings.get(severity, 0) for severity in Severity
            },
            "dead_letters": self.letters,
            "last_failure": self.last_failure
            and {
                "letter": self.last_failure.id,
                "at": self.last_failure.first_seen.isoformat(),
                "error_type": self.last_failure.error_type,
                "reason": self.last_failure.reason,
            },
        }
