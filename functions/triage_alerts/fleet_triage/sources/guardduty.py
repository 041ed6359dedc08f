"""GuardDuty's findings, and what its malware protection found in objects of S3."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, items, number, observe, text, value

# The lowest severity of each band (GuardDuty User Guide, "Severity levels of GuardDuty findings").
BANDS = (
    (9.0, "Critical", Severity.CRITICAL),
    (7.0, "High", Severity.CRITICAL),
    (4.0, "Medium", Severity.WARNING),
    (0.0, "Low", Severity.INFO),
)
SCANS = {
    "THREATS_FOUND": (Severity.CRITICAL, "holds malware"),
    "ACCESS_DENIED": (Severity.WARNING, "could not be scanned for malware: access denied"),
    "FAILED": (Severity.WARNING, "could not be scanned for malware"),
    "UNSUPPORTED": (Severity.INFO, "cannot be scanned for malware"),
}


def finding(event: Event) -> list[Observation] | None:
    """`GuardDuty Finding`; each update of a finding bears its subject."""
    detail = event.detail
    account = text(detail, "accountId") or event.account
    region = text(detail, "region") or event.region
    if not (identity := text(detail, "id")):
        return None
    score = number(detail, "severity")
    band, severity = next(
        (
            (name, severity)
            for least, name, severity in BANDS
            if score is not None and score >= least
        ),
        ("Unknown", Severity.WARNING),
    )
    archived = value(detail, "service", "archived") is True
    return [
        observe(
            event,
            f"{account}/{region}/{identity}",
            Status.OK if archived else Status.FAILING,
            f"{band}: {text(detail, 'title') or text(detail, 'type') or 'a GuardDuty finding'}",
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
            link=console(
                region, "guardduty/home", f"/findings?macros=current&fId={escaped(identity)}"
            ),
            resources=[text(detail, "arn"), *event.resources],
        )
    ]


def object_scan(event: Event) -> list[Observation] | None:
    """`GuardDuty Malware Protection Object Scan Result`; that an object is clean is no news."""
    scanned = value(event.detail, "s3ObjectDetails")
    bucket, key = text(scanned, "bucketName"), text(scanned, "objectKey")
    result = text(event.detail, "scanResultDetails", "scanResultStatus")
    if result == "NO_THREATS_FOUND":
        return []
    if not bucket or result not in SCANS:
        return None
    severity, said = SCANS[result]
    threats = (
        text(threat, "name") for threat in items(event.detail, "scanResultDetails", "threats")
    )
    return [
        observe(
            event,
            f"s3://{bucket}/{key}",
            Status.OCCURRED,
            f"s3://{bucket}/{key} {said}",
            severity,
            detail={
                "result": result,
                "threats": ", ".join(filter(None, threats)),
                "version": text(scanned, "versionId"),
                "account": event.account,
            },
            link=console(event.region, f"s3/buckets/{escaped(bucket)}"),
        )
    ]
