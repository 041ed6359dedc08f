"""Queue jobs: react to each message of a batch by itself, and lose none."""

import functools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from fleet import aws, events
from fleet.dead_letters import MAX_RECEIVES, Parked, park
from fleet.errors import Permanent, Transient
from fleet.runtime.telemetry import count, instrumented, job_name, logger

T = TypeVar("T")

# How long it takes to end an invocation properly: the last visibility changes, metrics and the
# answer.
RESERVE_SECONDS = 3.0
# SQS hides a message for 12 hours at most, counted from its receipt (SQS Developer Guide,
# "visibility timeout"); what the invocation has already used of them is at most 15 minutes.
LONGEST_WAIT_SECONDS = 43_200 - 900


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the job's queue.

    `attempts` counts its receipts, this one included; `first_seen` is UTC. `redrives` says how
    often it came back from the dead letters.
    """

    id: str
    body: str
    attempts: int
    first_seen: datetime
    source_arn: str
    redrives: int = 0

    def events(self) -> Iterator[events.Event]:
        """Yield all events inside the body, whatever wraps them.

        Raises `Permanent`, at last, for what is not an event.
        """
        return events.unwrap(self.body)


class _NotBegun(Exception):
    """Too little time is left to begin this message."""


def queued(react: Callable[[Message], None]) -> Callable[[Any, Any], dict[str, Any]]:
    """Make a Lambda handler of a function that reacts to one message.

    The handler answers with partial batch responses:

    - `react` returns: the message is done.
    - `Permanent`: it is parked in the dead letters at once.
    - `Transient`, or anything else: it becomes visible again after a wait, until the last permitted
      attempt parks it with the reason (the queue's own redrive would move it without one).
    - Little time left: what has not begun goes back, after a wait too, since its receipt counts as
      an attempt. Messages nearest to their last attempt come first.

    Delivery is at least once: a process that dies between its effect, or the parking, and the
    answer does it again, so `react` must be idempotent by something inside the message (the message
    id changes when it is redriven).
    """

    @functools.wraps(react)
    def handler(event: Any, context: Any) -> dict[str, Any]:
        return process(react, event, context)

    return instrumented(handler)  # type: ignore[no-any-return]


def process(react: Callable[[Message], object], event: Any, context: Any) -> dict[str, Any]:
    """Give each message of an event to `react`, as `queued` says.

    Returns the partial batch response.
    """
    records = sorted(_records(event), key=_attempts, reverse=True)
    remaining_seconds = context.get_remaining_time_in_millis() / 1000
    pace = _Pace(deadline=time.monotonic() + remaining_seconds - RESERVE_SECONDS)
    process_record = functools.partial(_process_record, react, pace)
    processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
    with processor(records, process_record):
        processor.process()
    return dict(processor.response())


def for_each(items: Iterable[T], act: Callable[[T], None]) -> None:
    """Do `act` for every item, then raise one of the failures: one that another attempt may cure,
    if there is one.

    That is any error before a `Permanent`: in the next attempt, what is done already changes
    nothing, and what is hopeless fails again. `items` may be a generator that raises: it ends
    there, and what it yielded before is done.
    """
    failures: list[Exception] = []
    try:
        for item in items:
            try:
                act(item)
            except Exception as error:
                failures.append(error)
    except Exception as error:  # the items themselves failed
        failures.append(error)
    if failures:
        raise next((error for error in failures if not isinstance(error, Permanent)), failures[0])


def _records(event: Any) -> list[dict[str, Any]]:
    match event:
        case {"Records": [*records]} if all(
            isinstance(record, dict)
            and {"messageId", "body", "attributes", "eventSourceARN"} <= record.keys()
            and {"ApproximateReceiveCount", "SentTimestamp"} <= record["attributes"].keys()
            for record in records
        ):
            return records
    raise ValueError(
        "expected an SQS event (Records with messageId, body, attributes, ...), "
        f"got {events.shape(event)}"
    )


class _Pace:
    """Whether another message can be begun.

    There must be time for one as slow as the slowest so far.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.slowest = 0.0
        self.begun = False

    def allows(self) -> bool:
        return not self.begun or time.monotonic() + self.slowest < self.deadline

    def __enter__(self) -> None:
        self.begun = True
        self.started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.slowest = max(self.slowest, time.monotonic() - self.started)


def _process_record(react: Callable[[Message], object], pace: _Pace, record: SQSRecord) -> None:
    """Do what `queued` says for one record. Raises where the message is to stay in its queue."""
    message = _message(record)
    if not pace.allows():
        _hand_back(message, record)
        return
    try:
        with pace:
            react(message)
        count(Done=1)
    except Permanent as error:
        _park(message, error)
    except (Exception, SystemExit) as error:  # SystemExit would take the whole batch with it
        if message.attempts >= MAX_RECEIVES:
            _park(message, error)
            return
        _retry(message, record, error)
        raise Transient(str(error)) from error


def _hand_back(message: Message, record: SQSRecord) -> None:
    """Give back a message that there is no time to begin, or park it after its last receipt.

    Raises `_NotBegun` where the message stays in its queue.
    """
    if message.attempts >= MAX_RECEIVES:
        _park(message, _NotBegun(f"none of its {MAX_RECEIVES} receipts left time to begin it"))
        return
    _show_after(record, _backoff_seconds(message.attempts))
    count(HandedBack=1)
    raise _NotBegun


def _retry(message: Message, record: SQSRecord, error: BaseException) -> None:
    """Let the message be received again after a wait.

    The wait is what the error asks for, or else grows with the attempts.
    """
    seconds = _backoff_seconds(message.attempts)
    if isinstance(error, Transient) and error.retry_after is not None:
        seconds = round(min(LONGEST_WAIT_SECONDS, max(0, error.retry_after)))
    logger.warning(
        "will be tried again",
        message_id=message.id,
        attempt=message.attempts,
        wait=seconds,
        exc_info=True,
    )
    _show_after(record, seconds)
    count(Retried=1)


def _message(record: SQSRecord) -> Message:
    sent = int(record.attributes.sent_timestamp) / 1000
    return Message(
        id=record.message_id,
        body=record.body,
        attempts=_attempts(record.raw_event),
        first_seen=datetime.fromtimestamp(sent, UTC),
        source_arn=record.event_source_arn,
        redrives=_redrives(record.raw_event),
    )


def _redrives(record: dict[str, Any]) -> int:
    match record.get("messageAttributes"):
        case {"redrives": {"stringValue": str(text)}} if text.isdecimal():
            return int(text)
    return 0


def _attempts(record: dict[str, Any]) -> int:
    return int(record["attributes"]["ApproximateReceiveCount"])


def _backoff_seconds(attempts: int) -> int:
    """Return the seconds until the next attempt: 5, 20, 80, 320."""
    return int(min(LONGEST_WAIT_SECONDS, 5 * 4 ** (attempts - 1)))


def _show_after(record: SQSRecord, seconds: int) -> None:
    """Make the message visible after so many seconds.

    Where that fails, its queue's visibility timeout counts.
    """
    _, _, _, region, account, queue = record.event_source_arn.split(":")
    url = f"https://sqs.{region}.{aws.domain(region)}/{account}/{queue}"
    try:
        aws.client("sqs").change_message_visibility(
            QueueUrl=url, ReceiptHandle=record.receipt_handle, VisibilityTimeout=seconds
        )
    except Exception:  # the queue itself makes the message visible later
        logger.warning("visibility not changed", message_id=record.message_id, exc_info=True)


def _park(message: Message, error: BaseException) -> None:
    cause = error.__cause__ if isinstance(error, Transient) and error.__cause__ else error
    parked = Parked(
        body=message.body,
        job=job_name(),
        reason=str(error) or type(error).__name__,
        error_type=type(cause).__name__,
        attempts=message.attempts,
        first_seen=message.first_seen,
        source_arn=message.source_arn,
        message_id=message.id,
        redrives=message.redrives,
    )
    try:
        park(parked)
    except Exception:
        # It fails, so it returns to its queue, whose redrive policy is the second way to the dead
        # letters.
        logger.exception("could not be parked", message_id=message.id, reason=parked.reason)
        raise
    logger.error(
        "parked",
        message_id=message.id,
        attempt=message.attempts,
        reason=parked.reason,
        exc_info=error,
    )
    count(Parked=1)
