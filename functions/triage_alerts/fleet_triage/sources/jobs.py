"""The fleet's own events: what its jobs report."""

from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import items, moment, observe, text, value


def report(event: Event) -> list[Observation] | None:
    """`Job Report`: one observation for each finding. What is missing in it is resolved by whoever knows its range."""
    job = text(event.detail, "job")
    if not job:
        return None
    return [
        _finding(event, job, finding)
        for finding in items(event.detail, "findings")
        if text(finding, "subject")
    ]


def alert(_event: Event) -> list[Observation]:
    """`Alert`: what is told of an observation is none; else alerts would breed alerts."""
    return []


def sweep(_event: Event) -> list[Observation]:
    """`Sweep`: it asks triage to look at what is due, and says nothing of any subject."""
    return []


def _finding(event: Event, job: str, finding: Any) -> Observation:
    detail = value(finding, "detail")
    facts = detail.items() if isinstance(detail, dict) else ()
    severity = text(finding, "severity")
    return observe(
        Event(source=job, type=event.type, id=event.id, time=event.time),
        text(finding, "subject"),
        Status.FAILING,
        text(finding, "title") or text(finding, "subject"),
        Severity(severity) if severity in {*Severity} else Severity.WARNING,
        detail={name: fact for name, fact in facts if isinstance(fact, str | int | float)},
        link=text(finding, "link"),
        at=moment(event.detail, "scheduled_at"),
    )
