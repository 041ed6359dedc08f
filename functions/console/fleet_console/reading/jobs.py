"""What is read of a job: its schedule, its queue, its reports, and how its function is set."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from fleet import aws
from fleet.ledger.reports import REPORTS, Reports
from fleet.schedules import Schedule
from fleet.settings import duration
from fleet_console import catalogue
from fleet_console.catalogue import Job
from fleet_console.problems import Missing
from fleet_console.reading.memory import Kept, Reader, kept

WATCHER = "missed_runs"
# What the job `missed_runs` allows when GRACE is not set (functions/missed_runs/app.py, Settings).
DEFAULT_GRACE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class JobSchedule:
    """A job's schedule as Scheduler has it.

    `event` is what it sends to the job, and `changed` is when it was made or last changed. `fault`
    says why nobody knows when it is due, and is empty otherwise.
    """

    schedule: Schedule
    enabled: bool
    event: str
    changed: datetime
    fault: str = ""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """Read what Scheduler's GetSchedule answers."""
        schedule = Schedule.of(answer)
        return cls(
            schedule=schedule,
            enabled=answer["State"] == "ENABLED",
            event=answer["Target"].get("Input", "{}"),
            changed=answer["LastModificationDate"],
            fault=_fault(schedule, answer["LastModificationDate"]),
        )

    def next_due(self, now: datetime) -> datetime | None:
        """Return when it is due next, or None when it never is, or nobody knows."""
        if self.fault or not self.enabled:
            return None
        return next(self.schedule.due(now), None)

    def is_late(self, last_report: datetime, now: datetime, grace: timedelta) -> bool:
        """Whether the job owes runs, by the rule of the job `missed_runs`."""
        if self.fault:
            return False
        return bool(self.schedule.missed(max(last_report, self.changed), now, grace))


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """About how many messages a job's queue has, as SQS counts them."""

    waiting: int
    delayed: int
    in_flight: int


class JobReader(Reader):
    """Reads what AWS has of each job."""

    def job(self, name: str) -> Job:
        """Return a job of the catalogue. Raises `Missing`."""
        jobs = catalogue.jobs()
        if name not in jobs:
            raise Missing(f"there is no job {name!r:.100}; known: {', '.join(jobs)}")
        return jobs[name]

    @kept(Kept.LONGER)
    def schedule(self, job: str) -> JobSchedule | None:
        """Return the job's schedule, or None when it is not deployed."""
        scheduler = aws.client("scheduler")
        try:
            answer = scheduler.get_schedule(Name=self.places.function(job))
        except scheduler.exceptions.ResourceNotFoundException:
            return None  # deployed from another checkout than this
        return JobSchedule.of(answer)

    @kept(Kept.BRIEFLY)
    def queue(self, job: str) -> QueueCounts | None:
        """Return how many messages the job's queue has, or None when it is not deployed."""
        sqs = aws.client("sqs")
        url = self.places.queue_url(job)
        try:
            answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        except sqs.exceptions.QueueDoesNotExist:
            return None  # deployed from another checkout than this
        attributes = answer["Attributes"]
        return QueueCounts(
            waiting=int(attributes["ApproximateNumberOfMessages"]),
            delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
            in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
        )

    @kept(Kept.BRIEFLY)
    def reports(self) -> dict[str, Reports]:
        """Return what the jobs have reported, by their names."""
        return {reports.job: reports for reports in self.places.ledger.query(Reports, REPORTS)}

    @kept(Kept.LONGER)
    def settings(self, job: str) -> dict[str, str]:
        """Return the job's environment as it is deployed; it names secrets and holds none."""
        lambda_ = aws.client("lambda")
        try:
            answer = lambda_.get_function_configuration(FunctionName=self.places.function(job))
        except lambda_.exceptions.ResourceNotFoundException:
            return {}  # the job's state says that it is not deployed
        variables = answer.get("Environment", {}).get("Variables", {})
        return dict(sorted(variables.items()))

    def grace(self) -> timedelta:
        """Return how long after its due time a run is not yet missed: the deployed GRACE."""
        text = self.settings(WATCHER).get("GRACE", "")
        try:
            return duration(text) if text else DEFAULT_GRACE
        except ValueError:  # missed_runs refuses it as well, and its dead letters say so
            return DEFAULT_GRACE


def _fault(schedule: Schedule, since: datetime) -> str:
    """Return why a schedule cannot be read, or nothing."""
    try:
        next(schedule.due(since), None)
    except ValueError as error:
        return str(error)
    return ""
