"""What no other source knows: it is shown as it came."""

from collections.abc import Mapping
from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import cut
from fleet_triage.reading import console, line, observe, shown, text

# Where people look first for what a document of theirs says.
TITLES = ("title", "subject", "summary", "message", "text", "description")
HEADLINE_CHARACTERS = 200


def occurrence(event: Event, fault: str = "") -> Observation:
    """One `info` occurrence that shows the message; `fault` is why a source could not read it."""
    notified = (event.source, event.type) == ("aws.sns", "Notification")
    message = event.detail.get("message") if notified else event.detail
    topic = text(event.detail, "topic") if notified else ""
    headline = text(event.detail, "subject") if notified else line(event.type)
    headline = cut(headline or _headline(message), HEADLINE_CHARACTERS)
    return observe(
        event,
        "/".join(filter(None, (topic or event.account, "" if topic else event.region, headline))),
        Status.OCCURRED,
        headline,
        detail={
            "message": shown(message),
            "topic": topic.rpartition(":")[2],
            "account": event.account,
            "not understood": fault,
        },
        link=console(event.region, "sns/v3/home", f"/topic/{topic}")
        if topic.startswith("arn:")
        else "",
    )


def _headline(message: Any) -> str:
    if isinstance(message, Mapping):
        said = next(filter(None, (text(message, name) for name in TITLES)), "")
        return line(
            said or f"a message with {', '.join(map(str, list(message)[:5])) or 'nothing in it'}"
        )
    return line(shown(message).partition("\n")[0]) or "an empty message"
