"""IAM Access Analyzer: who outside can reach what, and which rights nobody uses."""

import json

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, last, observe, shown, text, texts, value

STATES = {"ACTIVE": Status.FAILING, "ARCHIVED": Status.OK, "RESOLVED": Status.OK}
UNUSED = "Unused Access Finding for IAM entities"


def finding(event: Event) -> list[Observation] | None:
    """`Access Analyzer Finding`, and those of internal and of unused access."""
    detail = event.detail
    identity = text(detail, "id") or text(detail, "findingId")
    state = text(detail, "status")
    if not identity or state not in STATES:
        return None
    account = text(detail, "accountId") or event.account
    region = text(detail, "region") or event.region
    resource = text(detail, "resource")
    severity, said = _judged(event)
    principal = value(detail, "principal")
    return [
        observe(
            event,
            f"{account}/{region}/{identity}",
            Status.OK if value(detail, "isDeleted") is True else STATES[state],
            f"{last(resource) or 'a resource'} {said}",
            severity,
            detail={
                "resource": resource,
                "resource type": text(detail, "resourceType"),
                "principal": shown(principal) if principal else "",
                "actions": ", ".join(texts(detail, "action")),
                "condition": json.dumps(condition) if (condition := _flat(event)) else "",
                "kind": text(detail, "findingType"),
                "error": text(detail, "error"),
                "account": account,
            },
            link=console(region, "access-analyzer/home", f"/findings/{escaped(identity)}"),
            resources=[resource, *event.resources],
        )
    ]


def _judged(event: Event) -> tuple[Severity, str]:
    if text(event.detail, "error"):
        return Severity.WARNING, "could not be analyzed"
    if event.type == UNUSED:
        return Severity.INFO, "has access that nobody uses"
    if value(event.detail, "isPublic") is True:
        return Severity.CRITICAL, "is public"
    if event.type == "Internal Access Finding":
        return Severity.WARNING, "can be reached from inside"
    return Severity.WARNING, "can be reached from outside"


def _flat(event: Event) -> dict[str, str]:
    condition = value(event.detail, "condition")
    return (
        {str(name): text(meant) for name, meant in condition.items()}
        if isinstance(condition, dict)
        else {}
    )
