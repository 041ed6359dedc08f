"""Security Hub's findings: one event carries many.

Shapes: AWS Security Hub User Guide, "Event formats" (`securityhub-cwe-event-formats.html`) and "AWS
Security Finding Format" (`securityhub-findings-format.html`).
"""

from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import items, join, number, text
from fleet_triage.observing import LABELS, console_link, observe, url_part

# The lowest normalized score of each label, for findings without one ("Severity" in the format).
NORMALIZED = ((90, "CRITICAL"), (70, "HIGH"), (40, "MEDIUM"), (1, "LOW"), (0, "INFORMATIONAL"))


def findings(event: Event) -> list[Observation] | None:
    """Read `Security Hub Findings - Imported`, and those that somebody sent by a custom action."""
    observations = [
        _finding(event, finding)
        for finding in items(event.detail, "findings")
        if text(finding, "Id")
    ]
    return observations or None


def _finding(event: Event, finding: Any) -> Observation:
    identity = text(finding, "Id")
    label = _label(finding)
    resources = [text(resource, "Id") for resource in items(finding, "Resources")]
    region = text(finding, "Region") or event.region
    return observe(
        event,
        identity,
        Status.OK if _is_over(finding) else Status.FAILING,
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
            "resource": join(*resources),
            "remediation": text(finding, "Remediation", "Recommendation", "Url"),
        },
        link=_link(region, identity),
        resources=resources,
    )


def _link(region: str, identity: str) -> str:
    # The console decodes the fragment twice.
    search = url_part(url_part(f"\\operator\\:EQUALS\\:{identity}"))
    return console_link(region, "securityhub/home", f"/findings?search=Id%3D{search}")


def _label(finding: Any) -> str:
    label = text(finding, "Severity", "Label")
    if label:
        return label.upper()
    score = number(finding, "Severity", "Normalized")
    if score is None:
        return ""
    for least, normalized in NORMALIZED:
        if score >= least:
            return normalized
    return ""


def _is_over(finding: Any) -> bool:
    if text(finding, "RecordState") == "ARCHIVED":
        return True
    if text(finding, "Workflow", "Status") in ("RESOLVED", "SUPPRESSED"):
        return True
    return text(finding, "Compliance", "Status") == "PASSED"
