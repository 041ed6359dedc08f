"""A job of each kind, and what may be read of them."""

from datetime import UTC, datetime, timedelta

from fleet.dead_letters.causes import Cause
from fleet.schedules import Schedule
from fleet_console.catalogue import Job
from fleet_console.reading.jobs import JobSchedule
from fleet_console.reading.letters import DeadLetter

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
SCHEDULED = Job("look", "Look at things.", "schedule", "schedule, `hourly`", (), "")
QUEUED = Job("react", "React to things.", "queue", "queue, fed by `events`", (), "")


def schedule(
    *, enabled: bool = True, fault: str = "", changed: datetime = NOW - timedelta(minutes=5)
) -> JobSchedule:
    """A schedule that is due each hour after it was changed, or after the last report."""
    return JobSchedule(Schedule("rate(1 hour)"), enabled, "{}", changed, fault)


def letter(id: str = "1", obstacle: str = "") -> DeadLetter:
    """A dead letter of the queue job."""
    return DeadLetter(
        id=id,
        job=QUEUED.name,
        cause=Cause(QUEUED.name, "Permanent", "no pipeline"),
        error_type="Permanent",
        reason="no pipeline",
        route="job",
        first_seen=NOW,
        attempts=5,
        redrives=0,
        origin="arn:aws:sqs:eu-west-1:123456789012:queue",
        obstacle=obstacle,
    )
