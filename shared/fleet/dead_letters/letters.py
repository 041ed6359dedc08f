"""Read a dead letter: whose it was, why it is here, and where a redrive would send it.

Shapes are those of the AWS documentation: EventBridge "dead-letter queues for targets", EventBridge
Scheduler "dead-letter queue for a schedule", Lambda "invocation record", SNS "message format" (it
gives no reason), and SQS, whose redrive policy adds only the attribute `DeadLetterQueueSourceArn`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fleet import aws
from fleet.dead_letters.causes import Cause, decoded, generalise
from fleet.dead_letters.parking import MAX_RECEIVES, REASON_CHARACTERS
from fleet.events import moment
from fleet.findings import cut

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef, MessageTypeDef

    Attributes = Mapping[str, MessageAttributeValueOutputTypeDef]

NAME_CHARACTERS = 100
UNKNOWN = "unknown"


class Route(StrEnum):
    """Who gave the message up.

    The job itself, its queue, Lambda, Scheduler, a rule or an SNS subscription.
    """

    JOB = "job"
    QUEUE = "queue"
    INVOCATION = "invocation"
    SCHEDULE = "schedule"
    RULE = "rule"
    SUBSCRIPTION = "subscription"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter. `id` is its message id in the queue of dead letters.

    `body` is the original event, as a redrive sends it to `origin`, the ARN of a queue, a function,
    a topic or a bus; `attributes` go with it. Without an origin, `obstacle` says why. `source` is
    the ARN of what gave it up. `trace` is the id of the delivery that failed: the one that a
    redrive got when it sent the letter.
    """

    id: str
    route: Route
    job: str
    reason: str
    error_type: str
    attempts: int
    first_seen: datetime
    source: str
    origin: str
    body: str
    obstacle: str = ""
    redrives: int = 0
    trace: str = ""
    attributes: "Attributes" = field(default_factory=dict)

    @property
    def cause(self) -> Cause:
        """Return the cause that it shares with others."""
        return Cause(self.job, self.error_type, generalise(self.reason))


def read(message: "MessageTypeDef") -> Letter:
    """Read a message of the queue of dead letters, received with all its attributes.

    Never raises.
    """
    attributes = message.get("MessageAttributes", {})
    facts = {name: value.get("StringValue", "") for name, value in attributes.items()}
    system = message.get("Attributes", {})
    body = message.get("Body", "")
    sent_ms = system.get("SentTimestamp", "")
    first_seen = datetime.now(UTC)
    if sent_ms.isdecimal():
        first_seen = datetime.fromtimestamp(int(sent_ms) / 1000, UTC)
    letter = Letter(
        id=message.get("MessageId", ""),
        route=Route.UNKNOWN,
        job=UNKNOWN,
        reason="nothing in the message says why it is here, or where it came from",
        error_type=UNKNOWN,
        attempts=0,
        first_seen=first_seen,
        source="",
        origin="",
        body=body,
        obstacle="its origin is unknown: say where to send it",
        redrives=_count(facts.get("redrives")),
    )
    source_queue = system.get("DeadLetterQueueSourceArn", "")
    evidence = _Evidence(source_queue, attributes, facts, decoded(body))
    try:
        for is_of_shape, read_shape in READERS.items():
            if is_of_shape(evidence):
                return read_shape(letter, evidence)
    except (RecursionError, ValueError):
        # It nests too deeply to be written again, or holds no URL: it stays unknown.
        return letter
    return letter


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What a message shows of its past.

    `source_queue` is the ARN that SQS adds to what a redrive policy moved, `facts` are the texts of
    the message's `attributes`, and `document` is what its body says as JSON, or None.
    """

    source_queue: str
    attributes: "Attributes"
    facts: Mapping[str, str]
    document: Any


def job_of(arn: str) -> str:
    """Return the job to which a queue, a function or a schedule belongs.

    Each is named `<stack>-<job>`.
    """
    name = _resource(arn).rpartition("/")[2].rpartition("-")[2]
    return cut(name, NAME_CHARACTERS) or UNKNOWN


def service_of(arn: str) -> str:
    """Return the service of an ARN, such as `sqs`."""
    return f"{arn}:::".split(":")[2]


def _is_moved_by_queue(evidence: _Evidence) -> bool:
    return bool(evidence.source_queue)


def _read_moved_by_queue(letter: Letter, evidence: _Evidence) -> Letter:
    """Read what SQS moved by a queue's redrive policy, since its function never answered."""
    queue = evidence.source_queue
    attributes = evidence.attributes
    kept = {name: value for name, value in attributes.items() if name != "redrives"}
    return _with(
        letter,
        route=Route.QUEUE,
        job=job_of(queue),
        reason=f"its function did not answer, {MAX_RECEIVES} times: "
        "it timed out, crashed or ran out of memory",
        error_type="Unanswered",
        attempts=MAX_RECEIVES,
        source=queue,
        origin=queue,
        trace=letter.id,
        attributes=kept,
    )


def _is_parked(evidence: _Evidence) -> bool:
    return {"job", "error_type", "reason"} <= evidence.facts.keys()


def _read_parked(letter: Letter, evidence: _Evidence) -> Letter:
    """Read what the runtime parked, with its reason (`fleet.dead_letters.parking`)."""
    facts = evidence.facts
    source = facts.get("source_arn", "")
    return _with(
        letter,
        route=Route.JOB,
        job=facts["job"],
        reason=facts["reason"],
        error_type=facts["error_type"],
        attempts=_count(facts.get("attempts")),
        first_seen=_first_moment(letter.first_seen, facts.get("first_seen")),
        source=source,
        origin=source if service_of(source) == "sqs" else "",
        trace=facts.get("message_id", ""),
    )


def _is_of_rule(evidence: _Evidence) -> bool:
    return "RULE_ARN" in evidence.facts


def _read_of_rule(letter: Letter, evidence: _Evidence) -> Letter:
    """Read what a rule could not give to its target.

    A redrive sends it to that target: the bus would give it to all.
    """
    facts = evidence.facts
    target = facts.get("TARGET_ARN", "")
    event = _mapping(evidence.document)
    return _with(
        letter,
        route=Route.RULE,
        job=job_of(target),
        first_seen=_first_moment(letter.first_seen, event.get("time")),
        source=facts["RULE_ARN"],
        origin=target if service_of(target) in ("sqs", "lambda", "sns", "events") else "",
        trace=str(event.get("id", "")),
        **_target_error(facts),
    )


def _is_of_schedule(evidence: _Evidence) -> bool:
    return "SCHEDULE_ARN" in evidence.facts


def _read_of_schedule(letter: Letter, evidence: _Evidence) -> Letter:
    """Read what Scheduler could not give to its target."""
    facts = evidence.facts
    schedule = facts["SCHEDULE_ARN"]
    origin, body = _target(schedule, facts.get("TARGET_ARN", ""), letter.body)
    if facts.get("IS_PAYLOAD_TRUNCATED") == "true":
        origin = ""
        letter = _with(letter, obstacle="Scheduler cut its payload: provide the whole event")
    return _with(
        letter,
        route=Route.SCHEDULE,
        job=job_of(schedule),
        first_seen=_first_moment(letter.first_seen, facts.get("SCHEDULED_TIME")),
        source=schedule,
        origin=origin,
        body=body,
        trace=facts.get("EXECUTION_ID", ""),
        **_target_error(facts),
    )


def _target(schedule: str, target: str, body: str) -> tuple[str, str]:
    """Return the ARN to which a schedule's event was to go, and that event.

    Scheduler may give the name of the call instead of the target's ARN. The body of a universal
    target holds the call. That of a templated target does not; in the fleet, such a schedule has
    the name of its target.
    """
    if service_of(target) in ("sqs", "lambda", "sns", "events"):
        return target, body
    _, partition, _, region, account, *_ = f"{schedule}:::::".split(":")
    name = schedule.rpartition("/")[2]
    match target.rpartition("aws-sdk:")[2], decoded(body):
        case "sqs:sendMessage", {"QueueUrl": str(url), "MessageBody": str(text)}:
            owner, _, queue = urlsplit(url).path.strip("/").rpartition("/")
            return f"arn:{partition}:sqs:{region}:{owner or account}:{queue}", text
        case "sqs:sendMessage", _:
            return f"arn:{partition}:sqs:{region}:{account}:{name}", body
        case "lambda:invoke", {"FunctionName": str(function), **call}:
            payload = call.get("Payload", "{}")
            arn = (
                function
                if function.startswith("arn:")
                else f"arn:{partition}:lambda:{region}:{account}:function:{function}"
            )
            return arn, payload if isinstance(payload, str) else json.dumps(payload)
        case "lambda:invoke", _:
            return f"arn:{partition}:lambda:{region}:{account}:function:{name}", body
    return "", body


def _target_error(facts: Mapping[str, str]) -> dict[str, Any]:
    """Return what EventBridge and Scheduler say about a target.

    `RETRY_ATTEMPTS` does not count the first attempt.
    """
    exhausted = facts.get("EXHAUSTED_RETRY_CONDITION")
    reason = facts.get("ERROR_MESSAGE") or "the target gave no reason"
    return {
        "reason": f"{reason} (given up: {exhausted})" if exhausted else reason,
        "error_type": facts.get("ERROR_CODE") or UNKNOWN,
        "attempts": _count(facts.get("RETRY_ATTEMPTS")) + 1,
    }


def _is_of_subscription(evidence: _Evidence) -> bool:
    match evidence.document:
        case {"Type": "Notification", "TopicArn": str(), "Message": str()}:
            return True
    return False


def _read_of_subscription(letter: Letter, evidence: _Evidence) -> Letter:
    """Read what SNS could not deliver to a subscription."""
    envelope = evidence.document
    topic = envelope["TopicArn"]
    return _with(
        letter,
        route=Route.SUBSCRIPTION,
        job=_resource(topic) or UNKNOWN,
        reason="SNS could not deliver it to a subscription, and does not say why",
        error_type="NotDelivered",
        attempts=0,
        first_seen=_first_moment(letter.first_seen, envelope.get("Timestamp")),
        source=topic,
        origin=topic,
        redrives=_redrives_in_envelope(envelope.get("MessageAttributes")),
        trace=str(envelope.get("MessageId", "")),
    )


def _is_of_invocation(evidence: _Evidence) -> bool:
    match evidence.document:
        case {"requestContext": {"functionArn": str()}, "requestPayload": _}:
            return True
    return False


def _read_of_invocation(letter: Letter, evidence: _Evidence) -> Letter:
    """Read Lambda's record of an asynchronous invocation that it gave up."""
    record = evidence.document
    context = record["requestContext"]
    payload = record["requestPayload"]
    function = context["functionArn"]
    condition = str(context.get("condition", UNKNOWN))
    response = _mapping(record.get("responsePayload"))
    function_error = _mapping(record.get("responseContext")).get("functionError")
    event = _mapping(payload)
    attempts = context.get("approximateInvokeCount")
    return _with(
        letter,
        route=Route.INVOCATION,
        job=job_of(function),
        reason=str(response.get("errorMessage") or f"Lambda gave it up: {condition}"),
        error_type=str(response.get("errorType") or function_error or condition),
        attempts=attempts if type(attempts) is int else 0,
        first_seen=_first_moment(
            letter.first_seen, event.get("scheduled_at"), event.get("time"), record.get("timestamp")
        ),
        source=function,
        origin=":".join(function.split(":")[:7]),  # without $LATEST or a version, which may be gone
        body=json.dumps(payload),
        trace=str(context.get("requestId", "")),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


# How to read each shape, and how to tell it from those below it. What SQS itself moved comes first:
# it says nothing else, but its body may look like any of the others.
READERS: Mapping[Callable[[_Evidence], bool], Callable[[Letter, _Evidence], Letter]] = {
    _is_moved_by_queue: _read_moved_by_queue,
    _is_parked: _read_parked,
    _is_of_schedule: _read_of_schedule,
    _is_of_rule: _read_of_rule,
    _is_of_invocation: _read_of_invocation,
    _is_of_subscription: _read_of_subscription,
}


def _with(letter: Letter, **facts: Any) -> Letter:
    """Return the letter with these facts, as long and as clean as people and XML can take them."""
    limits = {
        "job": NAME_CHARACTERS,
        "error_type": NAME_CHARACTERS,
        "reason": REASON_CHARACTERS,
    }
    for name, limit in limits.items():
        if name in facts:
            clean = aws.UNFIT_FOR_XML.sub("\ufffd", facts[name])
            facts[name] = cut(clean, limit) or UNKNOWN
    if facts.get("origin"):
        facts["obstacle"] = ""
    return replace(letter, **facts)


def _first_moment(otherwise: datetime, *texts: object) -> datetime:
    """Return the first of the texts that is a time.

    A keyword that Scheduler did not replace is not.
    """
    for text in texts:
        if time := moment(text):
            return time
    return otherwise


def _redrives_in_envelope(attributes: object) -> int:
    match attributes:
        case {"redrives": {"Value": str(text)}}:
            return _count(text)
    return 0


def _count(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def _resource(arn: str) -> str:
    parts = arn.split(":")
    return parts[6] if parts[2:3] == ["lambda"] and len(parts) > 6 else ":".join(parts[5:6])
