"""CloudFormation: stacks that failed to change, and stacks that somebody changed by hand."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, number, observe, text

DRIFT = {"DRIFTED": Status.FAILING, "IN_SYNC": Status.OK}
FOR_GOOD = (
    "UPDATE_ROLLBACK_FAILED",
    "ROLLBACK_FAILED",
)  # nothing can be deployed before somebody mends it


def stack_status(event: Event) -> list[Observation] | None:
    """`CloudFormation Stack Status Change`: a rollback is a failure, and says why when it begins."""
    stack = text(event.detail, "stack-id")
    state = text(event.detail, "status-details", "status")
    if not stack or not state.endswith(("_COMPLETE", "_FAILED", "_IN_PROGRESS")):
        return None
    failed = "ROLLBACK" in state or state.endswith("_FAILED")
    if state.endswith("_IN_PROGRESS") and not failed:
        return []
    return [
        observe(
            event,
            stack,
            Status.FAILING if failed else Status.OK,
            f"{_name(stack)}: {state.lower().replace('_', ' ')}",
            Severity.CRITICAL if state in FOR_GOOD else Severity.WARNING,
            detail={
                "reason": text(event.detail, "status-details", "status-reason"),
                "account": event.account,
            },
            link=console(
                event.region, "cloudformation/home", f"/stacks/events?stackId={escaped(stack)}"
            ),
            resources=[stack],
        )
    ]


def drift(event: Event) -> list[Observation] | None:
    """`CloudFormation Drift Detection Status Change`."""
    stack = text(event.detail, "stack-id")
    detection = text(event.detail, "status-details", "detection-status")
    found = text(event.detail, "status-details", "stack-drift-status")
    if not stack or not detection.startswith("DETECTION_"):
        return None
    if detection == "DETECTION_IN_PROGRESS" or (
        detection == "DETECTION_COMPLETE" and found not in DRIFT
    ):
        return []
    count = number(event.detail, "drift-detection-details", "drifted-stack-resource-count")
    said = {"DRIFTED": "differs from its template", "IN_SYNC": "is as its template says"}.get(
        found, ""
    )
    return [
        observe(
            event,
            f"{stack} drift",
            DRIFT.get(found, Status.FAILING),
            f"{_name(stack)} {said or 'could not be compared with its template'}",
            Severity.WARNING,
            detail={
                "drifted resources": count if count is not None and count >= 0 else None,
                "detection": detection,
                "account": event.account,
            },
            link=console(
                event.region, "cloudformation/home", f"/stacks/drifts?stackId={escaped(stack)}"
            ),
            resources=[stack],
        )
    ]


def _name(stack: str) -> str:
    return stack.partition(":stack/")[2].partition("/")[0] or stack
