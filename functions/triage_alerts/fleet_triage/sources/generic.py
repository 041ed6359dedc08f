"""A message that no reader knows: it is shown as it came."""

from collections.abc import Mapping
from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import cut
from fleet_triage.documents import as_text, first_text, join, line, text
from fleet_triage.observing import console_link, observe

# Where documents that people write usually say what they are about.
TITLES = ("title", "subject", "summary", "message", "text", "description")
HEADLINE_CHARACTERS = 200
NAMES_SHOWN = 5


def occurrence(event: Event, fault: str = "") -> Observation:
    """Return one `info` occurrence that shows the message; `fault` is why a reader failed on it."""
    if (event.source, event.type) == ("aws.sns", "Notification"):
        return _notification(event, fault)
    headline = line(event.type) or _headline(event.detail)
    headline = cut(headline, HEADLINE_CHARACTERS)
    return observe(
        event,
        join(event.account, event.region, headline, by="/"),
        Status.OCCURRED,
        headline,
        detail={
            "message": as_text(event.detail),
            "account": event.account,
            "not understood": fault,
        },
    )


def _notification(event: Event, fault: str) -> Observation:
    message = event.detail.get("message")
    topic = text(event.detail, "topic")
    headline = text(event.detail, "subject") or _headline(message)
    headline = cut(headline, HEADLINE_CHARACTERS)
    where = topic or join(event.account, event.region, by="/")
    page = f"/topic/{topic}" if topic.startswith("arn:") else ""
    return observe(
        event,
        join(where, headline, by="/"),
        Status.OCCURRED,
        headline,
        detail={
            "message": as_text(message),
            "topic": topic.rpartition(":")[2],
            "account": event.account,
            "not understood": fault,
        },
        link=console_link(event.region, "sns/v3/home", page) if page else "",
    )


def _headline(message: Any) -> str:
    if not isinstance(message, Mapping):
        first_line, _, _ = as_text(message).partition("\n")
        return line(first_line) or "an empty message"
    titles = [text(message, name) for name in TITLES]
    names = [str(name) for name in list(message)[:NAMES_SHOWN]]
    members = ", ".join(names) or "nothing in it"
    return line(first_text(*titles, f"a message with {members}"))
