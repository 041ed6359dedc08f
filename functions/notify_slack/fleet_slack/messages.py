"""What Slack's messages say about an alert.

Nothing in an alert becomes markup: its texts are plain text, escaped, and its links are
percent-encoded. What is cut says so.
"""

from bisect import bisect_right
from datetime import UTC, datetime
from itertools import accumulate, islice
from typing import Any
from urllib.parse import quote

from fleet.alerts import Alert, AlertStatus
from fleet.findings import Severity

# https://docs.slack.dev/reference/block-kit/blocks/header-block and .../section-block
HEADER_CHARACTERS = 150
FIELDS = 10
TEXT_CHARACTERS = 3_000
# Slack refuses blocks that are too long together and does not say how long that is; one field may
# have 2,000 characters.
FACTS = 20
FACT_CHARACTERS = 500
LINK_CHARACTERS = 1_000

COLOURS = {
    Severity.INFO: "#439fe0",
    Severity.WARNING: "#e8a317",
    Severity.CRITICAL: "#c4161c",
}
RESOLVED_COLOUR = "#2e8b57"
# https://docs.slack.dev/messaging/formatting-message-text#escaping
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

Block = dict[str, Any]


def finding_message(alert: Alert) -> dict[str, Any]:
    """Return the message that shows a finding after `alert`, as chat.postMessage takes it."""
    colour = COLOURS[alert.severity]
    if alert.status is AlertStatus.RESOLVED:
        colour = RESOLVED_COLOUR
    blocks = [
        {"type": "header", "text": _plain_text(headline(alert), HEADER_CHARACTERS)},
        *_life(alert),
        *_detail(alert),
        *_links(alert),
    ]
    return {
        **_literal(headline(alert)),
        "attachments": [{"color": colour, "blocks": blocks}],
    }


def thread_reply(alert: Alert) -> dict[str, Any]:
    """Return the line that the finding's thread gets for an alert, as chat.postMessage takes it."""
    state = "Resolved" if alert.status is AlertStatus.RESOLVED else "Still so"
    since = _time(alert.first_seen)
    return _literal(f"{state}: since {since}, observed {alert.count} times")


def headline(alert: Alert) -> str:
    """Return the alert in one line."""
    title = alert.title.strip() or alert.subject
    if alert.status is AlertStatus.OPENED:
        return title
    return f"{alert.status.capitalize()}: {title}"


def escape(text: str, characters: int) -> str:
    """Escape what Slack reads as markup, in at most `characters`; text that was cut says so."""
    escaped = [ESCAPES.get(character, character) for character in text]
    lengths = list(accumulate(map(len, escaped), initial=0))
    if lengths[-1] <= characters:
        return "".join(escaped)
    notice = f"… (cut from {len(text)} characters)"
    room = characters - len(notice)
    kept = bisect_right(lengths, room) - 1
    return "".join(escaped[:kept]) + notice


def _life(alert: Alert) -> list[Block]:
    return _sections(
        {
            "Severity": alert.severity.value,
            "Status": alert.status.value,
            "Subject": alert.subject,
            "Source": alert.source,
            "Owner": alert.owner or "nobody",
            "Observed": "once" if alert.count == 1 else f"{alert.count} times",
            "First seen": _time(alert.first_seen),
            "Last seen": _time(alert.last_seen),
        }
    )


def _detail(alert: Alert) -> list[Block]:
    facts = {name: str(fact) for name, fact in alert.detail.items()}
    shown = dict(islice(facts.items(), FACTS))
    blocks = _sections(shown)
    left_out = len(facts) - len(shown)
    if left_out:
        notice = f"… and {left_out} more facts (cut from {len(facts)})"
        element = _plain_text(notice, FACT_CHARACTERS)
        blocks.append({"type": "context", "elements": [element]})
    return blocks


def _links(alert: Alert) -> list[Block]:
    links = []
    if alert.link:
        links.append(_link("Console", alert.link))
    if alert.runbook:
        links.append(_link("Runbook", alert.runbook))
    if not links:
        return []
    text = {"type": "mrkdwn", "text": " · ".join(links), "verbatim": True}
    return [{"type": "section", "text": text}]


def _literal(text: str) -> dict[str, Any]:
    """A message's text, in which Slack looks for no mentions, links or previews.

    chat.update would otherwise: https://docs.slack.dev/reference/methods/chat.update
    """
    return {
        "text": escape(text, TEXT_CHARACTERS),
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _plain_text(text: str, characters: int) -> Block:
    return {
        "type": "plain_text",
        "text": escape(text, characters) or "–",
        "emoji": False,
    }


def _sections(facts: dict[str, str]) -> list[Block]:
    fields = []
    for name, fact in facts.items():
        text = f"{name}\n{fact or '–'}"
        fields.append(_plain_text(text, FACT_CHARACTERS))
    sections = []
    for start in range(0, len(fields), FIELDS):
        end = start + FIELDS
        sections.append({"type": "section", "fields": fields[start:end]})
    return sections


def _link(label: str, url: str) -> str:
    """A link with a label of our own, or a text that says so where the URL cannot be one."""
    address = quote(url, safe="%/:?#[]@!$&'()*+,;=~")
    of_the_web = address.startswith(("http://", "https://"))
    if not of_the_web or len(address) > LINK_CHARACTERS:
        return f"{label}: no link"
    href = address.replace("&", "&amp;")
    return f"<{href}|{label}>"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M UTC}"
