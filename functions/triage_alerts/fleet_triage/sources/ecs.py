"""ECS: tasks that ended badly, deployments that failed, services that cannot place or start their tasks."""

import re
from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, items, last, moment, number, observe, text

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
    """`ECS Task State Change`: only tasks that stopped by a fault.

    What a deployment, a scale-in or a person stopped is no news, however its containers took it.
    """
    detail = event.detail
    if not (state := text(detail, "lastStatus")):
        return None
    containers = items(detail, "containers")
    reason = text(detail, "stoppedReason")
    if state != "STOPPED" or not _faulty(text(detail, "stopCode"), reason, containers):
        return []
    cluster, group = last(text(detail, "clusterArn")), text(detail, "group")
    name = (
        group.partition(":")[2]
        or last(text(detail, "taskDefinitionArn").rpartition(":")[0])
        or "a task"
    )
    arn = text(detail, "taskArn") or text(event.resources, 0)
    page = f"ecs/v2/clusters/{escaped(cluster)}/tasks/{escaped(last(arn))}"
    exits = {text(one, "name"): _exit(one) for one in containers}
    return [
        observe(
            event,
            f"{text(detail, 'clusterArn') or event.account}/{group or name} task stopped",
            Status.OCCURRED,
            f"{name} stopped: {reason or text(detail, 'stopCode') or 'no reason'}",
            Severity.WARNING,
            detail={
                **{f"container {container}": said for container, said in exits.items()},
                "stop code": text(detail, "stopCode"),
                "cluster": cluster,
                "task definition": text(detail, "taskDefinitionArn").rpartition("/")[2],
                "task": last(arn),
                "account": event.account,
            },
            link=console(event.region, page),
            at=moment(detail, "stoppedAt"),
            resources=[arn, *event.resources],
        )
    ]


def deployment(event: Event) -> list[Observation] | None:
    """`ECS Deployment State Change`."""
    name = text(event.detail, "eventName")
    if name == "SERVICE_DEPLOYMENT_IN_PROGRESS":
        return []
    if name not in DEPLOYMENTS:
        return None
    return [_of_service(event, "deployment", DEPLOYMENTS[name], Severity.WARNING)]


def service_action(event: Event) -> list[Observation] | None:
    """`ECS Service Action`: warnings and errors, until the service is in a steady state."""
    name, kind = text(event.detail, "eventName"), text(event.detail, "eventType")
    if not name or kind not in (*TYPES, "INFO"):
        return None
    if kind == "INFO" and name not in STEADY:
        return []
    status = Status.FAILING if kind in TYPES else Status.OK
    return [_of_service(event, "scheduling", status, TYPES.get(kind, Severity.INFO))]


def _of_service(event: Event, what: str, status: Status, severity: Severity) -> Observation:
    detail = event.detail
    arn = text(event.resources, 0) or text(detail, "clusterArn")
    _, _, path = arn.partition(":service/")
    cluster, _, service = path.rpartition("/")
    cluster = cluster or last(text(detail, "clusterArn"))
    name = service or last(arn) or "a service"
    said = text(detail, "eventName").removeprefix("SERVICE_").replace("_", " ").lower()
    page = (
        f"ecs/v2/clusters/{escaped(cluster)}/services/{escaped(service)}"
        if cluster and service
        else "ecs/v2"
    )
    return observe(
        event,
        f"{arn or event.account} {what}",
        status,
        f"{name}: {said}",
        severity,
        detail={
            "reason": text(detail, "reason"),
            "cluster": cluster,
            "deployment": text(detail, "deploymentId"),
            "account": event.account,
        },
        link=console(event.region, page),
        at=moment(detail, "updatedAt") or moment(detail, "createdAt"),
    )


def _faulty(code: str, reason: str, containers: list[Any]) -> bool:
    reasons = [reason, *(text(container, "reason") for container in containers)]
    if code == "TaskFailedToStart" or any(map(_BROKEN.search, reasons)):
        return True
    return code in ("", "EssentialContainerExited") and any(
        number(container, "exitCode") not in GOOD_EXITS for container in containers
    )


def _exit(container: Any) -> str:
    code, reason = text(container, "exitCode"), text(container, "reason")
    return ", ".join(filter(None, (f"exit {code}" if code else "", reason))) or "no exit code"
