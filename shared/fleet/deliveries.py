"""Deliver each alert once and in its turn: what the sinks remember, in the ledger.

A thread is what a destination keeps together, such as the alerts of one finding in one channel. Each has an item that
is locked while one of its alerts is delivered, so that an opening and its resolution never cross. The same write that
unlocks it says that the alert was delivered and keeps what the sink wants to remember. Whoever dies before that write
leaves the lock to expire, and the alert is delivered again: only between the destination's answer and that write can an
alert reach a destination twice.

A destination that takes one message a second gives each alert a time of its own when it is first met. The alert goes
back to its queue until then, so it uses up two receipts however many wait before it.
"""

import json
import math
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fleet import aws
from fleet.errors import Transient

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# No function of a sink runs longer, so a lock that is older is nobody's.
LOCK_SECONDS = 60
# Of one thread. A copy of an alert that arrives after so many newer ones is delivered again.
REMEMBERED_ALERTS = 25
KEPT_SECONDS = 90 * 24 * 3600

Memory = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a sink delivers: `name` tells its channels or endpoints apart, and is no secret.

    `spacing` is the least time between two deliveries, in seconds, or 0. `table` is the ledger.
    """

    table: str
    sink: str
    name: str
    spacing: float = 0.0

    def key(self, kind: str, name: str = "") -> dict[str, Any]:
        """The key of an item of this destination."""
        return {
            "pk": {"S": f"{self.sink}#{self.name}#{name}" if name else f"{self.sink}#{self.name}"},
            "sk": {"S": kind},
        }


@dataclass(slots=True)
class _Thread:
    """What is remembered of a thread: alerts delivered, when those that wait are due, and what the sink keeps."""

    delivered: list[str] = field(default_factory=list)
    due: dict[str, float] = field(default_factory=dict)
    memory: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        return json.dumps({"delivered": self.delivered, "due": self.due, "memory": self.memory})


def once(at: Destination, thread: str, alert_id: str, deliver: Callable[[Memory], Memory]) -> bool:
    """Deliver an alert of a thread unless that was done before; say whether it was done now.

    `deliver` gets what it returned for the thread's last alert. Raises what it raises, and `Transient` while the
    alert's turn has not come or another of its thread is being delivered.
    """
    holder = uuid.uuid4().hex
    known = _lock(at, thread, holder)
    try:
        if alert_id in known.delivered:
            return False
        _await_turn(at, known, alert_id)
        try:
            known.memory = dict(deliver(known.memory))
        except Transient as error:
            if at.spacing and error.retry_after is not None:
                error.retry_after = _wait_for_all(at, known, alert_id, error.retry_after)
            raise
        known.delivered = [*known.delivered, alert_id][-REMEMBERED_ALERTS:]
        known.due.pop(alert_id, None)
        return True
    finally:
        _unlock(at, thread, holder, known)


def _lock(at: Destination, thread: str, holder: str) -> _Thread:
    dynamodb, now = aws.client("dynamodb"), time.time()
    try:
        item = dynamodb.update_item(
            TableName=at.table,
            Key=at.key("thread", thread),
            UpdateExpression="SET holder = :holder, locked_until = :until, expires = :expires",
            ConditionExpression="attribute_not_exists(locked_until) OR locked_until <= :now OR holder = :holder",
            ExpressionAttributeValues={
                ":holder": {"S": holder},
                **_numbers(now=now, until=now + LOCK_SECONDS, expires=now + KEPT_SECONDS),
            },
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )["Attributes"]
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        refusal: Any = error.response
        until = float(refusal["Item"]["locked_until"]["N"])
        raise Transient(
            "another alert of its thread is being delivered", retry_after=math.ceil(until - now)
        ) from None
    return _Thread(**json.loads(item["state"]["S"])) if "state" in item else _Thread()


def _unlock(at: Destination, thread: str, holder: str, known: _Thread) -> None:
    aws.client("dynamodb").update_item(
        TableName=at.table,
        Key=at.key("thread", thread),
        UpdateExpression="SET #state = :state REMOVE locked_until",
        ConditionExpression="holder = :holder",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":holder": {"S": holder}, ":state": {"S": known.as_json()}},
    )


def _await_turn(at: Destination, known: _Thread, alert_id: str) -> None:
    """Raise `Transient` until the alert's own time has come; one that fell into a wait for all gets another."""
    if not at.spacing:
        return
    dynamodb, due = aws.client("dynamodb"), known.due.get(alert_id)
    if due is not None:
        pace = dynamodb.get_item(TableName=at.table, Key=at.key("pace"), ConsistentRead=True).get(
            "Item", {}
        )
        if due < float(pace.get("waits_until", {"N": "0"})["N"]):
            due = None
    if due is None:
        due = known.due[alert_id] = _take_turn(at, dynamodb)
    if (wait := due - time.time()) > 0:
        raise Transient(
            f"{at.sink} {at.name} is busy: its turn has not come", retry_after=math.ceil(wait)
        )


def _take_turn(at: Destination, dynamodb: "DynamoDBClient") -> float:
    """Take the next free time of the destination: now, or after the last one taken."""
    while True:
        now = time.time()
        after = _numbers(now=now, after=now + at.spacing, expires=now + KEPT_SECONDS)
        behind = _numbers(now=now, spacing=at.spacing)
        free = "attribute_not_exists(next_turn) OR next_turn <= :now"
        if _paced(at, dynamodb, "SET next_turn = :after, expires = :expires", free, after):
            return now
        if taken := _paced(
            at, dynamodb, "SET next_turn = next_turn + :spacing", "next_turn > :now", behind
        ):
            return float(taken["next_turn"]["N"]) - at.spacing


def _wait_for_all(at: Destination, known: _Thread, alert_id: str, seconds: float) -> float:
    """Let nobody call the destination for so long, as it asked. Return this alert's own wait, which may be longer."""
    dynamodb, until = aws.client("dynamodb"), _numbers(until=time.time() + seconds)
    for name in ("waits_until", "next_turn"):
        _paced(
            at,
            dynamodb,
            f"SET {name} = :until",
            f"attribute_not_exists({name}) OR {name} < :until",
            until,
        )
    known.due[alert_id] = _take_turn(at, dynamodb)
    return math.ceil(known.due[alert_id] - time.time())


def _paced(
    at: Destination, dynamodb: "DynamoDBClient", update: str, condition: str, values: dict[str, Any]
) -> dict[str, Any]:
    """Update the destination's pace and return it; return nothing where the condition does not hold."""
    try:
        return dynamodb.update_item(
            TableName=at.table,
            Key=at.key("pace"),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )["Attributes"]
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return {}  # the caller asks whether it was done


def _numbers(**values: float) -> dict[str, Any]:
    return {f":{name}": {"N": f"{value:.3f}"} for name, value in values.items()}
