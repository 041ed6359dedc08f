"""AWS Backup's jobs: backups, copies and restores."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, observe, text, where

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
    """`Backup Job State Change`, and those of copies and restores; the next job of the resource resolves it.

    A backup that completed with a message completed with issues: something is not in it.
    """
    detail = event.detail
    kind = event.type.removesuffix(" Job State Change").lower()
    state = text(detail, "state") or text(detail, "status")
    said = text(detail, "statusMessage").strip('" ')
    if state in NO_NEWS:
        return []
    resource = next(filter(None, (text(detail, name) for name in RESOURCES)), "")
    if not resource or state not in (*FAILED, "COMPLETED"):
        return None
    failing = state in FAILED or (kind == "backup" and bool(said))
    verb = (
        "completed with issues" if failing and state in ("COMPLETED", "PARTIAL") else state.lower()
    )
    return [
        observe(
            event,
            where(event, kind, resource),
            Status.FAILING if failing else Status.OK,
            f"{kind} of {resource.split(':', 5)[-1]} {verb}",
            Severity.WARNING,
            detail={
                "reason": said,
                "vault": text(detail, "backupVaultName") or text(detail, "sourceBackupVaultArn"),
                "resource": resource,
                "resource type": text(detail, "resourceType"),
                "job": text(detail, f"{kind}JobId"),
                "account": event.account,
            },
            link=console(event.region, "backup/home", "/jobs"),
            resources=[resource, *event.resources],
        )
    ]
