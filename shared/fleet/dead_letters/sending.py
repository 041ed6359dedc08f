"""Send an event to where a dead letter came from: a queue, a function, a topic or a bus."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fleet import aws
from fleet.dead_letters.causes import decoded
from fleet.dead_letters.letters import service_of
from fleet.errors import Transient

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef

    Attributes = Mapping[str, MessageAttributeValueOutputTypeDef]

Clients = Callable[[str], Any]


class NotSent(Exception):
    """The event has no shape that its origin takes, or was refused.

    The message says which and why.
    """


def send(clients: Clients, origin: str, body: str, attributes: "Attributes", redrives: int) -> str:
    """Send a body to `origin`, an ARN, as a new message, and return the id of the delivery.

    The attribute `redrives` says in a queue or a topic how often it was redriven; a function and a
    bus have no place for that. Raises `NotSent`, and what botocore raises: a call that timed out
    may have been heard all the same.
    """
    senders = {
        "sqs": _to_queue,
        "lambda": _to_function,
        "sns": _to_topic,
        "events": _to_bus,
    }
    send_to = senders.get(service_of(origin))
    if send_to is None:
        known = "a queue, a function, a topic or an event bus"
        raise NotSent(f"{origin or 'no origin'} is not the ARN of {known}")
    count = {"DataType": "Number", "StringValue": str(redrives)}
    try:
        return send_to(clients, origin, body, {**attributes, "redrives": count})
    except (KeyError, TypeError, ValueError) as error:
        raise NotSent(f"the event cannot be sent as it is: {error!r:.200}") from error


def _to_queue(clients: Clients, queue: str, body: str, attributes: Mapping[str, Any]) -> str:
    sqs = clients("sqs")
    account, name = queue.split(":")[4:6]
    url = sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    answer = sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes=attributes)
    return str(answer["MessageId"])


def _to_function(clients: Clients, function: str, body: str, _: Mapping[str, Any]) -> str:
    answer = clients("lambda").invoke(
        FunctionName=function, InvocationType="Event", Payload=body.encode()
    )
    if answer["StatusCode"] != 202:
        raise NotSent(f"Lambda answered {answer['StatusCode']}, not 202")
    return str(answer["ResponseMetadata"].get("RequestId", ""))


def _to_topic(clients: Clients, topic: str, body: str, attributes: Mapping[str, Any]) -> str:
    """Publish what stands in SNS's envelope; a body without one is the message itself."""
    request: dict[str, Any] = {
        "TopicArn": topic,
        "Message": body,
        "MessageAttributes": dict(attributes),
    }
    match decoded(body):
        case {"Type": "Notification", "Message": str(message), **envelope}:
            request["Message"] = message
            own_attributes = _attributes_in(envelope.get("MessageAttributes"))
            request["MessageAttributes"] = {**own_attributes, **attributes}
            subject = envelope.get("Subject")
            if isinstance(subject, str):
                request["Subject"] = subject
    answer = clients("sns").publish(**request)
    return str(answer["MessageId"])


def _attributes_in(attributes: object) -> dict[str, Any]:
    """Return the attributes in SNS's envelope as a publication takes them."""
    if not isinstance(attributes, dict):
        return {}
    values = {}
    for name, attribute in attributes.items():
        kind = attribute["Type"]
        value = attribute["Value"]
        if kind == "Binary":
            values[name] = {"DataType": kind, "BinaryValue": base64.b64decode(value)}
        else:
            values[name] = {"DataType": kind, "StringValue": value}
    return values


def _to_bus(clients: Clients, bus: str, body: str, _: Mapping[str, Any]) -> str:
    match decoded(body):
        case {"source": str(source), "detail-type": str(kind), "detail": dict(detail), **event}:
            entry: PutEventsRequestEntryTypeDef = {
                "Source": source,
                "DetailType": kind,
                "Detail": json.dumps(detail),
                "Resources": _texts(event.get("resources")),
                "EventBusName": bus,
            }
        case _:
            raise NotSent(
                "a bus takes events, which have source, detail-type and detail; this is not one"
            )
    try:
        (event_id,) = aws.put_events([entry], clients("events"))
    except Transient as error:
        raise NotSent(str(error)) from error
    return event_id


def _texts(value: object) -> list[str]:
    """Return the texts in what should be a list of them."""
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, str)]
