"""Auto Scaling groups that could not launch or terminate an instance.

Shapes: Amazon EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling event reference"
(`ec2-auto-scaling-event-reference.html`) and "Amazon SNS notification options"
(`ec2-auto-scaling-sns-notifications.html`).
"""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import text
from fleet_triage.observing import console_link, observe, regional_subject, url_part

FAILURES = {
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR": "launch",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR": "terminate",
}


def unsuccessful(event: Event) -> list[Observation] | None:
    """Read an `EC2 Instance Launch Unsuccessful` or an `EC2 Instance Terminate Unsuccessful`."""
    action, _, _ = event.type.removeprefix("EC2 Instance ").partition(" ")
    return _failed(event, action.lower())


def notification(event: Event) -> list[Observation] | None:
    """Read what a group sends to its topic."""
    kind = text(event.detail, "Event")
    if kind in FAILURES:
        return _failed(event, FAILURES[kind])
    return [] if kind.startswith("autoscaling:") else None


def _failed(event: Event, action: str) -> list[Observation] | None:
    detail = event.detail
    group = text(detail, "AutoScalingGroupName")
    if not group:
        return None
    page = f"AutoScalingGroupDetails:id={url_part(group)};view=activity"
    return [
        observe(
            event,
            regional_subject(event, group, action),
            Status.OCCURRED,
            f"{group} could not {action} an instance",
            Severity.WARNING,
            detail={
                "reason": text(detail, "StatusMessage"),
                "cause": text(detail, "Cause"),
                "instance": text(detail, "EC2InstanceId"),
                "zone": text(detail, "Details", "Availability Zone"),
                "account": event.account,
            },
            link=console_link(event.region, "ec2/home", page),
            resources=[text(detail, "AutoScalingGroupARN"), *event.resources],
        )
    ]
