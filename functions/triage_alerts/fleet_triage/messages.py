"""Find the events in a message, and let the reader of each make observations of it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet import events
from fleet.alerts import Observation
from fleet.errors import Permanent
from fleet.events import DEEPEST, Event
from fleet_triage.documents import as_text, moment, text, texts, value
from fleet_triage.sources import EVENTS, NOTIFICATIONS, generic

# Clocks differ; what is further in the future than this is not the time.
CLOCKS_DIFFER = timedelta(hours=1)
NOTIFICATION = ("aws.sns", "Notification")
DEVELOPER_TOOLS_FIELDS = {"source", "detailType", "detail"}


def from_message(body: Any, *, now: datetime | None = None) -> list[Observation]:
    """Return what a message says, whatever wraps it, in its order. Never raises.

    `body` is the text or the decoded JSON of an EventBridge event, an SNS envelope, a bare SNS
    message or plain text. A known event that is not news (a pipeline started) gives an empty list.
    A message that is not known gives one `info` occurrence that shows its text. `now` replaces a
    time that is missing or lies in the future.
    """
    now = now or datetime.now(UTC)
    now = now.astimezone(UTC)
    observations: list[Observation] = []
    for event in _events(body, DEEPEST):
        complete = _complete(event, now)
        observations += _observe(complete)
    return [_not_in_the_future(observation, now) for observation in observations]


def read_event(event: Event) -> list[Observation] | None:
    """Return what the event's reader says; None without a reader, or if the reader does."""
    if (event.source, event.type) == NOTIFICATION:
        return _read_notification(event)
    for kind in (event.type, "*"):
        reader = EVENTS.get((event.source, kind))
        if reader:
            return reader(event)
    return None


def _read_notification(event: Event) -> list[Observation] | None:
    message = event.detail.get("message")
    content = message if isinstance(message, Mapping) else {"text": message}
    if content.keys() >= DEVELOPER_TOOLS_FIELDS:
        event = _from_developer_tools(event, content)
        return read_event(event)
    for notification in NOTIFICATIONS:
        if notification.recognises(message):
            event = replace(
                event,
                source=notification.source,
                detail=content,
            )
            return notification.reader(event)
    return None


def _from_developer_tools(event: Event, message: Mapping[str, Any]) -> Event:
    """Notification rules spell EventBridge's fields in their own way, and leave out the id.

    See the Developer Tools console User Guide, "What are notifications?".
    """
    detail = message["detail"]
    return Event(
        source=text(message, "source"),
        type=text(message, "detailType"),
        id=event.id,
        account=text(message, "account") or event.account,
        region=text(message, "region") or event.region,
        time=text(message, "time") or event.time,
        resources=tuple(texts(message, "resources")),
        detail=detail if isinstance(detail, Mapping) else {},
    )


def _observe(event: Event) -> list[Observation]:
    """Return what the event says; a reader that fails hides neither the event nor others."""
    try:
        observations = read_event(event)
    except Exception as error:  # noqa: BLE001 - people see the message, and what to repair
        fault = f"{type(error).__name__}: {error}"
        return [generic.occurrence(event, fault)]
    if observations is None:
        return [generic.occurrence(event)]
    return observations


def _events(body: Any, depth: int) -> list[Event]:
    """Return every event in a body; anything else becomes an SNS notification that carries it."""
    document = _decode(body)
    records = value(document, "Records")
    if not isinstance(records, list) or depth == 0:
        return _unwrap(document, otherwise=document)
    found: list[Event] = []
    for record in records:
        found += _record_events(record, depth)
    return found


def _record_events(record: Any, depth: int) -> Iterable[Event]:
    body = value(record, "body")
    source = value(record, "eventSource")
    if source == "aws:sqs" and body is not None:
        return _events(body, depth - 1)
    alone = {"Records": [record]}
    return _unwrap(alone, otherwise=record)


def _unwrap(document: Any, otherwise: Any) -> list[Event]:
    if isinstance(document, Mapping):
        try:
            return list(events.unwrap(document))
        except (Permanent, TypeError, RecursionError):
            pass  # it wraps nothing that is known, so it is the message itself
    source, kind = NOTIFICATION
    return [Event(source, kind, id="", detail={"message": otherwise})]


def _decode(body: Any) -> Any:
    if isinstance(body, bytes | bytearray):
        body = body.decode(errors="replace")
    if not isinstance(body, str):
        return body
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body  # plain text is a message too
    if isinstance(document, dict | list):
        return document
    return body


def _complete(event: Event, now: datetime) -> Event:
    """Give the event a time and an id where it has none; the same message gets the same id."""
    if not moment(event.time):
        event = replace(event, time=now.isoformat())
    if not event.id:
        event = replace(event, id=_hash(event))
    return event


def _hash(event: Event) -> str:
    content = as_text([event.source, event.type, event.detail])
    return hashlib.sha256(content.encode()).hexdigest()


def _not_in_the_future(observation: Observation, now: datetime) -> Observation:
    latest = now + CLOCKS_DIFFER
    if observation.at <= latest:
        return observation
    return replace(observation, at=now)
