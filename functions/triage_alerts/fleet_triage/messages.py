"""Find the events in a message, and the source that knows each."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet import events
from fleet.alerts import Observation
from fleet.errors import Permanent
from fleet.events import Event
from fleet_triage.reading import moment, shown, text, texts, value
from fleet_triage.sources import EVENTS, NOTIFICATIONS, generic

DEEPEST = 8
CLOCKS_DIFFER = timedelta(hours=1)
NOTIFICATION = ("aws.sns", "Notification")


def from_message(body: Any, *, now: datetime | None = None) -> list[Observation]:
    """Return what a message says, whatever wraps it, in its order. Never raises.

    `body` is the text or the decoded JSON of an EventBridge event, an SNS envelope, a bare SNS message or plain text.
    What is known and no news (a pipeline started) gives nothing. What is not known becomes one `info` occurrence that
    shows the text. `now` stands in for a time that is missing, or lies in the future.
    """
    now = (now or datetime.now(UTC)).astimezone(UTC)
    found = [
        observation for event in _events(body, DEEPEST) for observation in _read(_whole(event, now))
    ]
    return [one if one.at <= now + CLOCKS_DIFFER else replace(one, at=now) for one in found]


def known(event: Event) -> list[Observation] | None:
    """What the event's own source says of it; None when there is no such source, or it cannot make it out."""
    if (event.source, event.type) == NOTIFICATION:
        return _notification(event)
    read = EVENTS.get((event.source, event.type)) or EVENTS.get((event.source, "*"))
    return read(event) if read else None


def _notification(event: Event) -> list[Observation] | None:
    message = event.detail.get("message")
    if isinstance(message, Mapping) and {"source", "detailType", "detail"} <= message.keys():
        return known(_developer_tools(event, message))
    for source, tells, read in NOTIFICATIONS:
        if tells(message):
            content = message if isinstance(message, Mapping) else {"text": message}
            return read(replace(event, source=source, detail=content))
    return None


def _developer_tools(event: Event, message: Mapping[str, Any]) -> Event:
    """Notification rules of the developer tools spell EventBridge's fields in their own way, and leave out the id."""
    return Event(
        source=text(message, "source"),
        type=text(message, "detailType"),
        id=event.id,
        account=text(message, "account") or event.account,
        region=text(message, "region") or event.region,
        time=text(message, "time") or event.time,
        resources=tuple(texts(message, "resources")),
        detail=message["detail"] if isinstance(message["detail"], Mapping) else {},
    )


def _read(event: Event) -> list[Observation]:
    """What the event says; a source that fails on it hides neither it nor the others."""
    try:
        found = known(event)
    except Exception as error:  # noqa: BLE001 - whatever AWS sends, people see the message and what is to be mended
        return [generic.occurrence(event, fault=f"{type(error).__name__}: {error}")]
    return [generic.occurrence(event)] if found is None else found


def _events(body: Any, depth: int) -> Iterator[Event]:
    """Yield every event; what is none becomes an SNS notification, as which anything may come."""
    document = _decoded(body)
    records = value(document, "Records")
    if isinstance(records, list) and depth:
        for record in records:
            inner = value(record, "body") if value(record, "eventSource") == "aws:sqs" else None
            yield from (
                _events(inner, depth - 1)
                if inner is not None
                else _unwrapped({"Records": [record]}, record)
            )
    else:
        yield from _unwrapped(document, document)


def _unwrapped(document: Any, otherwise: Any) -> list[Event]:
    if isinstance(document, Mapping):
        try:
            return list(events.unwrap(document))
        except (Permanent, TypeError, RecursionError):
            pass  # it wraps nothing that is known, so it is the message itself
    return [Event(*NOTIFICATION, id="", detail={"message": otherwise})]


def _decoded(body: Any) -> Any:
    if isinstance(body, bytes | bytearray):
        body = body.decode(errors="replace")
    if not isinstance(body, str):
        return body
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body  # plain text is a message too
    return document if isinstance(document, dict | list) else body


def _whole(event: Event, now: datetime) -> Event:
    """Give the event a time and an id where it has none; the same message gets the same id."""
    identity = (
        event.id
        or hashlib.sha256(shown([event.source, event.type, event.detail]).encode()).hexdigest()
    )
    return replace(event, id=identity, time=event.time if moment(event.time) else now.isoformat())
