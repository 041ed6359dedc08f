"""AWS Backup's jobs: backups, copies and restores.

Shapes: AWS Backup Developer Guide, "Monitoring AWS Backup events using Amazon EventBridge"
(`eventbridge.html`).
"""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import first_text, text
from fleet_triage.observing import console_link, observe, regional_subject

FAILED = ("FAILED", "ABORTED", "EXPIRED", "PARTIAL")
NO_NEWS = ("CREATED", "PENDING", "RUNNING", "ABORTING")
RESOURCES = (
    "resourceArn",
    "createdResourceArn",
    "recoveryPointArn",
    "backupJobId",
    "copyJobId",
    "restoreJobId",
)


def job(event: Event) -> list[Observation] | None:
    """Read a `Backup Job State Change`, or that of a copy or restore.

    The resource's next job that completes resolves it. A backup that completed with a message
    completed with issues: something is not in it.
    """
    detail = event.detail
    kind = event.type.removesuffix(" Job State Change").lower()
    state = text(detail, "state") or text(detail, "status")
    message = text(detail, "statusMessage").strip('" ')
    if state in NO_NEWS:
        return []
    resource = first_text(*(text(detail, name) for name in RESOURCES))
    if not resource or state not in (*FAILED, "COMPLETED"):
        return None
    failing = state in FAILED or (kind == "backup" and bool(message))
    outcome = state.lower()
    if failing and state in ("COMPLETED", "PARTIAL"):
        outcome = "completed with issues"
    name = resource.split(":", 5)[-1]
    return [
        observe(
            event,
            regional_subject(event, kind, resource),
            Status.FAILING if failing else Status.OK,
            f"{kind} of {name} {outcome}",
            Severity.WARNING,
            detail={
                "reason": message,
                "vault": text(detail, "backupVaultName") or text(detail, "sourceBackupVaultArn"),
                "resource": resource,
                "resource type": text(detail, "resourceType"),
                "job": text(detail, f"{kind}JobId"),
                "account": event.account,
            },
            link=console_link(event.region, "backup/home", "/jobs"),
            resources=[resource, *event.resources],
        )
    ]
