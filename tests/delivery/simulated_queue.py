"""A queue and a ledger in memory, on a clock that jumps: hours of deliveries in seconds."""

# ruff: noqa: N803 - the names are those of boto3

import heapq
import itertools
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conftest import Context
from tests.delivery.sinks import Sink

from fleet import aws, deliveries
from fleet.runtime import queued

VISIBILITY_SECONDS = 360
POLL_SECONDS = 0.3


@dataclass
class Clock:
    """What time it is."""

    now: float = 1_795_000_000.0

    def time(self) -> float:
        """Return it, as the module `time` does."""
        return self.now


class Refusal(ClientError):
    """DynamoDB's ConditionalCheckFailedException."""


class Table:
    """As much of DynamoDB as deliveries use; another expression fails. The unit tests hold it
    against moto.
    """

    exceptions = SimpleNamespace(ConditionalCheckFailedException=Refusal)

    def __init__(self) -> None:
        """Begin empty."""
        self.items: dict[str, dict[str, Any]] = {}

    def get_item(self, *, Key: Any, **_: Any) -> dict[str, Any]:
        """Return the item."""
        found = self.items.get(json.dumps(Key))
        return {"Item": found} if found else {}

    def update_item(
        self, *, Key: Any, UpdateExpression: str, ConditionExpression: str, **rest: Any
    ) -> dict[str, Any]:
        """Change the item where the condition holds."""
        item, values = dict(self.items.get(json.dumps(Key), {})), rest["ExpressionAttributeValues"]
        if not any(self._holds(part, item, values) for part in ConditionExpression.split(" OR ")):
            refused: Any = {"Error": {"Code": "ConditionalCheckFailedException"}, "Item": item}
            raise Refusal(refused, "UpdateItem")
        sets, _, removed = UpdateExpression.removeprefix("SET ").partition(" REMOVE ")
        for name, value in (part.split(" = ") for part in sets.split(", ")):
            if sum_of := re.fullmatch(r"(\w+) \+ (:\w+)", value):
                total = float(item[sum_of[1]]["N"]) + float(values[sum_of[2]]["N"])
                item[name] = {"N": str(total)}
            else:
                item[name.removeprefix("#")] = values[value]
        item.pop(removed, None)
        self.items[json.dumps(Key)] = item
        return {"Attributes": item}

    def _holds(self, condition: str, item: dict[str, Any], values: dict[str, Any]) -> bool:
        if absent := re.fullmatch(r"attribute_not_exists\((\w+)\)", condition):
            return absent[1] not in item
        name, operator, value = condition.split(" ")
        if name not in item:
            return False
        if operator == "=":
            return bool(item[name] == values[value])
        left, right = float(item[name]["N"]), float(values[value]["N"])
        return {"<=": left <= right, "<": left < right, ">": left > right}[operator]


@dataclass
class Queue:
    """The sink's queue, as SQS keeps one, and Lambda that polls it; the fifth failure goes to
    `parked`.
    """

    clock: Clock
    sink: Sink
    random: Random
    waiting: list[tuple[float, int, str]] = field(default_factory=list)
    receipts: Counter[int] = field(default_factory=Counter)
    parked: list[str] = field(default_factory=list)
    kills: int = 0
    numbers: Any = field(default_factory=itertools.count)

    def put(self, body: str, at: float) -> None:
        """Send a message that becomes visible then."""
        heapq.heappush(self.waiting, (at, next(self.numbers), body))

    def drain(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Deliver until nothing is left."""
        waits: dict[str, float] = {}
        monkeypatch.setattr(
            queued, "_show_after", lambda record, wait: waits.update({record.message_id: wait})
        )
        monkeypatch.setattr(queued, "park", lambda message: self.parked.append(message.body))
        while self.waiting:
            self.clock.now = max(self.clock.now, self.waiting[0][0]) + self.random.uniform(
                0, POLL_SECONDS
            )
            batch: list[tuple[float, int, str]] = []
            while self.waiting and self.waiting[0][0] <= self.clock.now and len(batch) < 10:
                batch.append(heapq.heappop(self.waiting))
            received = self.clock.now
            self.receipts.update(number for _, number, _ in batch)
            waits.clear()
            try:
                answer = self.sink.handler(
                    {"Records": [self._record(*each) for each in batch]}, Context()
                )
                failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
            except KeyboardInterrupt:
                self.kills += 1
                failed = {str(number) for _, number, _ in batch}
                waits.clear()
            for _, number, body in batch:
                if str(number) in failed:
                    back = (
                        self.clock.now + waits[str(number)]
                        if waits
                        else received + VISIBILITY_SECONDS
                    )
                    heapq.heappush(self.waiting, (back, number, body))

    def _record(self, _: float, number: int, body: str) -> dict[str, Any]:
        return {
            "messageId": str(number),
            "receiptHandle": "r",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": str(self.receipts[number]),
                "SentTimestamp": "1795000000000",
            },
            "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{self.sink.job}",
        }


def in_memory(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let deliveries use a table in memory and a clock of their own, which is returned."""
    clock, table, real = Clock(), Table(), aws.client
    monkeypatch.setattr(deliveries, "time", clock)
    monkeypatch.setattr(
        aws, "client", lambda service: table if service == "dynamodb" else real(service)
    )
    return clock
