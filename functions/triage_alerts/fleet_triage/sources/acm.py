"""Certificates of ACM: those that expire, and those that were renewed."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, last, number, observe, text, where

# A ladder, since ACM says it daily: it rises when so many days are left.
LADDER = ((7, Severity.CRITICAL), (30, Severity.WARNING))


def expiring(event: Event) -> list[Observation] | None:
    """`ACM Certificate Approaching Expiration`."""
    days = number(event.detail, "DaysToExpiry")
    if days is None:
        return None
    severity = next((severity for most, severity in LADDER if days <= most), Severity.INFO)
    said = (
        f"expires in {days:g} day{'s' if days > 1 else ''}"
        if days > 0
        else "expires today"
        if days == 0
        else "has expired"
    )
    return _certificate(event, Status.FAILING, said, severity)


def expired(event: Event) -> list[Observation] | None:
    """`ACM Certificate Expired` and `ACM Certificate Revoked`."""
    return _certificate(
        event, Status.FAILING, f"is {event.type.rpartition(' ')[2].lower()}", Severity.CRITICAL
    )


def renewal_action(event: Event) -> list[Observation] | None:
    """`ACM Certificate Renewal Action Required`."""
    return _certificate(event, Status.FAILING, "cannot be renewed by itself", Severity.WARNING)


def available(event: Event) -> list[Observation] | None:
    """`ACM Certificate Available`: issued, imported or renewed."""
    return _certificate(event, Status.OK, "is available", Severity.INFO)


def _certificate(
    event: Event, status: Status, said: str, severity: Severity
) -> list[Observation] | None:
    detail = event.detail
    arn = text(event.resources, 0)
    if not (name := text(detail, "CommonName") or last(arn)):
        return None
    return [
        observe(
            event,
            arn or where(event, name),
            status,
            f"{name} {said}",
            severity,
            detail={
                "days left": number(detail, "DaysToExpiry"),
                "expires": text(detail, "CertificateExpirationDate"),
                "reason": text(detail, "RenewalStatusReason"),
                "type": text(detail, "CertificateType"),
                "certificate": arn,
                "account": event.account,
            },
            link=console(event.region, "acm/home", f"/certificates/{escaped(last(arn))}"),
        )
    ]
