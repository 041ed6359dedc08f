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
    """The event is of no shape that its origin takes, or was refused; the message says which and why."""


def send(clients: Clients, origin: str, body: str, attributes: "Attributes", redrives: int) -> str:
    """Send a body to `origin`, an ARN, as new, and return the id of the delivery.

    A queue and a topic are told how often it was redriven; a function and a bus have no place for that. Raises
    `NotSent`, and what botocore raises; whether a call that timed out was heard, nobody knows.
    """
    senders = {"sqs": _to_queue, "lambda": _to_function, "sns": _to_topic, "events": _to_bus}
    if (to := senders.get(service_of(origin))) is None:
        raise NotSent(
            f"{origin or 'no origin'} is no ARN of a queue, a function, a topic or an event bus"
        )
    count = {"redrives": {"DataType": "Number", "StringValue": str(redrives)}}
    try:
        return to(clients, origin, body, {**attributes, **count})
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
    match decoded(body):
        case {"Type": "Notification", "Message": str(message), **envelope}:
            subject, carried = envelope.get("Subject"), envelope.get("MessageAttributes")
            own = _of_envelope(carried if isinstance(carried, dict) else {})
        case _:
            message, subject, own = body, None, {}
    request = {"TopicArn": topic, "Message": message, "MessageAttributes": {**own, **attributes}}
    if isinstance(subject, str):
        request["Subject"] = subject
    return str(clients("sns").publish(**request)["MessageId"])


def _of_envelope(attributes: Mapping[str, Any]) -> dict[str, Any]:
    values = {}
    for name, each in attributes.items():
        kind, value = each["Type"], each["Value"]
        values[name] = (
            {"DataType": kind, "BinaryValue": base64.b64decode(value)}
            if kind == "Binary"
            else {"DataType": kind, "StringValue": value}
        )
    return values


def _to_bus(clients: Clients, bus: str, body: str, _: Mapping[str, Any]) -> str:
    match decoded(body):
        case {"source": str(source), "detail-type": str(kind), "detail": dict(detail), **event}:
            entry: PutEventsRequestEntryTypeDef = {
                "Source": source,
                "DetailType": kind,
                "Detail": json.dumps(detail),
                "Resources": [arn for arn in _list(event.get("resources")) if isinstance(arn, str)],
                "EventBusName": bus,
            }
        case _:
            raise NotSent("a bus takes events, with source, detail-type and detail; this is none")
    try:
        (event_id,) = aws.put_events([entry], clients("events"))
    except Transient as error:
        raise NotSent(str(error)) from error
    return event_id


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
