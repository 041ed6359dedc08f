"""AWS Health: what is wrong at AWS, what AWS is going to change, and what it tells the account.

Shape: AWS Health User Guide, "Reference: AWS Health events Amazon EventBridge schema"
(`aws-health-events-eventbridge-schema.html`).
"""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import items, join, moment, text
from fleet_triage.observing import console_link, observe, url_part

# AWS saw somebody abuse the account, or found its credentials in public.
URGENT_SERVICES = ("ABUSE", "RISK")


def health_event(event: Event) -> list[Observation] | None:
    """Read an `AWS Health Event` or an `AWS Health Abuse Event`.

    Pages of one communication share a subject, and count. The copy that AWS sends from its backup
    region has the event id of the original, so it is the same message.
    """
    detail = event.detail
    arn = text(detail, "eventArn")
    category = text(detail, "eventTypeCategory")
    if not arn or not category:
        return None
    account = text(detail, "affectedAccount") or event.account
    region = text(detail, "eventRegion") or event.region
    service = text(detail, "service") or "AWS"
    code = text(detail, "eventTypeCode") or category
    affected = [text(entity, "entityValue") for entity in items(detail, "affectedEntities")]
    page = f"/account/event-log?eventID={url_part(arn)}"
    return [
        observe(
            event,
            f"{account}/{arn}",
            _status(event, category),
            f"{service}: {code} in {region}",
            _severity(event, category),
            detail={
                "category": category,
                "status": text(detail, "statusCode"),
                "description": _description(event),
                "starts": text(detail, "startTime"),
                "ends": text(detail, "endTime"),
                "scope": text(detail, "eventScopeCode"),
                "account": account,
                "affected": join(*affected),
                "page": _page(event),
            },
            link=console_link(event.region, "health/home", page),
            at=moment(detail, "lastUpdatedTime"),
            event_id=_event_id(event, account),
            resources=[*affected, *event.resources],
        )
    ]


def _status(event: Event, category: str) -> Status:
    """A notification is sent once; an issue, investigation or change lasts until AWS closes it."""
    if category == "accountNotification":
        return Status.OCCURRED
    match text(event.detail, "statusCode"):
        case "closed":
            return Status.OK
        case "open" | "upcoming":
            return Status.FAILING
    # Without a status, an event that has an end is over, except a change: its end is planned.
    ended = category != "scheduledChange" and text(event.detail, "endTime")
    return Status.OK if ended else Status.FAILING


def _severity(event: Event, category: str) -> Severity:
    if event.type == "AWS Health Abuse Event" or text(event.detail, "service") in URGENT_SERVICES:
        return Severity.CRITICAL
    if category == "issue":
        public = text(event.detail, "eventScopeCode") == "PUBLIC"
        return Severity.WARNING if public else Severity.CRITICAL
    if category == "accountNotification":
        urgent = text(event.detail, "actionability") == "ACTION_REQUIRED"
        return Severity.WARNING if urgent else Severity.INFO
    return Severity.WARNING


def _event_id(event: Event, account: str) -> str:
    communication = text(event.detail, "communicationId")
    if not communication:
        return ""
    page = text(event.detail, "page")
    return f"{communication}/{account}/{page}"


def _page(event: Event) -> str:
    pages = text(event.detail, "totalPages")
    if pages in ("", "1"):
        return ""
    return f"{text(event.detail, 'page')} of {pages}"


def _description(event: Event) -> str:
    descriptions = items(event.detail, "eventDescription")
    english = [item for item in descriptions if text(item, "language").startswith("en")]
    preferred = [*english, *descriptions]
    return text(preferred, 0, "latestDescription").replace("\\n", "\n")
