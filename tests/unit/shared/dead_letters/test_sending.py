"""What each kind of origin is sent, held against botocore's own model of the call."""

import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters

from fleet.dead_letters.sending import NotSent, send

ARNS = {
    "sqs": "arn:aws:sqs:eu-west-1:123456789012:fleet-dev-start_pipeline",
    "lambda": "arn:aws:lambda:eu-west-1:123456789012:function:fleet-dev-paused_pipelines",
    "sns": "arn:aws:sns:eu-west-1:123456789012:alerts",
    "events": "arn:aws:events:eu-west-1:123456789012:event-bus/default",
}
ANSWERS: dict[str, Any] = {
    "GetQueueUrl": {
        "QueueUrl": "https://sqs.eu-west-1.amazonaws.com/123456789012/fleet-dev-start_pipeline"
    },
    "SendMessage": {"MessageId": "m1"},
    "Invoke": {"StatusCode": 202, "ResponseMetadata": {"RequestId": "r1"}},
    "Publish": {"MessageId": "n1"},
    "PutEvents": {"FailedEntryCount": 0, "Entries": [{"EventId": "e1"}]},
}
TEAM: Any = {"team": {"DataType": "String", "StringValue": "shop"}}
COUNT = {"redrives": {"DataType": "Number", "StringValue": "2"}}
EVENT = {
    "id": "e0",
    "source": "shop",
    "detail-type": "Order",
    "detail": {"n": 1},
    "resources": ["arn:x", 7],
}
ENVELOPE = {"Type": "Notification", "Message": "text", "Subject": "s", "TopicArn": ARNS["sns"]}


class Client:
    """Takes what AWS's model takes, and remembers it."""

    def __init__(self, service: str, calls: list[Any], answers: dict[str, Any]) -> None:
        self.model = botocore.session.get_session().get_service_model(service)
        self.calls, self.answers = calls, answers

    def __getattr__(self, name: str) -> Any:
        operation = "".join(word.title() for word in name.split("_"))

        def call(**request: Any) -> Any:
            shape = self.model.operation_model(operation).input_shape
            assert shape
            validate_parameters(request, shape)
            self.calls.append(request)
            return self.answers[operation]

        return call


def sent(
    service: str, body: Any, attributes: Any = None, **answers: Any
) -> tuple[str, dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    text = body if isinstance(body, str) else json.dumps(body)
    clients = lambda name: Client(name, calls, ANSWERS | answers)  # noqa: E731
    delivery = send(clients, ARNS[service], text, attributes or {}, 2)
    return delivery, calls[-1]


def test_a_queue_gets_the_body_its_attributes_and_the_count() -> None:
    delivery, request = sent("sqs", " as it came ", TEAM)
    assert (delivery, request["MessageBody"], request["MessageAttributes"]) == (
        "m1",
        " as it came ",
        TEAM | COUNT,
    )
    assert request["QueueUrl"].endswith("/fleet-dev-start_pipeline")


def test_a_function_is_invoked_asynchronously() -> None:
    delivery, request = sent("lambda", '{"scheduled_at": "x"}')
    assert delivery == "r1"
    assert request == {
        "FunctionName": ARNS["lambda"],
        "InvocationType": "Event",
        "Payload": b'{"scheduled_at": "x"}',
    }


@pytest.mark.parametrize(
    ("body", "message", "subject", "attributes"),
    [
        pytest.param(ENVELOPE, "text", "s", COUNT, id="envelope"),
        pytest.param({**ENVELOPE, "Subject": None}, "text", None, COUNT, id="no subject"),
        pytest.param("plain", "plain", None, COUNT, id="no envelope"),
        pytest.param(
            {**ENVELOPE, "MessageAttributes": {"team": {"Type": "String", "Value": "shop"}}},
            *("text", "s", TEAM | COUNT),
            id="attributes",
        ),
        pytest.param(
            {**ENVELOPE, "MessageAttributes": {"raw": {"Type": "Binary", "Value": "YWJj"}}},
            *("text", "s", {"raw": {"DataType": "Binary", "BinaryValue": b"abc"}, **COUNT}),
            id="binary attribute",
        ),
    ],
)
def test_a_topic_gets_what_stands_in_the_envelope(
    body: Any, message: str, subject: Any, attributes: Any
) -> None:
    delivery, request = sent("sns", body)
    assert delivery == "n1"
    assert (request["Message"], request.get("Subject"), request["MessageAttributes"]) == (
        message,
        subject,
        attributes,
    )


def test_a_bus_gets_the_event() -> None:
    delivery, request = sent("events", EVENT)
    assert delivery == "e1"
    assert request["Entries"] == [
        {
            "Source": "shop",
            "DetailType": "Order",
            "Detail": '{"n": 1}',
            "Resources": ["arn:x"],
            "EventBusName": ARNS["events"],
        }
    ]


@pytest.mark.parametrize(
    ("service", "body", "answers", "said"),
    [
        pytest.param("events", "text", {}, "this is not one", id="no event"),
        pytest.param(
            *(
                "events",
                EVENT,
                {"PutEvents": {"Entries": [{"ErrorCode": "Throttled", "ErrorMessage": "later"}]}},
            ),
            "did not take 1 of 1 events: Throttled: later",
            id="an entry that was refused",
        ),
        pytest.param(
            "lambda",
            "{}",
            {"Invoke": {"StatusCode": 200}},
            "answered 200, not 202",
            id="not queued",
        ),
        pytest.param(
            "sns",
            {**ENVELOPE, "MessageAttributes": {"a": 1}},
            {},
            "cannot be sent as it is",
            id="broken envelope",
        ),
        pytest.param(
            *(
                "sns",
                {**ENVELOPE, "MessageAttributes": {"a": {"Type": "Binary", "Value": "x"}}},
                {},
            ),
            "cannot be sent as it is",
            id="broken binary",
        ),
    ],
)
def test_what_cannot_be_sent_says_why(service: str, body: Any, answers: Any, said: str) -> None:
    with pytest.raises(NotSent, match=said):
        sent(service, body, **answers)


@pytest.mark.parametrize("origin", ["", "arn:aws:s3:::bucket", "https://example.com"])
def test_what_is_no_origin_is_named(origin: str) -> None:
    with pytest.raises(
        NotSent, match="is not the ARN of a queue, a function, a topic or an event bus"
    ):
        send(lambda _: None, origin, "{}", {}, 1)
