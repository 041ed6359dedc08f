"""The fleet's own events. The shape of a report is `fleet.findings.Report`."""

from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import items, moment, text, value
from fleet_triage.observing import observe


def report(event: Event) -> list[Observation] | None:
    """Read a `Job Report`: one observation for each finding.

    This shows what is in a report. Triage itself applies reports as a whole
    (`fleet_triage.reporting`), since what is missing in one is resolved.
    """
    job = text(event.detail, "job")
    if not job:
        return None
    return [
        _finding(event, job, finding)
        for finding in items(event.detail, "findings")
        if text(finding, "subject")
    ]


def sweep(_event: Event) -> list[Observation]:
    """Read a `Sweep`: it asks triage to look at what is due, and is not about any subject."""
    return []


def alert(_event: Event) -> list[Observation]:
    """Read an `Alert`: it is not news, or each alert would cause another."""
    return []


def _finding(event: Event, job: str, finding: Any) -> Observation:
    subject = text(finding, "subject")
    detail = value(finding, "detail")
    facts = {}
    if isinstance(detail, dict):
        facts = {name: fact for name, fact in detail.items() if isinstance(fact, str | int | float)}
    return observe(
        Event(source=job, type=event.type, id=event.id, time=event.time),
        subject,
        Status.FAILING,
        text(finding, "title") or subject,
        _severity(finding),
        detail=facts,
        link=text(finding, "link"),
        at=moment(event.detail, "scheduled_at"),
    )


def _severity(finding: Any) -> Severity:
    severity = text(finding, "severity")
    return Severity(severity) if severity in {*Severity} else Severity.WARNING
