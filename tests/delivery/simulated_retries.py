"""What AWS does around an invocation that nobody waits for, on a clock that jumps; the emulator
does little of it.

- Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation": an
  error of the function is tried again after one minute and after two; what is throttled waits for a
  second, and then longer, up to five minutes, until the event is too old; an event may come several
  times without an error.
- The same, "Capturing records of Lambda asynchronous invocations": what the destination gets in the
  end.
- EventBridge User Guide, "Retry policy" and "Dead-letter queues", and EventBridge Scheduler User
  Guide, "Dead-letter queue": a target that does not take an event is tried again, up to a number of
  attempts and an age; then the queue of dead letters gets the event, with the error in its
  attributes. Delivery is at least once.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.conftest import Context
from tools.sandbox import ACCOUNT, REGION

from fleet import aws

LONGEST_PAUSE_SECONDS = 300.0


class Throttled(Exception):
    """What a target answers when it takes nothing now."""


def dead_letter(url: str, body: str, **attributes: object) -> None:
    """Leave something in the queue of dead letters."""
    facts: Any = {
        name: {"DataType": "String", "StringValue": str(value)}
        for name, value in attributes.items()
    }
    aws.client("sqs").send_message(QueueUrl=url, MessageBody=body, MessageAttributes=facts)


@dataclass
class Invocations:
    """Lambda's queue of events for one function; `retries` and `age` (seconds) are of its
    EventInvokeConfig.
    """

    job: str
    handler: Callable[[Any, Any], Any]
    retries: int
    age: float
    dead_letters: str
    now: float = 1_795_000_000.0
    throttled_until: float = 0.0
    attempts: list[float] = field(default_factory=list)

    @property
    def arn(self) -> str:
        """The function's ARN."""
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:fleet-local-{self.job}"

    def deliver(self, payload: str, times: int = 1) -> None:
        """Take an event, which comes so many times even without an error."""
        for _ in range(times):
            self._attend(payload, self.now)

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's names
        """Be the client of Lambda for one who redrives."""
        assert (FunctionName, InvocationType) == (self.arn, "Event")
        self.deliver(Payload.decode())
        return {"StatusCode": 202, "ResponseMetadata": {"RequestId": "redriven"}}

    def _attend(self, payload: str, began: float) -> None:
        attempts, pause = 0, 1.0
        answer: dict[str, Any] = {}
        while self.now - began <= self.age:
            if self.now < self.throttled_until:
                self.now += pause
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            attempts += 1
            self.attempts.append(self.now)
            try:
                self.handler(json.loads(payload), Context())
            except Exception as error:  # noqa: BLE001 - whatever leaves the function is its error
                said = {
                    "errorMessage": str(error),
                    "errorType": type(error).__name__,
                    "stackTrace": [],
                }
                context = {
                    "statusCode": 200,
                    "executedVersion": "$LATEST",
                    "functionError": "Unhandled",
                }
                answer = {"responseContext": context, "responsePayload": said}
            else:
                return
            if attempts > self.retries:
                self._give_up("RetriesExhausted", attempts, payload, answer)
                return
            self.now += 60.0 * attempts
        self._give_up("EventAgeExceeded", attempts, payload, answer)

    def _give_up(self, condition: str, attempts: int, payload: str, answer: dict[str, Any]) -> None:
        record = {
            "version": "1.0",
            "timestamp": datetime.fromtimestamp(self.now, UTC).isoformat(),
            "requestContext": {
                "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
                "functionArn": f"{self.arn}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": json.loads(payload),
            **answer,
        }
        dead_letter(self.dead_letters, json.dumps(record))


@dataclass
class Deliveries:
    """What EventBridge does for a rule's target, and Scheduler for a schedule's: `retries` and
    `age` are its policy.
    """

    send: Callable[[str], object]
    retries: int
    age: float
    dead_letters: str
    origin: dict[str, str]
    now: float = 1_795_000_000.0
    attempts: int = 0

    def deliver(self, body: str, times: int = 1) -> None:
        """Give the target an event, so many times even if it took it."""
        for _ in range(times):
            self._attend(body)

    def _attend(self, body: str) -> None:
        began, tries, pause = self.now, 0, 1.0
        while True:
            try:
                self.attempts += 1
                self.send(body)
            except Throttled as error:
                exhausted = "MaximumRetryAttempts" if tries >= self.retries else ""
                exhausted = exhausted or (
                    "MaximumEventAgeInSeconds" if self.now + pause - began > self.age else ""
                )
                if exhausted:
                    facts = {
                        "ERROR_CODE": "THROTTLED",
                        "ERROR_MESSAGE": str(error),
                        "RETRY_ATTEMPTS": tries,
                    }
                    dead_letter(
                        self.dead_letters,
                        body,
                        **self.origin,
                        **facts,
                        EXHAUSTED_RETRY_CONDITION=exhausted,
                    )
                    return
                tries, self.now, pause = (
                    tries + 1,
                    self.now + pause,
                    min(2 * pause, LONGEST_PAUSE_SECONDS),
                )
            else:
                return
