"""What became of mail: SES's notifications and event publishing, to a topic or over EventBridge.

Shapes: Amazon SES Developer Guide, "Amazon SNS notification contents"
(`notification-contents.html`) and "Examples of event data"
(`event-publishing-retrieving-sns-examples.html`).
"""

from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import first_text, items, moment, text, value
from fleet_triage.observing import console_link, observe, regional_subject

# AWS watches the rate of complaints and permanent bounces, and in the end it stops the sender.
SEVERITIES = {
    "bounce": Severity.INFO,
    "complaint": Severity.WARNING,
    "reject": Severity.WARNING,
    "rendering failure": Severity.WARNING,
    "deliverydelay": Severity.INFO,
}
PERMANENT = "Permanent"
SUBTYPES = ("bounceType", "complaintFeedbackType", "delayType")
REASONS = ("reason", "errorMessage", "bounceSubType")
NO_NEWS = ("delivery", "send", "open", "click", "subscription")
NAMES = {"deliverydelay": "delivery delay"}
FIELDS = {"rendering failure": "failure", "deliverydelay": "deliveryDelay"}
RECIPIENTS = {
    "bounce": "bouncedRecipients",
    "complaint": "complainedRecipients",
    "deliverydelay": "delayedRecipients",
}


def feedback(event: Event) -> list[Observation] | None:
    """Read a bounce, a complaint, a rejection or a delay.

    The subject is the sender, so that a bad mailing is one alert. Addresses are personal data: only
    their domains are shown.
    """
    detail = event.detail
    kind = (text(detail, "notificationType") or text(detail, "eventType")).lower()
    if kind in NO_NEWS:
        return []
    if kind not in SEVERITIES:
        return None
    report = value(detail, FIELDS.get(kind, kind))
    subtype = first_text(*(text(report, name) for name in SUBTYPES))
    is_bounce = kind == "bounce"
    severity = SEVERITIES[kind]
    if is_bounce and subtype == PERMANENT:
        severity = Severity.WARNING
    title = NAMES.get(kind, kind)
    if subtype:
        title = f"{title} ({subtype})"
    identity = text(detail, "mail", "sourceArn")
    sender = _sender(event)
    recipients = items(report, RECIPIENTS.get(kind, "")) or items(detail, "mail", "destination")
    diagnoses = [text(recipient, "diagnosticCode") for recipient in recipients]
    return [
        observe(
            event,
            regional_subject(event, sender, kind, subtype if is_bounce else ""),
            Status.OCCURRED,
            f"Mail from {sender}: {title}",
            severity,
            detail={
                "recipients": len(recipients),
                "domains": ", ".join(_domains(recipients)),
                "diagnosis": first_text(*diagnoses),
                "reason": first_text(*(text(report, name) for name in REASONS)),
                "message": text(detail, "mail", "messageId"),
            },
            link=console_link(event.region, "ses/home", "/account"),
            at=moment(report, "timestamp") or moment(detail, "mail", "timestamp"),
            resources=[identity],
        )
    ]


def _sender(event: Event) -> str:
    _, _, identity = text(event.detail, "mail", "sourceArn").partition(":identity/")
    return first_text(identity, text(event.detail, "mail", "source"), "somebody")


def _domains(recipients: list[Any]) -> list[str]:
    """Return the domains of the recipients' addresses, each once."""
    domains: dict[str, None] = {}
    for recipient in recipients:
        address = text(recipient, "emailAddress") or text(recipient)
        _, at, domain = address.rpartition("@")
        if at:
            domains[domain.strip("> ")] = None
    return list(domains)
