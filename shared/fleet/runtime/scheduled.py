"""Scheduled jobs: look, and report everything that is wrong now."""

import functools
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from fleet import aws, secrets
from fleet.errors import Permanent
from fleet.events import moment, shape
from fleet.findings import EVERYTHING, REPORT, SOURCE, Finding, Range, Report, reports
from fleet.runtime.telemetry import count, instrumented, job_name, logger

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from fleet.runtime.queued import Message

# EventBridge Scheduler puts the planned time in its place; an emulator may leave it as it stands.
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"

# How long it takes to end an invocation properly: the report, metrics and the answer.
RESERVE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job, or its part about a range of subjects.

    The run reports the subjects in `about`, and says nothing about others. `scheduled_at` (UTC)
    comes from the event, so that a run repeated later decides the same. The job must have returned
    by `deadline`, a time of `time.monotonic()`.
    """

    job: str
    scheduled_at: datetime
    about: Range = EVERYTHING
    deadline: float = field(default=float("inf"), compare=False)


@dataclass(frozen=True, slots=True)
class Scattered:
    """Returned by a run that looked at nothing itself, but sent itself this many parts."""

    parts: int


Look = Callable[[Run], Iterable[Finding] | Scattered]


def scheduled(look: Look) -> Callable[[Any, Any], dict[str, Any]]:
    """Make a Lambda handler of a function that returns all findings of a run.

    The findings are published as one `Job Report` (as several, when they are too many for one
    event); a run without findings publishes an empty one. When `look` raises, nothing is reported
    and the invocation fails: Lambda then tries it again, and at last sends the event to the dead
    letters. A run that dies after publishing reports the same once more.

    A job with more subjects than one run can look at returns `scatter`: its handler then also takes
    the parts from the job's queue, with the retries and the parking of any queue job.
    """

    @functools.wraps(look)
    def handler(event: Any, context: Any) -> dict[str, Any]:
        remaining_seconds = context.get_remaining_time_in_millis() / 1000
        deadline = time.monotonic() + remaining_seconds - RESERVE_SECONDS
        match event:
            case {"Records": [{"eventSource": "aws:sqs"}, *_]}:
                from fleet.runtime.queued import process

                def report_part(message: "Message") -> None:
                    _report(look, _part(message, deadline))

                return process(report_part, event, context)
        return _report(look, Run(job_name(), scheduled_time(event), deadline=deadline))

    return instrumented(handler)  # type: ignore[no-any-return]


def scatter(run: Run, queue_url: str, subjects: Iterable[str], most: int) -> Scattered:
    """Send parts of a run, each about at most `most` of the subjects, to the job's own queue.

    Two runs of one moment may divide the subjects differently: each part is right by itself,
    however often it is done.
    """
    parts = divided(run.about, subjects, most)
    for about in parts:
        part = {
            "scheduled_at": run.scheduled_at.isoformat(),
            "after": about.after,
            "through": about.through,
        }
        aws.client("sqs").send_message(QueueUrl=queue_url, MessageBody=json.dumps(part))
    return Scattered(len(parts))


def divided(about: Range, subjects: Iterable[str], most: int) -> list[Range]:
    """Divide a range into some that meet and hold at most `most` of the subjects each."""
    bounds = [about.after, *sorted(subjects)[most - 1 : -1 : most], about.through]
    return [Range(after, through) for after, through in pairwise(bounds)]


def _report(look: Look, run: Run) -> dict[str, Any]:
    found = look(run)
    result = {"job": run.job, "scheduled_at": run.scheduled_at.isoformat()}
    if isinstance(found, Scattered):
        count(Parts=found.parts)
        logger.info("scattered", scheduled_at=run.scheduled_at.isoformat(), parts=found.parts)
        return {**result, "parts": found.parts}
    made = reports(run.job, run.scheduled_at, found, about=run.about)
    aws.put_events([_entry(report) for report in made])
    findings = sum(len(report.findings) for report in made)
    count(Reports=len(made), Findings=findings)
    logger.info(
        "reported", scheduled_at=run.scheduled_at.isoformat(), findings=findings, reports=len(made)
    )
    return {**result, "findings": findings, "reports": len(made)}


def _part(message: "Message", deadline: float) -> Run:
    """Read what `scatter` sent. Raises `Permanent` for anything else."""
    try:
        part = json.loads(message.body)
        match part:
            case {
                "scheduled_at": str(at),
                "after": str() | None as after,
                "through": str() | None as through,
            }:
                return Run(
                    job_name(),
                    scheduled_time({"scheduled_at": at}),
                    Range(after, through),
                    deadline,
                )
    except (ValueError, RecursionError) as error:
        raise Permanent(f"the part of a run cannot be read: {error}") from error
    raise Permanent(f"expected a part of a run (scheduled_at, after, through), got {shape(part)}")


def scheduled_time(event: Any) -> datetime:
    """Return when the run was due, in UTC.

    That is the event's `scheduled_at`, or now for an empty event, as people send by hand. Raises
    `ValueError` for any other event, and for a time that is not ISO 8601.
    """
    if event is None or event == {}:
        return datetime.now(UTC)
    if not isinstance(event, dict) or set(event) != {"scheduled_at"}:
        example = '{"scheduled_at": "2026-11-21T09:00:00Z"}'
        raise ValueError(f"expected {{}} or {example}, got {shape(event)}")
    text = event["scheduled_at"]
    if text == SCHEDULED_TIME:
        return datetime.now(UTC)
    time = moment(text)
    if time is None:
        raise ValueError(
            f"scheduled_at must be a time such as 2026-11-21T09:00:00Z, got {text!r:.200}"
        )
    return time


def _entry(report: Report) -> "PutEventsRequestEntryTypeDef":
    return {
        "Source": SOURCE,
        "DetailType": REPORT,
        "Time": report.scheduled_at,
        "Detail": secrets.redact(report.as_json()),
    }
