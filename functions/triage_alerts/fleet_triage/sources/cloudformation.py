"""CloudFormation: stacks that failed to change, and stacks that somebody changed by hand.

Shapes: AWS CloudFormation User Guide, "CloudFormation events detail reference"
(`events-detail-reference.html`).
"""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import number, text
from fleet_triage.observing import console_link, observe, url_part

DRIFT = {"DRIFTED": Status.FAILING, "IN_SYNC": Status.OK}
VERDICTS = {"DRIFTED": "differs from its template", "IN_SYNC": "matches its template"}
# Nothing can be deployed until somebody repairs the stack.
STUCK = ("UPDATE_ROLLBACK_FAILED", "ROLLBACK_FAILED")


def stack_status(event: Event) -> list[Observation] | None:
    """Read a `CloudFormation Stack Status Change`.

    A rollback is a failure, and gives the reason when it begins.
    """
    stack = text(event.detail, "stack-id")
    state = text(event.detail, "status-details", "status")
    if not stack or not state.endswith(("_COMPLETE", "_FAILED", "_IN_PROGRESS")):
        return None
    failed = "ROLLBACK" in state or state.endswith("_FAILED")
    if state.endswith("_IN_PROGRESS") and not failed:
        return []
    page = f"/stacks/events?stackId={url_part(stack)}"
    return [
        observe(
            event,
            stack,
            Status.FAILING if failed else Status.OK,
            f"{_name(stack)}: {state.lower().replace('_', ' ')}",
            Severity.CRITICAL if state in STUCK else Severity.WARNING,
            detail={
                "reason": text(event.detail, "status-details", "status-reason"),
                "account": event.account,
            },
            link=console_link(event.region, "cloudformation/home", page),
            resources=[stack],
        )
    ]


def drift(event: Event) -> list[Observation] | None:
    """Read a `CloudFormation Drift Detection Status Change`."""
    stack = text(event.detail, "stack-id")
    detection = text(event.detail, "status-details", "detection-status")
    drift_status = text(event.detail, "status-details", "stack-drift-status")
    if not stack or not detection.startswith("DETECTION_"):
        return None
    if detection == "DETECTION_IN_PROGRESS":
        return []
    if detection == "DETECTION_COMPLETE" and drift_status not in DRIFT:
        return []
    count = number(event.detail, "drift-detection-details", "drifted-stack-resource-count")
    verdict = VERDICTS.get(drift_status, "could not be compared with its template")
    page = f"/stacks/drifts?stackId={url_part(stack)}"
    return [
        observe(
            event,
            f"{stack} drift",
            DRIFT.get(drift_status, Status.FAILING),
            f"{_name(stack)} {verdict}",
            Severity.WARNING,
            detail={
                "drifted resources": count if count is not None and count >= 0 else None,
                "detection": detection,
                "account": event.account,
            },
            link=console_link(event.region, "cloudformation/home", page),
            resources=[stack],
        )
    ]


def _name(stack: str) -> str:
    _, _, path = stack.partition(":stack/")
    name, _, _ = path.partition("/")
    return name or stack
