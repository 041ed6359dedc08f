"""EC2 instances that stop, and spot instances that AWS takes back."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, observe, text, where

NEWS = ("stopped", "terminated")
NO_NEWS = ("pending", "running", "stopping", "shutting-down")


def state_change(event: Event) -> list[Observation] | None:
    """`EC2 Instance State-change Notification`; states on the way to another are no news."""
    state = text(event.detail, "state")
    if state in NO_NEWS:
        return []
    return _instance(event, state, f"is {state}", Severity.INFO) if state in NEWS else None


def interruption(event: Event) -> list[Observation] | None:
    """`EC2 Spot Instance Interruption Warning`: two minutes are left."""
    action = text(event.detail, "instance-action") or "interrupt"
    return _instance(
        event, "interruption", f"will be taken back in two minutes ({action})", Severity.WARNING
    )


def rebalance(event: Event) -> list[Observation] | None:
    """`EC2 Instance Rebalance Recommendation`."""
    return _instance(event, "rebalance", "is likely to be taken back", Severity.INFO)


def _instance(event: Event, what: str, said: str, severity: Severity) -> list[Observation] | None:
    if not (instance := text(event.detail, "instance-id")):
        return None
    link = console(event.region, "ec2/home", f"InstanceDetails:instanceId={escaped(instance)}")
    detail = {"account": event.account}
    subject = f"{where(event, instance)} {what}"
    return [
        observe(
            event,
            subject,
            Status.OCCURRED,
            f"{instance} {said}",
            severity,
            detail=detail,
            link=link,
        )
    ]
