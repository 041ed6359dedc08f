"""IAM Access Analyzer: who has access from outside, and which access is unused.

Shape: IAM User Guide, "Monitoring AWS Identity and Access Management Access Analyzer with Amazon
EventBridge" (`access-analyzer-eventbridge.html`).
"""

import json

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import as_text, last_part, text, texts, value
from fleet_triage.observing import console_link, observe, url_part

STATES = {"ACTIVE": Status.FAILING, "ARCHIVED": Status.OK, "RESOLVED": Status.OK}
UNUSED = "Unused Access Finding for IAM entities"


def finding(event: Event) -> list[Observation] | None:
    """Read an `Access Analyzer Finding`, or one about internal or unused access."""
    detail = event.detail
    identity = text(detail, "id") or text(detail, "findingId")
    state = text(detail, "status")
    if not identity or state not in STATES:
        return None
    account = text(detail, "accountId") or event.account
    region = text(detail, "region") or event.region
    resource = text(detail, "resource")
    severity, verdict = _judge(event)
    deleted = value(detail, "isDeleted") is True
    return [
        observe(
            event,
            f"{account}/{region}/{identity}",
            Status.OK if deleted else STATES[state],
            f"{last_part(resource) or 'a resource'} {verdict}",
            severity,
            detail={
                "resource": resource,
                "resource type": text(detail, "resourceType"),
                "principal": _principal(event),
                "actions": ", ".join(texts(detail, "action")),
                "condition": _condition(event),
                "kind": text(detail, "findingType"),
                "error": text(detail, "error"),
                "account": account,
            },
            link=console_link(region, "access-analyzer/home", f"/findings/{url_part(identity)}"),
            resources=[resource, *event.resources],
        )
    ]


def _judge(event: Event) -> tuple[Severity, str]:
    """Return how severe the finding is, and what to say about the resource."""
    if text(event.detail, "error"):
        return Severity.WARNING, "could not be analyzed"
    if event.type == UNUSED:
        return Severity.INFO, "has unused access"
    if value(event.detail, "isPublic") is True:
        return Severity.CRITICAL, "is public"
    if event.type == "Internal Access Finding":
        return Severity.WARNING, "is accessible from inside"
    return Severity.WARNING, "is accessible from outside"


def _principal(event: Event) -> str:
    principal = value(event.detail, "principal")
    return as_text(principal) if principal else ""


def _condition(event: Event) -> str:
    condition = value(event.detail, "condition")
    if not condition or not isinstance(condition, dict):
        return ""
    return json.dumps({str(name): text(required) for name, required in condition.items()})
