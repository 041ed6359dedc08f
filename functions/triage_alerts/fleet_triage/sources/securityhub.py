"""Security Hub's findings: one event carries many."""

from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import LABELS, console, escaped, items, number, observe, text

# Of findings without a label (AWS Security Finding Format, "Severity").
NORMALIZED = ((90, "CRITICAL"), (70, "HIGH"), (40, "MEDIUM"), (1, "LOW"), (0, "INFORMATIONAL"))


def findings(event: Event) -> list[Observation] | None:
    """`Security Hub Findings - Imported`, and those that somebody sent by a custom action."""
    found = [finding for finding in items(event.detail, "findings") if text(finding, "Id")]
    return [_finding(event, finding) for finding in found] or None


def _finding(event: Event, finding: Any) -> Observation:
    label = text(finding, "Severity", "Label").upper() or _label(
        number(finding, "Severity", "Normalized")
    )
    identity = text(finding, "Id")
    resources = [text(resource, "Id") for resource in items(finding, "Resources")]
    region = text(finding, "Region") or event.region
    search = escaped(escaped(f"\\operator\\:EQUALS\\:{identity}"))
    return observe(
        event,
        identity,
        Status.OK if _over(finding) else Status.FAILING,
        text(finding, "Title") or "a Security Hub finding",
        LABELS.get(label, Severity.WARNING),
        detail={
            "severity": label,
            "description": text(finding, "Description"),
            "product": text(finding, "ProductName"),
            "control": text(finding, "Compliance", "SecurityControlId"),
            "compliance": text(finding, "Compliance", "Status"),
            "workflow": text(finding, "Workflow", "Status"),
            "account": text(finding, "AwsAccountId"),
            "resource": ", ".join(filter(None, resources)),
            "remediation": text(finding, "Remediation", "Recommendation", "Url"),
        },
        link=console(region, "securityhub/home", f"/findings?search=Id%3D{search}"),
        resources=resources,
    )


def _label(score: float | None) -> str:
    return next((label for least, label in NORMALIZED if score is not None and score >= least), "")


def _over(finding: Any) -> bool:
    return (
        text(finding, "RecordState") == "ARCHIVED"
        or text(finding, "Workflow", "Status") in ("RESOLVED", "SUPPRESSED")
        or text(finding, "Compliance", "Status") == "PASSED"
    )
