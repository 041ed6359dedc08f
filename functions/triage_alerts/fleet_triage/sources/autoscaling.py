"""Auto Scaling groups that could not launch or terminate an instance."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, observe, text, where

SENT = {
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR": "launch",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR": "terminate",
}


def unsuccessful(event: Event) -> list[Observation] | None:
    """`EC2 Instance Launch Unsuccessful` and `EC2 Instance Terminate Unsuccessful`."""
    return _failed(event, event.type.removeprefix("EC2 Instance ").partition(" ")[0].lower())


def notification(event: Event) -> list[Observation] | None:
    """What a group sends to its topic."""
    sent = text(event.detail, "Event")
    if sent in SENT:
        return _failed(event, SENT[sent])
    return [] if sent.startswith("autoscaling:") else None


def _failed(event: Event, what: str) -> list[Observation] | None:
    detail = event.detail
    if not (group := text(detail, "AutoScalingGroupName")):
        return None
    return [
        observe(
            event,
            where(event, group, what),
            Status.OCCURRED,
            f"{group} could not {what} an instance",
            Severity.WARNING,
            detail={
                "reason": text(detail, "StatusMessage"),
                "cause": text(detail, "Cause"),
                "instance": text(detail, "EC2InstanceId"),
                "zone": text(detail, "Details", "Availability Zone"),
                "account": event.account,
            },
            link=console(
                event.region,
                "ec2/home",
                f"AutoScalingGroupDetails:id={escaped(group)};view=activity",
            ),
            resources=[text(detail, "AutoScalingGroupARN"), *event.resources],
        )
    ]
