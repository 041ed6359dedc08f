"""What became of mail: SES's notifications and event publishing, to a topic or over EventBridge."""

from collections import Counter

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, items, moment, observe, text, value, where

# A few kinds are news; where addresses fail for good, AWS watches the rate, and stops a sender in the end.
SEVERITIES = {
    "bounce": Severity.INFO,
    "complaint": Severity.WARNING,
    "reject": Severity.WARNING,
    "rendering failure": Severity.WARNING,
    "deliverydelay": Severity.INFO,
}
PERMANENT = "Permanent"
NO_NEWS = ("delivery", "send", "open", "click", "subscription")
NAMES = {"deliverydelay": "delivery delay"}
FIELDS = {"rendering failure": "failure", "deliverydelay": "deliveryDelay"}
RECIPIENTS = {
    "bounce": "bouncedRecipients",
    "complaint": "complainedRecipients",
    "deliverydelay": "delayedRecipients",
}


def feedback(event: Event) -> list[Observation] | None:
    """A bounce, a complaint, a refusal or a delay; the subject is the sender, so that a bad mailing is one alert.

    Addresses are left out, but for their domains: they are people's.
    """
    detail = event.detail
    kind = (text(detail, "notificationType") or text(detail, "eventType")).lower()
    if kind in NO_NEWS:
        return []
    if kind not in SEVERITIES:
        return None
    said = value(detail, FIELDS.get(kind, kind))
    sub = text(said, "bounceType") or text(said, "complaintFeedbackType") or text(said, "delayType")
    identity = text(detail, "mail", "sourceArn")
    sender = identity.partition(":identity/")[2] or text(detail, "mail", "source") or "somebody"
    recipients = items(said, RECIPIENTS.get(kind, "")) or items(detail, "mail", "destination")
    addresses = [text(one, "emailAddress") or text(one) for one in recipients]
    domains = Counter(
        address.rpartition("@")[2].strip("> ") for address in addresses if "@" in address
    )
    diagnosis = next(filter(None, (text(one, "diagnosticCode") for one in recipients)), "")
    severity = Severity.WARNING if (kind, sub) == ("bounce", PERMANENT) else SEVERITIES[kind]
    return [
        observe(
            event,
            where(event, sender, kind, sub if kind == "bounce" else ""),
            Status.OCCURRED,
            f"Mail from {sender}: {NAMES.get(kind, kind)}{f' ({sub})' if sub else ''}",
            severity,
            detail={
                "recipients": len(addresses),
                "domains": ", ".join(domains),
                "diagnosis": diagnosis,
                "reason": text(said, "reason")
                or text(said, "errorMessage")
                or text(said, "bounceSubType"),
                "message": text(detail, "mail", "messageId"),
            },
            link=console(event.region, "ses/home", "/account"),
            at=moment(said, "timestamp") or moment(detail, "mail", "timestamp"),
            resources=[identity],
        )
    ]
