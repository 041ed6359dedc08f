"""Certificates of ACM: those that expire, and those that were renewed.

Shapes: AWS Certificate Manager User Guide, "Amazon EventBridge support for ACM"
(`supported-events.html`).
"""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import last_part, number, text
from fleet_triage.observing import console_link, observe, regional_subject, url_part

# How severe it is when at most so many days are left. ACM says it daily, so the finding escalates.
LADDER = ((7, Severity.CRITICAL), (30, Severity.WARNING))


def expiring(event: Event) -> list[Observation] | None:
    """Read an `ACM Certificate Approaching Expiration`."""
    days = number(event.detail, "DaysToExpiry")
    if days is None:
        return None
    return _certificate(event, Status.FAILING, _expiry(days), _severity(days))


def expired(event: Event) -> list[Observation] | None:
    """Read an `ACM Certificate Expired`."""
    return _certificate(event, Status.FAILING, "has expired", Severity.CRITICAL)


def revoked(event: Event) -> list[Observation] | None:
    """Read an `ACM Certificate Revoked`."""
    return _certificate(event, Status.FAILING, "is revoked", Severity.CRITICAL)


def renewal_action(event: Event) -> list[Observation] | None:
    """Read an `ACM Certificate Renewal Action Required`."""
    verdict = "cannot be renewed automatically"
    return _certificate(event, Status.FAILING, verdict, Severity.WARNING)


def available(event: Event) -> list[Observation] | None:
    """Read an `ACM Certificate Available`: it was issued, imported or renewed."""
    return _certificate(event, Status.OK, "is available", Severity.INFO)


def _severity(days: float) -> Severity:
    for most, severity in LADDER:
        if days <= most:
            return severity
    return Severity.INFO


def _expiry(days: float) -> str:
    if days < 0:
        return "has expired"
    if days == 0:
        return "expires today"
    unit = "days" if days > 1 else "day"
    return f"expires in {days:g} {unit}"


def _certificate(
    event: Event,
    status: Status,
    verdict: str,
    severity: Severity,
) -> list[Observation] | None:
    detail = event.detail
    arn = text(event.resources, 0)
    name = text(detail, "CommonName") or last_part(arn)
    if not name:
        return None
    return [
        observe(
            event,
            arn or regional_subject(event, name),
            status,
            f"{name} {verdict}",
            severity,
            detail={
                "days left": number(detail, "DaysToExpiry"),
                "expires": text(detail, "CertificateExpirationDate"),
                "reason": text(detail, "RenewalStatusReason"),
                "type": text(detail, "CertificateType"),
                "certificate": arn,
                "account": event.account,
            },
            link=console_link(
                event.region, "acm/home", f"/certificates/{url_part(last_part(arn))}"
            ),
        )
    ]
