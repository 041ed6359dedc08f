"""EC2 instances that stop, and Spot Instances that AWS takes back.

Shapes: Amazon EC2 User Guide, "State change events for your instances"
(`monitoring-instance-state-changes.html`), "Spot Instance interruption notices"
(`spot-instance-termination-notices.html`) and "EC2 instance rebalance recommendations"
(`rebalance-recommendations.html`).
"""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import text
from fleet_triage.observing import console_link, observe, regional_subject, url_part

NEWS = ("stopped", "terminated")
NO_NEWS = ("pending", "running", "stopping", "shutting-down")


def state_change(event: Event) -> list[Observation] | None:
    """Read an `EC2 Instance State-change Notification`; passing states are not news."""
    state = text(event.detail, "state")
    if state in NO_NEWS:
        return []
    if state not in NEWS:
        return None
    return _instance(event, state, f"is {state}", Severity.INFO)


def interruption(event: Event) -> list[Observation] | None:
    """Read an `EC2 Spot Instance Interruption Warning`, which comes two minutes before."""
    action = text(event.detail, "instance-action") or "interrupt"
    verdict = f"will be interrupted in two minutes ({action})"
    return _instance(event, "interruption", verdict, Severity.WARNING)


def rebalance(event: Event) -> list[Observation] | None:
    """Read an `EC2 Instance Rebalance Recommendation`."""
    verdict = "is at elevated risk of interruption"
    return _instance(event, "rebalance", verdict, Severity.INFO)


def _instance(
    event: Event,
    what: str,
    verdict: str,
    severity: Severity,
) -> list[Observation] | None:
    instance = text(event.detail, "instance-id")
    if not instance:
        return None
    page = f"InstanceDetails:instanceId={url_part(instance)}"
    return [
        observe(
            event,
            f"{regional_subject(event, instance)} {what}",
            Status.OCCURRED,
            f"{instance} {verdict}",
            severity,
            detail={"account": event.account},
            link=console_link(event.region, "ec2/home", page),
        )
    ]
