"""GuardDuty's findings, and what its malware protection found in objects of S3.

Shapes: Amazon GuardDuty User Guide, "Processing GuardDuty findings with Amazon EventBridge"
(`guardduty_findings_eventbridge.html`) and "Monitoring S3 object scans with Amazon EventBridge"
(`monitor-with-eventbridge-s3-malware-protection.html`).
"""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import first_text, items, join, number, text, value
from fleet_triage.observing import console_link, observe, url_part

# The lowest severity of each band (GuardDuty User Guide, "Severity levels of GuardDuty findings").
BANDS = (
    (9.0, "Critical", Severity.CRITICAL),
    (7.0, "High", Severity.CRITICAL),
    (4.0, "Medium", Severity.WARNING),
    (0.0, "Low", Severity.INFO),
)
SCANS = {
    "THREATS_FOUND": (Severity.CRITICAL, "contains malware"),
    "ACCESS_DENIED": (Severity.WARNING, "could not be scanned for malware: access denied"),
    "FAILED": (Severity.WARNING, "could not be scanned for malware"),
    "UNSUPPORTED": (Severity.INFO, "cannot be scanned for malware"),
}


def finding(event: Event) -> list[Observation] | None:
    """Read a `GuardDuty Finding`; each update of a finding has the same subject."""
    detail = event.detail
    account = text(detail, "accountId") or event.account
    region = text(detail, "region") or event.region
    identity = text(detail, "id")
    if not identity:
        return None
    score = number(detail, "severity")
    band, severity = _band(score)
    archived = value(detail, "service", "archived") is True
    title = first_text(text(detail, "title"), text(detail, "type"), "a GuardDuty finding")
    page = f"/findings?macros=current&fId={url_part(identity)}"
    return [
        observe(
            event,
            f"{account}/{region}/{identity}",
            Status.OK if archived else Status.FAILING,
            f"{band}: {title}",
            severity,
            detail={
                "type": text(detail, "type"),
                "severity": score,
                "description": text(detail, "description"),
                "account": account,
                "resource": text(detail, "resource", "resourceType"),
                "seen": number(detail, "service", "count"),
                "first seen": text(detail, "service", "eventFirstSeen"),
            },
            link=console_link(region, "guardduty/home", page),
            resources=[text(detail, "arn"), *event.resources],
        )
    ]


def _band(score: float | None) -> tuple[str, Severity]:
    """Return the name of the score's band, and how severe it is here."""
    if score is not None:
        for least, name, severity in BANDS:
            if score >= least:
                return name, severity
    return "Unknown", Severity.WARNING


def object_scan(event: Event) -> list[Observation] | None:
    """Read a `GuardDuty Malware Protection Object Scan Result`; a clean object is not news."""
    scanned = value(event.detail, "s3ObjectDetails")
    bucket = text(scanned, "bucketName")
    key = text(scanned, "objectKey")
    result = text(event.detail, "scanResultDetails", "scanResultStatus")
    if result == "NO_THREATS_FOUND":
        return []
    if not bucket or result not in SCANS:
        return None
    severity, verdict = SCANS[result]
    threats = items(event.detail, "scanResultDetails", "threats")
    names = [text(threat, "name") for threat in threats]
    return [
        observe(
            event,
            f"s3://{bucket}/{key}",
            Status.OCCURRED,
            f"s3://{bucket}/{key} {verdict}",
            severity,
            detail={
                "result": result,
                "threats": join(*names),
                "version": text(scanned, "versionId"),
                "account": event.account,
            },
            link=console_link(event.region, f"s3/buckets/{url_part(bucket)}"),
        )
    ]
