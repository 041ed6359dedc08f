"""Unwrap whatever arrives, down to all inner events: EventBridge, SNS, S3 and SQS in any nesting.

Shapes are those of the AWS documentation: EventBridge "event structure", SNS "raw message delivery"
and message format, S3 "event message structure" (object keys are URL-encoded there, and are not in
S3 events of EventBridge).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

from fleet.errors import Permanent

# Real nestings have three levels; the bound keeps a hostile document from exhausting the stack.
DEEPEST = 8
SHOWN_CHARACTERS = 200
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Event:
    """One inner event, whatever carried it.

    `source` and `type` are EventBridge's source and detail type; S3 notifications become `aws.s3`
    and their event name (`ObjectCreated:Put`), with `detail` shaped as S3's EventBridge events are;
    an SNS message without an event becomes `aws.sns` / `Notification`, with `message` (text,
    or the decoded JSON), `subject` and `topic`. `id` stays the same when the event is delivered
    again, so idempotency keys derive from it. `time` is ISO 8601.
    """

    source: str
    type: str
    id: str
    account: str = ""
    region: str = ""
    time: str = ""
    resources: tuple[str, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)


class NotAnEvent(Permanent):
    """The document has no shape of an event, so it may be plain content."""


def unwrap(body: str | Mapping[str, Any]) -> Iterator[Event]:
    """Yield all inner events of a message's body, in their order.

    An S3 test message holds no event, so it gives none. Raises `Permanent` for what is not JSON or
    has no known shape, after yielding what stands beside it.
    """
    yield from _inner(_decoded(body) if isinstance(body, str) else body, DEEPEST)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Permanent(f"the body is not JSON ({error}): {shape(text)}") from None


def shape(value: object) -> str:
    """Say what kind of value this is, but not what it holds.

    Reasons are logged, and messages may hold secrets.
    """
    match value:
        case str(text):
            return f"text of {len(text)} characters"
        case dict() if value:
            return f"object with keys {', '.join(sorted(value))[:SHOWN_CHARACTERS]}"
        case dict():
            return "object without keys"
    return f"value of type {type(value).__name__}"


def moment(text: object) -> datetime | None:
    """Read an ISO 8601 time, in UTC; one without a zone is in UTC already.

    None for anything else.
    """
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        # Other text, or a zone that takes the time out of the years 1 to 9999.
        return None


def _inner(document: Any, depth: int) -> Iterator[Event]:
    if depth == 0:
        raise Permanent(f"the body nests more than {DEEPEST} envelopes")
    match document:
        case {"detail-type": str(), "source": str(), "detail": dict()}:
            yield _eventbridge(document)
        case {"Type": "Notification", "Message": str(message), "TopicArn": str()}:
            yield from _sns(document, message, depth)
        case {"Records": list() as records}:
            failures = []
            for record in records:
                try:
                    yield from _record(record, depth)
                except Permanent as error:
                    failures.append(str(error))
            if failures:
                raise Permanent("; ".join(failures))
        case {"Service": "Amazon S3", "Event": "s3:TestEvent"}:
            return
        case _:
            raise NotAnEvent(
                f"the body is not an EventBridge, SNS, S3 or SQS event: {shape(document)}"
            )


def _eventbridge(event: Mapping[str, Any]) -> Event:
    resources = event.get("resources")
    return Event(
        source=event["source"],
        type=event["detail-type"],
        id=_id(event, "id"),
        account=_text(event, "account"),
        region=_text(event, "region"),
        time=_text(event, "time"),
        resources=tuple(arn for arn in resources if isinstance(arn, str))
        if isinstance(resources, list)
        else (),
        detail=event["detail"],
    )


def _text(document: Mapping[str, Any], name: str) -> str:
    """Return a field, or nothing unless it is text.

    The id `None` would be that of every event without one.
    """
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _id(document: Mapping[str, Any], name: str) -> str:
    """Return an id, or nothing where it has half of a surrogate pair.

    Ids are written elsewhere, which such text cannot be.
    """
    value = _text(document, name)
    return "" if SURROGATE.search(value) else value


def _sns(envelope: Mapping[str, Any], message: str, depth: int) -> Iterator[Event]:
    try:
        content: Any = json.loads(message)
    except (ValueError, RecursionError):
        content = message  # plain text is a message too
    try:
        yield from _inner(content, depth - 1)
    except NotAnEvent:  # no event inside, so the message itself is the event
        topic = envelope["TopicArn"]
        region, account = f"{topic}:::::".split(":")[3:5]
        yield Event(
            source="aws.sns",
            type="Notification",
            id=_id(envelope, "MessageId"),
            account=account,
            region=region,
            time=_text(envelope, "Timestamp"),
            resources=(topic,),
            detail={"message": content, "subject": _text(envelope, "Subject"), "topic": topic},
        )


def _record(record: Any, depth: int) -> Iterator[Event]:
    match record:
        case {
            "eventSource": "aws:s3",
            "eventName": str(),
            "s3": {"bucket": {"name": str()}, "object": {"key": str()}},
        }:
            yield _s3(record)
        case {"EventSource": "aws:sns", "Sns": dict(envelope)}:
            yield from _inner({**envelope, "Type": "Notification"}, depth - 1)
        case {"eventSource": "aws:sqs", "body": str(body)}:
            yield from _inner(_decoded(body), depth - 1)
        case _:
            raise Permanent(f"a record is not an S3, SNS or SQS record: {shape(record)}")


def _s3(record: Mapping[str, Any]) -> Event:
    bucket, stored = record["s3"]["bucket"], record["s3"]["object"]
    key = unquote_plus(stored["key"])
    # S3 gives its notifications no id. The sequencer orders, and so tells apart, the events of one
    # key.
    identity = (
        bucket["name"],
        key,
        stored.get("versionId"),
        record["eventName"],
        stored.get("sequencer"),
    )
    return Event(
        source="aws.s3",
        type=record["eventName"],
        id="/".join(str(part) for part in identity if part),
        region=_text(record, "awsRegion"),
        time=_text(record, "eventTime"),
        resources=(_text(bucket, "arn"),),
        detail={
            "bucket": {"name": bucket["name"]},
            "object": {**_as_in_eventbridge(stored), "key": key},
        },
    )


def _as_in_eventbridge(stored: Mapping[str, Any]) -> dict[str, Any]:
    names = {"eTag": "etag", "versionId": "version-id"}
    return {names.get(name, name): value for name, value in stored.items()}
