"""Answers of which a part cannot be read: they say so with the cause, and show the rest."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.dead_letters.causes import masked
from fleet.findings import Severity
from fleet.ledger.reports import Reports
from fleet.runtime.telemetry import logger
from fleet.settings import SettingsError
from fleet_console.catalogue import Job
from fleet_console.reading import Reading
from fleet_console.reading.jobs import DEFAULT_GRACE, JobSchedule, QueueCounts
from fleet_console.reading.letters import DeadLetter, DeadLetterList
from fleet_console.status import JobStatus, Place

T = TypeVar("T")


class Partial:
    """The readings of one answer. `faults` are the places that could not be read, with the cause.

    A `strict` one raises what the first failing place raises, instead.
    """

    def __init__(self, reading: Reading, *, strict: bool = False) -> None:
        self.reading = reading
        self.strict = strict
        self.faults: dict[Place, str] = {}

    def get(self, place: Place, read: Callable[[], T], otherwise: T) -> T:
        """Return what `read` does, or `otherwise`. A place that has failed is not asked again."""
        if place in self.faults:
            return otherwise
        try:
            return read()
        except (BotoCoreError, ClientError, SettingsError) as error:
            if self.strict:
                raise
            cause = _cause(error)
            self.faults[place] = cause
            logger.warning("a part of a page could not be read", part=place, cause=cause)
            return otherwise

    def most_urgent_first(self, jobs: Iterable[Job], now: datetime) -> list[JobStatus]:
        """Return how these jobs are doing, those first that need somebody most."""
        statuses = [self.status(job, now) for job in jobs]
        statuses.sort(key=attrgetter("urgency"))
        return statuses

    def status(self, job: Job, now: datetime) -> JobStatus:
        """Return how a job is doing, as far as it can be read."""
        reports = self._reports(job)
        return JobStatus(
            job,
            now,
            schedule=self._schedule(job),
            queue=self._queue(job),
            grace=self._grace(job),
            last_report=reports.last_report,
            runs=reports.recent,
            open_findings=self._open_findings(job),
            letters=self._letters(job),
            unread=self._unread(job),
        )

    def _reports(self, job: Job) -> Reports:
        no_reports: dict[str, Reports] = {}
        by_job = self.get(Place.LEDGER, self.reading.jobs.reports, no_reports)
        if job.name in by_job:
            return by_job[job.name]
        return Reports(job.name)

    def _letters(self, job: Job) -> tuple[DeadLetter, ...]:
        nothing = DeadLetterList()
        dead_letters = self.get(Place.LETTERS, self.reading.letters.all, nothing)
        return dead_letters.of(job.name)

    def _unread(self, job: Job) -> frozenset[Place]:
        """Return which of the places that say how a job is doing have failed."""
        trigger = Place.SCHEDULES if job.scheduled else Place.QUEUES
        places = {Place.LEDGER, Place.LETTERS, trigger}
        return frozenset(places & self.faults.keys())

    def _schedule(self, job: Job) -> JobSchedule | None:
        if not job.scheduled:
            return None
        read = partial(self.reading.jobs.schedule, job.name)
        return self.get(Place.SCHEDULES, read, None)

    def _queue(self, job: Job) -> QueueCounts | None:
        if job.scheduled:
            return None
        read = partial(self.reading.jobs.queue, job.name)
        return self.get(Place.QUEUES, read, None)

    def _grace(self, job: Job) -> timedelta:
        if not job.scheduled:
            return DEFAULT_GRACE  # nothing of it is ever late
        return self.get(Place.GRACE, self.reading.jobs.grace, DEFAULT_GRACE)

    def _open_findings(self, job: Job) -> dict[Severity, int]:
        no_counts: Mapping[tuple[str, Severity], int] = {}
        tally = self.get(Place.LEDGER, self.reading.findings.tally, no_counts)
        counts: dict[Severity, int] = {}
        for severity in Severity:
            counts[severity] = tally.get((job.name, severity), 0)
        return counts


def _cause(error: Exception) -> str:
    if isinstance(error, SettingsError):
        return str(error)
    return masked(aws.trouble(error))
