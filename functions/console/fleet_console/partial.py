"""Pages of which a part cannot be read: they say so with the cause, and show the rest."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.findings import Severity
from fleet.ledger.reports import Reports
from fleet.runtime.telemetry import logger
from fleet.settings import SettingsError
from fleet_console.catalogue import Job
from fleet_console.reading import DeadLettersSeen, Reading
from fleet_console.state import State, Status

T = TypeVar("T")
LEDGER, LETTERS, SCHEDULES, QUEUES = "the ledger", "the dead letters", "the schedules", "the queues"
# The worst first, as the fleet is listed.
URGENCY = (
    *(State.MISSING, State.FAILING, State.LATE, State.UNKNOWN, State.FINDINGS),
    *(State.WAITING, State.DISABLED, State.OK),
)


class Partial:
    """The readings of one page. `faults` names each place that could not be read, with the cause."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.faults: dict[str, str] = {}

    def get(self, place: str, read: Callable[[], T], otherwise: T) -> T:
        """Read something; a place that has failed once is not asked again."""
        if place in self.faults:
            return otherwise
        try:
            return read()
        except (BotoCoreError, ClientError, SettingsError) as error:
            logger.warning("a part of a page could not be read", part=place, cause=str(error))
            self.faults[place] = _cause(error)
            return otherwise

    def jobs(self, jobs: Iterable[Job], now: datetime) -> list[dict[str, Any]]:
        """Return how these jobs fare, the most urgent first."""
        shown = [self.job(job, now) for job in jobs]
        return sorted(shown, key=lambda job: (URGENCY.index(job["state"]), job["name"]))

    def job(self, job: Job, now: datetime) -> dict[str, Any]:
        """Return how a job fares, as far as it can be read."""
        reading = self.reading
        all_reports: dict[str, Reports] = self.get(LEDGER, reading.reports, {})
        reports = all_reports.get(job.name, Reports(job.name))
        counts: Mapping[tuple[str, Severity], int] = self.get(LEDGER, reading.tally, {})
        letters = self.get(LETTERS, reading.letters, DeadLettersSeen((), "")).of(job.name)
        status = Status(
            job,
            now,
            planned=self.get(SCHEDULES, lambda: reading.planned(job.name), None)
            if job.scheduled
            else None,
            queue=None
            if job.scheduled
            else self.get(QUEUES, lambda: reading.queue(job.name), None),
            last_report=reports.last_report,
            runs=reports.recent,
            open_findings={severity: counts.get((job.name, severity), 0) for severity in Severity},
            letters=len(letters),
            last_failure=letters[-1] if letters else None,
        )
        return status.as_json() | {"state": self._state(status), "scheduled": job.scheduled}

    def _state(self, status: Status) -> str:
        """The job's state, or that nobody knows: silence of what was not read says nothing."""
        if (SCHEDULES if status.job.scheduled else QUEUES) in self.faults:
            return State.FAILING if status.letters else State.UNKNOWN
        if self.faults and status.state in (State.OK, State.WAITING):
            return State.UNKNOWN
        return status.state


def _cause(error: Exception) -> str:
    match error:
        case ClientError():
            return f"AWS refused {error.operation_name} ({aws.error_code(error)})"
        case BotoCoreError():
            return f"AWS does not answer ({type(error).__name__})"
    return str(error)
