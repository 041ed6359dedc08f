"""ECS: tasks that ended badly, failed deployments, services that cannot place or start tasks.

Shapes: Amazon ECS Developer Guide, "Amazon ECS events" (`ecs_cwe_events.html`): task state change,
service action, and service deployment state change events.
"""

import re
from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Fact, Severity
from fleet_triage.documents import first_text, items, join, last_part, moment, number, text
from fleet_triage.observing import console_link, observe, url_part

GOOD_EXITS = (None, 0, 143)  # 143 answers SIGTERM, which ECS sends to what it stops
DEPLOYMENTS = {
    "SERVICE_DEPLOYMENT_FAILED": Status.FAILING,
    "SERVICE_DEPLOYMENT_COMPLETED": Status.OK,
}
TYPES = {"ERROR": Severity.CRITICAL, "WARN": Severity.WARNING}
STEADY = ("SERVICE_STEADY_STATE", "CAPACITY_PROVIDER_STEADY_STATE")
_BROKEN = re.compile(
    r"health check|OutOfMemory|CannotPull|ResourceInitializationError", re.IGNORECASE
)


def task(event: Event) -> list[Observation] | None:
    """Read an `ECS Task State Change`: only a task that stopped because of a fault is news.

    What a deployment, a scale-in or a person stopped is not, however its containers exited.
    """
    state = text(event.detail, "lastStatus")
    if not state:
        return None
    if state != "STOPPED" or not _failed(event):
        return []
    detail = event.detail
    cluster = last_part(text(detail, "clusterArn"))
    name = _task_name(event)
    group = text(detail, "group") or name
    arn = text(detail, "taskArn") or text(event.resources, 0)
    task_id = last_part(arn)
    page = f"ecs/v2/clusters/{url_part(cluster)}/tasks/{url_part(task_id)}"
    where = text(detail, "clusterArn") or event.account
    reason = first_text(text(detail, "stoppedReason"), text(detail, "stopCode"), "no reason")
    return [
        observe(
            event,
            f"{where}/{group} task stopped",
            Status.OCCURRED,
            f"{name} stopped: {reason}",
            Severity.WARNING,
            detail={
                **_exits(event),
                "stop code": text(detail, "stopCode"),
                "cluster": cluster,
                "task definition": text(detail, "taskDefinitionArn").rpartition("/")[2],
                "task": task_id,
                "account": event.account,
            },
            link=console_link(event.region, page),
            at=moment(detail, "stoppedAt"),
            resources=[arn, *event.resources],
        )
    ]


def deployment(event: Event) -> list[Observation] | None:
    """Read an `ECS Deployment State Change`."""
    name = text(event.detail, "eventName")
    if name == "SERVICE_DEPLOYMENT_IN_PROGRESS":
        return []
    if name not in DEPLOYMENTS:
        return None
    return [_of_service(event, "deployment", DEPLOYMENTS[name], Severity.WARNING)]


def service_action(event: Event) -> list[Observation] | None:
    """Read an `ECS Service Action`: warnings and errors, until the service is in a steady state."""
    name = text(event.detail, "eventName")
    kind = text(event.detail, "eventType")
    if not name:
        return None
    if kind in TYPES:
        return [_of_service(event, "scheduling", Status.FAILING, TYPES[kind])]
    if kind != "INFO":
        return None
    if name not in STEADY:
        return []
    return [_of_service(event, "scheduling", Status.OK, Severity.INFO)]


def _of_service(event: Event, what: str, status: Status, severity: Severity) -> Observation:
    detail = event.detail
    arn = text(event.resources, 0) or text(detail, "clusterArn")
    _, _, path = arn.partition(":service/")
    cluster, _, service = path.rpartition("/")
    if not cluster:
        cluster = last_part(text(detail, "clusterArn"))
    name = first_text(service, last_part(arn), "a service")
    change = text(detail, "eventName").removeprefix("SERVICE_")
    change = change.replace("_", " ").lower()
    page = "ecs/v2"
    if cluster and service:
        page = f"ecs/v2/clusters/{url_part(cluster)}/services/{url_part(service)}"
    return observe(
        event,
        f"{arn or event.account} {what}",
        status,
        f"{name}: {change}",
        severity,
        detail={
            "reason": text(detail, "reason"),
            "cluster": cluster,
            "deployment": text(detail, "deploymentId"),
            "account": event.account,
        },
        link=console_link(event.region, page),
        at=moment(detail, "updatedAt") or moment(detail, "createdAt"),
    )


def _task_name(event: Event) -> str:
    _, _, in_group = text(event.detail, "group").partition(":")
    family, _, _ = text(event.detail, "taskDefinitionArn").rpartition(":")
    return first_text(in_group, last_part(family), "a task")


def _failed(event: Event) -> bool:
    """Whether the task stopped because of a fault.

    Codes and reasons: Amazon ECS API Reference, "Task", `stopCode`, and Developer Guide, "Stopped
    tasks error messages".
    """
    code = text(event.detail, "stopCode")
    containers = items(event.detail, "containers")
    reasons = [text(container, "reason") for container in containers]
    reasons.append(text(event.detail, "stoppedReason"))
    if code == "TaskFailedToStart":
        return True
    if any(_BROKEN.search(reason) for reason in reasons):
        return True
    if code not in ("", "EssentialContainerExited"):
        return False
    exits = [number(container, "exitCode") for container in containers]
    return any(code not in GOOD_EXITS for code in exits)


def _exits(event: Event) -> dict[str, Fact | None]:
    """Say of each container how it ended."""
    exits: dict[str, Fact | None] = {}
    for container in items(event.detail, "containers"):
        name = text(container, "name")
        exits[f"container {name}"] = _exit(container)
    return exits


def _exit(container: Any) -> str:
    code = text(container, "exitCode")
    ended = f"exit {code}" if code else ""
    return join(ended, text(container, "reason")) or "no exit code"
