"""AWS Health: what is wrong at AWS, what AWS is going to change, and what it has to say to the account."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, items, moment, observe, text

OPEN = ("open", "upcoming")
URGENT_SERVICES = ("ABUSE", "RISK")  # AWS saw an abuse of the account, or its credentials in public


def health_event(event: Event) -> list[Observation] | None:
    """`AWS Health Event` and `AWS Health Abuse Event`.

    Pages of one communication share a subject, and count. The copy that AWS sends from its backup region bears
    the event id of the original, so it is the same message.
    """
    detail = event.detail
    arn, category = text(detail, "eventArn"), text(detail, "eventTypeCategory")
    if not arn or not category:
        return None
    account = text(detail, "affectedAccount") or event.account
    region = text(detail, "eventRegion") or event.region
    communication, page = text(detail, "communicationId"), text(detail, "page")
    affected = [text(entity, "entityValue") for entity in items(detail, "affectedEntities")]
    code = text(detail, "eventTypeCode")
    return [
        observe(
            event,
            f"{account}/{arn}",
            _status(event, category),
            f"{text(detail, 'service') or 'AWS'}: {code or category} in {region}",
            _severity(event, category),
            detail={
                "category": category,
                "status": text(detail, "statusCode"),
                "description": _description(event),
                "starts": text(detail, "startTime"),
                "ends": text(detail, "endTime"),
                "scope": text(detail, "eventScopeCode"),
                "account": account,
                "affected": ", ".join(filter(None, affected)),
                "page": f"{page} of {text(detail, 'totalPages')}"
                if text(detail, "totalPages") not in ("", "1")
                else "",
            },
            link=console(event.region, "health/home", f"/account/event-log?eventID={escaped(arn)}"),
            at=moment(detail, "lastUpdatedTime"),
            event_id="/".join((communication, account, page)) if communication else "",
            resources=[*affected, *event.resources],
        )
    ]


def _status(event: Event, category: str) -> Status:
    """A notification is said once; issues, investigations and changes last until AWS closes them."""
    if category == "accountNotification":
        return Status.OCCURRED
    state = text(event.detail, "statusCode")
    ended = state == "closed" or (
        state not in OPEN and text(event.detail, "endTime") and category != "scheduledChange"
    )
    return Status.OK if ended else Status.FAILING


def _severity(event: Event, category: str) -> Severity:
    if event.type == "AWS Health Abuse Event" or text(event.detail, "service") in URGENT_SERVICES:
        return Severity.CRITICAL
    if category == "issue":
        return (
            Severity.WARNING
            if text(event.detail, "eventScopeCode") == "PUBLIC"
            else Severity.CRITICAL
        )
    if category == "accountNotification":
        urgent = text(event.detail, "actionability") == "ACTION_REQUIRED"
        return Severity.WARNING if urgent else Severity.INFO
    return Severity.WARNING


def _description(event: Event) -> str:
    said = items(event.detail, "eventDescription")
    english = [one for one in said if text(one, "language").startswith("en")]
    return text([*english, *said], 0, "latestDescription").replace("\\n", "\n")
