"""Alerts as Slack shows them, and Slack's Web API.

Nothing in an alert becomes markup: its texts are plain text, escaped, and its links are percent-encoded. Limits are
those of Slack's reference for blocks and messages; what is cut says so.
"""

import json
import re
from bisect import bisect_right
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any
from urllib.parse import quote

from fleet import http
from fleet.alerts import Alert, AlertStatus
from fleet.errors import Permanent, Refused, Transient
from fleet.findings import Severity

HEADER_CHARACTERS = 150
FIELDS = 10
TEXT_CHARACTERS = 3_000
# Slack refuses blocks that are too long together and does not say how long that is; a field may have 2,000 characters.
FACTS = 20
FACT_CHARACTERS = 500

COLOURS = {Severity.INFO: "#439fe0", Severity.WARNING: "#e8a317", Severity.CRITICAL: "#c4161c"}
RESOLVED_COLOUR = "#2e8b57"
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

# What the Web API answers beside `"ok": false`.
PASSING = {"fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"}
SECRET = {"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"}


class NoMessage(Permanent):
    """The message to update is no more."""


def call(url: str, method: str, document: dict[str, Any], token: str) -> dict[str, Any]:
    """Call a method of the Web API at `url`, and return its answer, which is `ok`.

    Raises what `fleet.http.post` raises, `NoMessage`, and the like for an answer of 200 that is not `ok`.
    """
    headers = {
        "Authorization": f"Bearer {token.strip()}",
        "Content-Type": "application/json; charset=utf-8",
    }
    response = http.post(f"{url}/{method}", json.dumps(document).encode(), headers)
    try:
        answer = json.loads(response.body)
        if answer["ok"] is True:
            return dict(answer)
        error = str(answer["error"])
    except (ValueError, KeyError, TypeError):
        raise Transient(f"Slack answered {method} with something else than its JSON") from None
    text = f"Slack refused {method} in {document['channel']}: {error}"
    if error in PASSING:
        raise Transient(
            text,
            retry_after=http.retry_after(
                response.headers.get("retry-after", ""), datetime.now(UTC)
            ),
        )
    if error in SECRET:
        raise Refused(text)
    raise (NoMessage if error == "message_not_found" else Permanent)(text)


def message(alert: Alert) -> dict[str, Any]:
    """The message about a finding, as its last alert tells of it: what chat.postMessage and a webhook take."""
    facts = {
        "Severity": alert.severity.value,
        "Status": alert.status.value,
        "Subject": alert.subject,
        "Source": alert.source,
        "Owner": alert.owner or "nobody",
        "Observed": "once" if alert.count == 1 else f"{alert.count} times",
        "First seen": _time(alert.first_seen),
        "Last seen": _time(alert.last_seen),
    }
    blocks = [
        {"type": "header", "text": _plain(headline(alert), HEADER_CHARACTERS)},
        *_sections(facts),
    ]
    detail = list(alert.detail.items())
    blocks += _sections({name: str(fact) for name, fact in detail[:FACTS]})
    if (left := len(detail) - FACTS) > 0:
        said = f"… and {left} more facts (cut from {len(detail)})"
        blocks.append({"type": "context", "elements": [_plain(said, FACT_CHARACTERS)]})
    links = {"Console": alert.link, "Runbook": alert.runbook}
    if shown := " · ".join(_link(label, url) for label, url in links.items() if url):
        blocks.append(
            {"type": "section", "text": {"type": "mrkdwn", "text": shown, "verbatim": True}}
        )
    colour = RESOLVED_COLOUR if alert.status is AlertStatus.RESOLVED else COLOURS[alert.severity]
    return _as_written(headline(alert)) | {"attachments": [{"color": colour, "blocks": blocks}]}


def reply(alert: Alert) -> dict[str, Any]:
    """What the finding's thread is told of an alert."""
    lasted = f"since {_time(alert.first_seen)}, observed {alert.count} times"
    return _as_written(
        f"Resolved: {lasted}" if alert.status is AlertStatus.RESOLVED else f"Still so: {lasted}"
    )


def headline(alert: Alert) -> str:
    """The alert in one line."""
    said = "" if alert.status is AlertStatus.OPENED else f"{alert.status.capitalize()}: "
    return said + (alert.title.strip() or alert.subject)


def escaped(text: str, characters: int) -> str:
    """Escape what Slack reads as markup, in at most `characters`, saying so where some were cut."""
    written = [ESCAPES.get(character, character) for character in text]
    lengths = list(accumulate(map(len, written), initial=0))
    if lengths[-1] <= characters:
        return "".join(written)
    notice = f"… (cut from {len(text)} characters)"
    return "".join(written[: bisect_right(lengths, characters - len(notice)) - 1]) + notice


def _as_written(text: str) -> dict[str, Any]:
    """A text of which Slack makes no mentions, links or previews; chat.update would, unless told."""
    plain = {
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    return {"text": escaped(text, TEXT_CHARACTERS), **plain}


def _plain(text: str, characters: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": escaped(text, characters) or "–", "emoji": False}


def _sections(facts: dict[str, str]) -> list[dict[str, Any]]:
    fields = [_plain(f"{name}\n{fact or '–'}", FACT_CHARACTERS) for name, fact in facts.items()]
    return [
        {"type": "section", "fields": fields[at : at + FIELDS]}
        for at in range(0, len(fields), FIELDS)
    ]


def _link(label: str, url: str) -> str:
    """A link with our own label. An address that is not of the web, or too long, is shown as text that says so."""
    address = quote(url, safe="%/:?#[]@!$&'()*+,;=~")
    if not re.match(r"https?://", address) or len(address) > TEXT_CHARACTERS // 3:
        return f"{label}: no link"
    return f"<{address.replace('&', '&amp;')}|{label}>"


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M UTC}"
