"""Scheduled jobs: look, and report everything that is wrong now."""

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet import aws, secrets
from fleet.errors import Transient
from fleet.events import shape
from fleet.findings import REPORT, SOURCE, Finding, Report, reports
from fleet.runtime.telemetry import count, instrumented, job_name, logger

# EventBridge Scheduler puts the planned time in its place; an emulator may leave it as it stands.
SCHEDULED_TIME = "<aws.scheduler.scheduled-time>"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job. `scheduled_at` (UTC) comes from the event, so that a run repeated later decides the same."""

    job: str
    scheduled_at: datetime


def scheduled(look: Callable[[Run], Iterable[Finding]]) -> Callable[[Any, Any], dict[str, Any]]:
    """Make a Lambda handler of a function that returns all findings of a run.

    The findings are published as one `Job Report` (as several, when they are too many for one event), also when
    there are none. When `look` raises, nothing is reported and the invocation fails: Lambda then tries it again, and
    at last sends the event to the dead letters. A run that dies after publishing reports the same once more.
    """

    @functools.wraps(look)
    def handler(event: Any, _context: Any) -> dict[str, Any]:
        run = Run(job_name(), scheduled_time(event))
        made = reports(run.job, run.scheduled_at, look(run))
        for report in made:
            _publish(report)
        found = sum(len(report.findings) for report in made)
        count(Reports=len(made), Findings=found)
        logger.info("reported", scheduled_at=run.scheduled_at.isoformat(), findings=found, reports=len(made))
        return {"job": run.job, "scheduled_at": run.scheduled_at.isoformat(), "findings": found, "reports": len(made)}

    return instrumented(handler)  # type: ignore[no-any-return]


def scheduled_time(event: Any) -> datetime:
    """When the run was due: the event's `scheduled_at`, or now for an empty event, as one sends by hand.

    Raises `ValueError` for any other event, and for a time that is no ISO 8601.
    """
    if event not in (None, {}) and (not isinstance(event, dict) or set(event) != {"scheduled_at"}):
        raise ValueError(f'expected {{}} or {{"scheduled_at": "2026-11-21T09:00:00Z"}}, got {shape(event)}')
    text = event["scheduled_at"] if event else SCHEDULED_TIME
    if text == SCHEDULED_TIME:
        return datetime.now(UTC)
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise ValueError(f"scheduled_at must be a time such as 2026-11-21T09:00:00Z, got {text!r}") from None
    return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)


def _publish(report: Report) -> None:
    answer = aws.client("events").put_events(
        Entries=[
            {
                "Source": SOURCE,
                "DetailType": REPORT,
                "Time": report.scheduled_at,
                "Detail": secrets.redact(report.as_json()),
            }
        ]
    )
    # PutEvents answers 200 for an entry that it did not take.
    for entry in answer["Entries"]:
        if "ErrorCode" in entry:
            raise Transient(
                f"EventBridge did not take the report: {entry['ErrorCode']} {entry.get('ErrorMessage', '')}"
            )
