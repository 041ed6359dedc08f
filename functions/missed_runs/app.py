"""Report scheduled jobs that have stopped reporting, or never began.

Trigger: schedule, every 15 minutes. Reads: the stack's schedules, and from the ledger when each job last reported.
Reports: one finding per silent job. Its own silence is an alarm of the stack.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.findings import Finding
from fleet.ledger.table import last_reports
from fleet.runtime.scheduled import Run, scheduled
from fleet.schedules import Schedule
from fleet.settings import load, within

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient


@dataclass(frozen=True, slots=True)
class Settings:
    ledger_table: str
    log_group: str
    stack: str
    grace: timedelta = timedelta(minutes=15)

    def __post_init__(self) -> None:
        within("grace", self.grace, timedelta(minutes=1), timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Watched:
    """A job's schedule, which was made or last changed at `changed`; its name without the stack's is the subject."""

    subject: str
    job: str
    schedule: Schedule
    changed: datetime
    last_report: datetime | None


def missed(watched: Watched, now: datetime, grace: timedelta) -> list[datetime]:
    """Return the runs that a silent job owes since its last report, or since its schedule's last change."""
    since = max(watched.changed, watched.last_report or watched.changed)
    return watched.schedule.missed(since, now, grace)


def silent(watched: Watched, owed: list[datetime], log_group: str) -> Finding:
    last = shown(watched.last_report) if watched.last_report else "never"
    return Finding(
        watched.subject,
        f"{watched.job} has not reported since {last}"
        if watched.last_report
        else f"{watched.job} has never reported",
        detail={
            "last report": last,
            "first runs without": " and ".join(map(shown, owed)),
            "schedule": f"{watched.schedule.expression} {watched.schedule.zone}",
            "if its log shows these runs": "they failed: the log says why, and so do the dead letters",
            "if its log shows none": "they never began: Scheduler's reason is in a dead letter, if it tried",
            "log": f"aws logs tail {log_group} --since {owed[0]:%Y-%m-%dT%H:%M:%SZ}"
            f" --filter-pattern '{log_filter(watched.job)}'",
        },
        link=log_url(log_group, watched.job),
    )


def unread(subject: str, error: Exception) -> Finding:
    """Say that nobody knows; the subject is the schedule's, so that this never resolves what was found before."""
    title = f"the schedule of {subject} cannot be read, so nobody knows whether it runs"
    return Finding(subject, title, detail={"error": aws.trouble(error)})


def shown(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M %Z}"


def log_filter(job: str) -> str:
    return f'{{ $.service = "{job}" }}'


def log_url(log_group: str, job: str) -> str:
    # CloudWatch's console encodes what is in its fragment twice, the second time with $ for %.
    group, pattern = (quote(text, safe="") for text in (log_group, log_filter(job)))
    query = quote(f"?filterPattern={pattern}", safe="")
    path = f"log-groups/log-group/{quote(group)}/log-events{query}".replace("%", "$")
    return aws.console_url(f"cloudwatch/home#logsV2:{path}")


def schedules(scheduler: "EventBridgeSchedulerClient", stack: str) -> Iterator[tuple[str, str]]:
    """Read the names of the enabled schedules of the stack's jobs, each with its job."""
    pages = scheduler.get_paginator("list_schedules").paginate(
        GroupName="default", NamePrefix=f"{stack}-", State="ENABLED"
    )
    for schedule in (schedule for page in pages for schedule in page["Schedules"]):
        # A stack whose name begins like this one's has functions that do not end like a job of this one.
        if job := re.search(
            rf":function:{re.escape(stack)}-([a-z][a-z0-9_]*)(?::|$)", schedule["Target"]["Arn"]
        ):
            yield schedule["Name"], job[1]


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings = load(Settings)
    scheduler, reported = aws.client("scheduler"), last_reports(settings.ledger_table)
    for name, job in dict(schedules(scheduler, settings.stack)).items():
        subject = name.removeprefix(f"{settings.stack}-")
        if job == run.job:
            continue
        try:
            found = scheduler.get_schedule(Name=name, GroupName="default")
            watched = Watched(
                subject, job, Schedule.of(found), found["LastModificationDate"], reported.get(job)
            )
            if owed := missed(watched, run.scheduled_at, settings.grace):
                yield silent(watched, owed, settings.log_group)
        except scheduler.exceptions.ResourceNotFoundException:
            continue  # it was deleted meanwhile, and runs no more
        except (BotoCoreError, ClientError, ValueError) as error:
            yield unread(subject, error)
