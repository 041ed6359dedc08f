"""RDS events, over EventBridge and as a subscription sends them to a topic.

Shapes: Amazon RDS User Guide, "Working with Amazon RDS event notification" (`USER_Events.html`) and
"Monitoring Amazon RDS events with EventBridge" (`rds-cloud-watch-events.html`).
"""

import re

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import moment, text, texts
from fleet_triage.observing import console_link, observe, regional_subject, url_part

# How severe single events are, since a subscription's message does not name categories (Amazon RDS
# User Guide, "Amazon RDS event categories and event messages", `USER_Events.Messages.html`).
EVENTS = {
    "RDS-EVENT-0004": Severity.WARNING,  # shut down
    "RDS-EVENT-0006": Severity.WARNING,  # restarted
    "RDS-EVENT-0007": Severity.CRITICAL,  # storage exhausted
    "RDS-EVENT-0013": Severity.WARNING,  # failover started
    "RDS-EVENT-0022": Severity.CRITICAL,  # could not restart
    "RDS-EVENT-0031": Severity.CRITICAL,  # failed, to be restored
    "RDS-EVENT-0034": Severity.WARNING,  # failover abandoned
    "RDS-EVENT-0035": Severity.CRITICAL,  # invalid parameters
    "RDS-EVENT-0036": Severity.CRITICAL,  # incompatible network
    "RDS-EVENT-0049": Severity.WARNING,  # failover completed
    "RDS-EVENT-0065": Severity.WARNING,  # recovered from a partial failover
    "RDS-EVENT-0069": Severity.CRITICAL,  # the cluster's failover failed
    "RDS-EVENT-0071": Severity.WARNING,  # the cluster's failover completed
    "RDS-EVENT-0089": Severity.WARNING,  # storage low
    "RDS-EVENT-0221": Severity.CRITICAL,  # shut down, storage full
    "RDS-EVENT-0222": Severity.CRITICAL,  # soon to be shut down, storage low
}
CATEGORIES = {
    "failure": Severity.CRITICAL,
    "low storage": Severity.CRITICAL,
    "availability": Severity.WARNING,
    "failover": Severity.WARNING,
    "global failover": Severity.WARNING,
    "recovery": Severity.WARNING,
    "deletion": Severity.WARNING,
}


def database_event(event: Event) -> list[Observation] | None:
    """Read an `RDS DB Instance Event`, or that of a cluster, snapshot, proxy or group."""
    detail = event.detail
    name = text(detail, "SourceIdentifier").removeprefix("rds:")
    kind = text(detail, "SourceType").lower().replace("_", "-").removeprefix("db-")
    return _observe(
        event,
        kind=kind,
        name=name,
        event_id=text(detail, "EventID"),
        message=text(detail, "Message"),
        time="Date",
    )


def notification(event: Event) -> list[Observation] | None:
    """Read what a subscription sends to its topic; the event's id is the fragment of a link."""
    detail = event.detail
    event_id = re.search(r"RDS-EVENT-\d+", text(detail, "Event ID"))
    kind = text(detail, "Event Source").lower().removeprefix("db-")
    return _observe(
        event,
        kind=kind,
        name=text(detail, "Source ID"),
        event_id=event_id[0] if event_id else "",
        message=text(detail, "Event Message"),
        time="Event Time",
    )


def _observe(  # noqa: PLR0913 - what both ways say about an event
    event: Event, *, kind: str, name: str, event_id: str, message: str, time: str
) -> list[Observation] | None:
    if not name or not message:
        return None
    categories = texts(event.detail, "EventCategories")
    severities = {CATEGORIES[category] for category in categories if category in CATEGORIES}
    worst = max(severities, key=[*Severity].index, default=Severity.INFO)
    arn = text(event.detail, "SourceArn") or text(event.detail, "Source ARN")
    return [
        observe(
            event,
            f"{regional_subject(event, kind, name)} {event_id}".strip(),
            Status.OCCURRED,
            f"{name}: {message}",
            EVENTS.get(event_id, worst),
            detail={
                "message": message,
                "event": event_id,
                "categories": ", ".join(categories),
                "account": event.account,
            },
            link=console_link(event.region, "rds/home", f"database:id={url_part(name)}"),
            at=moment(event.detail, time),
            resources=[arn, *event.resources],
        )
    ]
