"""Report scheduled jobs that have stopped reporting, or never began.

Trigger: schedule, every 15 minutes. Reads: the stack's schedules, and from the ledger when each job
last reported. Reports: one finding per silent job. Its own silence is an alarm of the stack.
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
    """`grace` is how long after a run should have begun its report may come."""

    ledger_table: str
    log_group: str
    stack: str
    grace: timedelta = timedelta(minutes=15)

    def __post_init__(self) -> None:
        within("grace", self.grace, timedelta(minutes=1), timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Watched:
    """A job's schedule, made or last changed at `changed`, and the job's last report.

    `subject` is the schedule's name without the stack's.
    """

    subject: str
    job: str
    schedule: Schedule
    changed: datetime
    last_report: datetime | None


def missed(watched: Watched, now: datetime, grace: timedelta) -> list[datetime]:
    """Return the runs that a silent job missed since it reported or its schedule changed."""
    since = watched.changed
    if watched.last_report:
        since = max(since, watched.last_report)
    return watched.schedule.missed(since, now, grace)


def describe(watched: Watched, missed_runs: list[datetime], log_group: str) -> Finding:
    """Return the finding about a silent job: what it missed, and where to look for why."""
    job = watched.job
    schedule = watched.schedule
    title = f"{job} has never reported"
    last = "never"
    if watched.last_report:
        last = format_time(watched.last_report)
        title = f"{job} has not reported since {last}"
    since = f"{missed_runs[0]:%Y-%m-%dT%H:%M:%SZ}"
    pattern = log_filter(job)
    return Finding(
        watched.subject,
        title,
        detail={
            "last report": last,
            "missed runs": " and ".join(format_time(time) for time in missed_runs),
            "schedule": f"{schedule.expression} {schedule.zone}",
            "if its log shows these runs": "they failed: see the log, and the dead letters",
            "if its log shows none": "they never began: see Scheduler's reason in a dead letter",
            "log": f"aws logs tail {log_group} --since {since} --filter-pattern '{pattern}'",
        },
        link=log_url(log_group, job),
    )


def describe_unread(subject: str, error: Exception) -> Finding:
    """Return a finding with the schedule's subject: it does not resolve an earlier one about it."""
    title = f"the schedule of {subject} cannot be read, so nobody knows whether it runs"
    return Finding(subject, title, detail={"error": trouble_of(error)})


def trouble_of(error: Exception) -> str:
    """Return what AWS said; of a schedule that is wrong in itself, what is wrong."""
    return str(error) if isinstance(error, ValueError) else aws.trouble(error)


def format_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M %Z}"


def log_filter(job: str) -> str:
    """Return the pattern by which CloudWatch Logs finds the job's lines."""
    return f'{{ $.service = "{job}" }}'


def log_url(log_group: str, job: str) -> str:
    """Return the address of the job's lines in CloudWatch's console.

    The console encodes what is in its fragment twice, the second time with $ for %.
    """
    group = quote(log_group, safe="")
    pattern = quote(log_filter(job), safe="")
    query = quote(f"?filterPattern={pattern}", safe="")
    path = f"log-groups/log-group/{quote(group)}/log-events{query}".replace("%", "$")
    return aws.console_url(f"cloudwatch/home#logsV2:{path}")


def schedules(scheduler: "EventBridgeSchedulerClient", stack: str) -> dict[str, str]:
    """Return the job of each enabled schedule of the stack's jobs, by the schedule's name."""
    # Another stack's name may begin like this one's; its functions do not end like a job of this.
    function_of_stack = re.compile(rf":function:{re.escape(stack)}-([a-z][a-z0-9_]*)(?::|$)")
    pages = scheduler.get_paginator("list_schedules").paginate(
        GroupName="default", NamePrefix=f"{stack}-", State="ENABLED"
    )
    jobs = {}
    for page in pages:
        for schedule in page["Schedules"]:
            if match := function_of_stack.search(schedule["Target"]["Arn"]):
                jobs[schedule["Name"]] = match[1]
    return jobs


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings = load(Settings)
    scheduler = aws.client("scheduler")
    reported = last_reports(settings.ledger_table)
    for name, job in schedules(scheduler, settings.stack).items():
        if job == run.job:
            continue
        subject = name.removeprefix(f"{settings.stack}-")
        try:
            answer = scheduler.get_schedule(Name=name, GroupName="default")
            schedule = Schedule.of(answer)
            changed = answer["LastModificationDate"]
            watched = Watched(subject, job, schedule, changed, reported.get(job))
            missed_runs = missed(watched, run.scheduled_at, settings.grace)
        except scheduler.exceptions.ResourceNotFoundException:
            continue  # it was deleted meanwhile
        except (BotoCoreError, ClientError, ValueError) as error:
            yield describe_unread(subject, error)
            continue
        if missed_runs:
            yield describe(watched, missed_runs, settings.log_group)
