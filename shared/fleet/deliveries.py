"""Deliver each alert once and in its turn: what the sinks remember, in the ledger.

A thread is what a destination keeps together, such as the alerts of one finding in one channel. It
has an item in the ledger, which is locked while one of its alerts is delivered, so that an opening
and its resolution never cross. One write unlocks the item, notes that the alert was delivered, and
keeps what the sink wants to remember. When a process dies before that write, the lock expires and
the alert is delivered again. So an alert can reach a destination twice only when the process dies
between the destination's answer and that write.

A destination that takes one message a second gives each alert a turn when the alert is first
received. Until then the alert goes back to its queue, so it uses two receipts, however many alerts
wait before it.
"""

import json
import math
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet import aws
from fleet.errors import Transient

# No function of a sink runs for longer, so nobody holds a lock that is older.
LOCK_SECONDS = 60
# For each thread. A copy of an alert that arrives after so many newer ones is delivered again.
REMEMBERED_ALERTS = 25
KEPT_SECONDS = 90 * 24 * 3600

Memory = Mapping[str, str]
Item = dict[str, Any]
"""An item, or values, as DynamoDB's client has them: `{"pk": {"S": "slack#C1"}}`."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a sink delivers.

    `table` is the ledger. `name` tells the sink's channels, services or receivers apart, and is not
    a secret. `spacing` is the least time between two deliveries, in seconds, or 0.
    """

    table: str
    sink: str
    name: str
    spacing: float = 0.0

    def key(self, kind: str, name: str = "") -> Item:
        """Return the key of an item of this destination."""
        parts = [self.sink, self.name]
        if name:
            parts.append(name)
        return {"pk": {"S": "#".join(parts)}, "sk": {"S": kind}}


@dataclass(slots=True)
class _Thread:
    """What the ledger keeps of a thread; the names of the fields stand in its items.

    `delivered` holds the ids of the last alerts. `due` holds the turns of alerts that wait, in
    seconds since the epoch, by id. `memory` is the sink's own.
    """

    delivered: list[str] = field(default_factory=list)
    due: dict[str, float] = field(default_factory=dict)
    memory: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> str:
        return json.dumps(
            {
                "delivered": self.delivered,
                "due": self.due,
                "memory": self.memory,
            }
        )


def once(
    destination: Destination,
    thread: str,
    alert_id: str,
    deliver: Callable[[Memory], Memory],
) -> bool:
    """Deliver an alert of a thread unless that was done before; return whether it was done now.

    `deliver` gets the memory that it returned for the thread's last alert. Raises what `deliver`
    raises, and `Transient` while the alert's turn has not come or another alert of its thread is
    being delivered.
    """
    holder = uuid.uuid4().hex
    state = _lock(destination, thread, holder)
    try:
        if alert_id in state.delivered:
            return False
        _await_turn(destination, state, alert_id)
        try:
            memory = deliver(state.memory)
        except Transient as error:
            if destination.spacing and error.retry_after is not None:
                error.retry_after = _pause(destination, state, alert_id, error.retry_after)
            raise
        state.memory = dict(memory)
        state.delivered.append(alert_id)
        state.delivered = state.delivered[-REMEMBERED_ALERTS:]
        state.due.pop(alert_id, None)
        return True
    finally:
        _unlock(destination, thread, holder, state)


def _lock(destination: Destination, thread: str, holder: str) -> _Thread:
    """Lock a thread, and return its state. Raises `Transient` while another holds the lock."""
    dynamodb = aws.client("dynamodb")
    now = time.time()
    times = _numbers(
        now=now,
        until=now + LOCK_SECONDS,
        expires=now + KEPT_SECONDS,
    )
    unlocked = "attribute_not_exists(locked_until) OR locked_until <= :now"
    try:
        answer = dynamodb.update_item(
            TableName=destination.table,
            Key=destination.key("thread", thread),
            UpdateExpression="SET holder = :holder, locked_until = :until, expires = :expires",
            ConditionExpression=f"{unlocked} OR holder = :holder",
            ExpressionAttributeValues={":holder": {"S": holder}, **times},
            ReturnValues="ALL_NEW",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException as error:
        refusal: Any = error.response
        until = float(refusal["Item"]["locked_until"]["N"])
        raise Transient(
            "another alert of its thread is being delivered",
            retry_after=math.ceil(until - now),
        ) from None
    item = answer["Attributes"]
    if "state" not in item:
        return _Thread()
    stored = json.loads(item["state"]["S"])
    return _Thread(**stored)


def _unlock(destination: Destination, thread: str, holder: str, state: _Thread) -> None:
    """Store a thread's state and unlock it, in one write."""
    aws.client("dynamodb").update_item(
        TableName=destination.table,
        Key=destination.key("thread", thread),
        UpdateExpression="SET #state = :state REMOVE locked_until",
        ConditionExpression="holder = :holder",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={
            ":holder": {"S": holder},
            ":state": {"S": state.as_json()},
        },
    )


def _await_turn(destination: Destination, state: _Thread, alert_id: str) -> None:
    """Return if the alert's turn has come; otherwise raise `Transient` with the wait in seconds.

    An alert that has no turn takes the next one. So does an alert whose turn lies in a pause that
    the destination has asked for since.
    """
    if not destination.spacing:
        return
    turn = state.due.get(alert_id)
    if turn is None or turn < _paused_until(destination):
        turn = _take_turn(destination)
        state.due[alert_id] = turn
    wait = turn - time.time()
    if wait > 0:
        raise Transient(
            f"{destination.sink} {destination.name} is busy: the alert waits for its turn",
            retry_after=math.ceil(wait),
        )


def _paused_until(destination: Destination) -> float:
    """Return the end of the destination's last pause, in seconds since the epoch; 0 without one."""
    answer = aws.client("dynamodb").get_item(
        TableName=destination.table,
        Key=destination.key("pace"),
        ConsistentRead=True,
    )
    pace = answer.get("Item", {})
    return float(pace["waits_until"]["N"]) if "waits_until" in pace else 0.0


def _take_turn(destination: Destination) -> float:
    """Take the destination's next free turn, and return it in seconds since the epoch.

    That is now, or `spacing` seconds after the turn that was taken last.
    """
    while True:  # each update may lose a race with another function
        now = time.time()
        free = _update_pace(
            destination,
            "SET next_turn = :after, expires = :expires",
            "attribute_not_exists(next_turn) OR next_turn <= :now",
            _numbers(now=now, after=now + destination.spacing, expires=now + KEPT_SECONDS),
        )
        if free:
            return now
        pace = _update_pace(
            destination,
            "SET next_turn = next_turn + :spacing",
            "next_turn > :now",
            _numbers(now=now, spacing=destination.spacing),
        )
        if pace:
            return float(pace["next_turn"]["N"]) - destination.spacing


def _pause(destination: Destination, state: _Thread, alert_id: str, seconds: float) -> float:
    """Deliver nothing to the destination for `seconds`, as it asked; return this alert's wait.

    The wait, in seconds too, ends with the next free turn after the pause.
    """
    until = _numbers(until=time.time() + seconds)
    for name in ("waits_until", "next_turn"):
        earlier = f"attribute_not_exists({name}) OR {name} < :until"
        _update_pace(destination, f"SET {name} = :until", earlier, until)
    turn = _take_turn(destination)
    state.due[alert_id] = turn
    return math.ceil(turn - time.time())


def _update_pace(destination: Destination, update: str, condition: str, values: Item) -> Item:
    """Update the destination's item about its turns if `condition` holds.

    Return the item as it is then, or an empty one when the condition does not hold.
    """
    dynamodb = aws.client("dynamodb")
    try:
        answer = dynamodb.update_item(
            TableName=destination.table,
            Key=destination.key("pace"),
            UpdateExpression=update,
            ConditionExpression=condition,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return {}  # the caller asks whether it was done
    return answer["Attributes"]


def _numbers(**values: float) -> Item:
    """Return values of an expression: `now=1.5` as `{":now": {"N": "1.500"}}`."""
    return {f":{name}": {"N": f"{value:.3f}"} for name, value in values.items()}
