"""Read a dead letter, whatever gave it up: whose it was, why it is here, and where a redrive would send it.

Shapes are those of the AWS documentation: EventBridge "dead-letter queues for targets", EventBridge Scheduler
"dead-letter queue for a schedule", Lambda "invocation record", SNS "message format" (it gives no reason), and SQS,
whose redrive policy adds no attribute but `DeadLetterQueueSourceArn`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fleet import aws
from fleet.dead_letters.causes import Cause, decoded, folded
from fleet.dead_letters.parking import MAX_RECEIVES, REASON_CHARACTERS
from fleet.events import moment
from fleet.findings import cut

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageAttributeValueOutputTypeDef, MessageTypeDef

    Attributes = Mapping[str, MessageAttributeValueOutputTypeDef]

NAME_CHARACTERS = 100
UNKNOWN = "unknown"


class Route(StrEnum):
    """What gave the message up."""

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

    `body` is the original event, as a redrive sends it to `origin`, the ARN of a queue, a function, a topic or a bus;
    `attributes` go with it. Without an origin, `obstacle` says why. `source` is the ARN of what gave it up.
    `trace` is the id of the delivery that failed: the one that a redrive got when it sent the letter.
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
        """The cause that it shares with others."""
        return Cause(self.job, self.error_type, folded(self.reason))


def read(message: "MessageTypeDef") -> Letter:
    """Read a message of the queue of dead letters, received with all its attributes. Never raises."""
    attributes = message.get("MessageAttributes", {})
    facts = {name: value.get("StringValue", "") for name, value in attributes.items()}
    system = message.get("Attributes", {})
    body = message.get("Body", "")
    sent = system.get("SentTimestamp", "")
    seen = datetime.fromtimestamp(int(sent) / 1000, UTC) if sent.isdecimal() else datetime.now(UTC)
    letter = Letter(
        id=message.get("MessageId", ""),
        route=Route.UNKNOWN,
        job=UNKNOWN,
        reason="nothing in the message says why it is here, or where it came from",
        error_type=UNKNOWN,
        attempts=0,
        first_seen=seen,
        source="",
        origin="",
        body=body,
        obstacle="its origin is not known: say where it is to go",
        redrives=_count(facts.get("redrives")),
    )
    try:
        return _recognised(letter, system.get("DeadLetterQueueSourceArn", ""), attributes, facts)
    except (RecursionError, ValueError):
        # It nests too deeply to be written again, or holds no URL: it stays what it is, unknown.
        return letter


def _recognised(
    letter: Letter, queue: str, attributes: "Attributes", facts: Mapping[str, str]
) -> Letter:
    if queue:
        return _given_up(letter, queue, attributes)
    if {"job", "error_type", "reason"} <= facts.keys():
        return _parked(letter, facts)
    if "SCHEDULE_ARN" in facts:
        return _not_started(letter, facts)
    if "RULE_ARN" in facts:
        return _not_delivered(letter, facts)
    return _recorded(letter, decoded(letter.body))


def job_of(arn: str) -> str:
    """The job to which a queue, a function or a schedule belongs: each is named `<stack>-<job>`."""
    name = _resource(arn).rpartition("/")[2].rpartition("-")[2]
    return cut(name, NAME_CHARACTERS) or UNKNOWN


def service_of(arn: str) -> str:
    """The service that an ARN is of, such as `sqs`."""
    return f"{arn}:::".split(":")[2]


def _given_up(letter: Letter, queue: str, attributes: "Attributes") -> Letter:
    kept = {name: value for name, value in attributes.items() if name != "redrives"}
    return _with(
        letter,
        route=Route.QUEUE,
        job=job_of(queue),
        reason=f"its function did not answer, {MAX_RECEIVES} times: it timed out, crashed or ran out of memory",
        error_type="Unanswered",
        attempts=MAX_RECEIVES,
        source=queue,
        origin=queue,
        trace=letter.id,
        attributes=kept,
    )


def _parked(letter: Letter, facts: Mapping[str, str]) -> Letter:
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


def _not_delivered(letter: Letter, facts: Mapping[str, str]) -> Letter:
    """What a rule could not give to its target. It is the target that gets it: the bus would give it to all."""
    target = facts.get("TARGET_ARN", "")
    event = decoded(letter.body)
    event = event if isinstance(event, dict) else {}
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


def _not_started(letter: Letter, facts: Mapping[str, str]) -> Letter:
    schedule = facts["SCHEDULE_ARN"]
    origin, body = _target(schedule, facts.get("TARGET_ARN", ""), letter.body)
    if facts.get("IS_PAYLOAD_TRUNCATED") == "true":
        letter, origin = (
            _with(letter, obstacle="Scheduler cut its payload: write the whole event anew"),
            "",
        )
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
    """Where a schedule's event was to go, and that event; Scheduler may give the call's name instead of the target.

    A universal target's body holds the call. A templated one's does not; in the fleet, such a schedule bears the name
    of its target.
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
    """What EventBridge and Scheduler say of a target; `RETRY_ATTEMPTS` does not count the first attempt."""
    exhausted = facts.get("EXHAUSTED_RETRY_CONDITION")
    reason = facts.get("ERROR_MESSAGE") or "the target gave no reason"
    return {
        "reason": f"{reason} (given up: {exhausted})" if exhausted else reason,
        "error_type": facts.get("ERROR_CODE") or UNKNOWN,
        "attempts": _count(facts.get("RETRY_ATTEMPTS")) + 1,
    }


def _recorded(letter: Letter, document: Any) -> Letter:
    """What says in its body where it came from: Lambda's record of an invocation, and SNS's envelope."""
    match document:
        case {"requestContext": {"functionArn": str(function)}, "requestPayload": _}:
            return _invoked(letter, function, document)
        case {"Type": "Notification", "TopicArn": str(topic), "Message": str(), **envelope}:
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
                redrives=_enveloped(envelope.get("MessageAttributes")),
                trace=str(envelope.get("MessageId", "")),
            )
    return letter


def _invoked(letter: Letter, function: str, record: Mapping[str, Any]) -> Letter:
    context, payload = record["requestContext"], record["requestPayload"]
    condition = str(context.get("condition", UNKNOWN))
    response = record.get("responsePayload")
    said = response if isinstance(response, dict) else {}
    answered = record.get("responseContext")
    kind = answered.get("functionError") if isinstance(answered, dict) else None
    event = payload if isinstance(payload, dict) else {}
    attempts = context.get("approximateInvokeCount")
    return _with(
        letter,
        route=Route.INVOCATION,
        job=job_of(function),
        reason=str(said.get("errorMessage") or f"Lambda gave it up: {condition}"),
        error_type=str(said.get("errorType") or kind or condition),
        attempts=attempts if type(attempts) is int else 0,
        first_seen=_first_moment(
            letter.first_seen, event.get("scheduled_at"), event.get("time"), record.get("timestamp")
        ),
        source=function,
        origin=":".join(function.split(":")[:7]),  # without $LATEST or a version, which may be gone
        body=json.dumps(payload),
        trace=str(context.get("requestId", "")),
    )


def _with(letter: Letter, **facts: Any) -> Letter:
    """Return the letter with these facts, as long and as clean as people and XML can take them."""
    for name, limit in (
        ("job", NAME_CHARACTERS),
        ("error_type", NAME_CHARACTERS),
        ("reason", REASON_CHARACTERS),
    ):
        if name in facts:
            facts[name] = cut(aws.UNFIT_FOR_XML.sub("\ufffd", facts[name]), limit) or UNKNOWN
    if facts.get("origin"):
        facts["obstacle"] = ""
    return replace(letter, **facts)


def _first_moment(otherwise: datetime, *texts: object) -> datetime:
    """The first of the texts that is a time: a keyword that Scheduler did not replace is none."""
    moments = (moment(text) for text in texts)
    return next((time for time in moments if time), otherwise)


def _enveloped(attributes: object) -> int:
    match attributes:
        case {"redrives": {"Value": str(text)}}:
            return _count(text)
    return 0


def _count(text: str | None) -> int:
    return int(text) if text and text.isdecimal() and len(text) < 10 else 0


def _resource(arn: str) -> str:
    parts = arn.split(":")
    return parts[6] if parts[2:3] == ["lambda"] and len(parts) > 6 else ":".join(parts[5:6])
