import io
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.conftest import Context
from tools.sandbox import ACCOUNT, REGION

from fleet import aws, secrets
from fleet.dead_letters import MAX_RECEIVES
from fleet.errors import Permanent, Transient
from fleet.runtime import queued as runtime
from fleet.runtime.queued import Message, for_each, queued

Event = dict[str, Any]
DeadLetters = Callable[[], list[Event]]
ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs"


class Queue:
    """The job's queue, as SQS keeps it and Lambda reads it."""

    def __init__(self, make: Callable[..., Event]) -> None:
        self._make = make
        self._sqs = aws.client("sqs")
        self.url = self._sqs.create_queue(
            QueueName="jobs", Attributes={"VisibilityTimeout": "360"}
        )["QueueUrl"]
        self._handles: dict[str, str] = {}
        self.waits: dict[str, int] = {}
        self._sqs.meta.events.register("after-call.sqs.ChangeMessageVisibility", self._answered)
        self._sqs.meta.events.register(
            "provide-client-params.sqs.ChangeMessageVisibility", self._asked
        )

    def deliver(self, *bodies: str, attempts: int | list[int] = 1) -> Event:
        """Send the bodies and receive them: m0, m1, ... with handles that SQS knows."""
        event = self._make(*bodies, attempts=attempts)
        for record in event["Records"]:
            self._sqs.send_message(QueueUrl=self.url, MessageBody=record["body"])
            (message,) = self._sqs.receive_message(QueueUrl=self.url)["Messages"]
            record["receiptHandle"] = message["ReceiptHandle"]
            self._handles[message["ReceiptHandle"]] = record["messageId"]
        return event

    def _asked(self, params: dict[str, Any], **_: Any) -> None:
        self._change = (self._handles[params["ReceiptHandle"]], params["VisibilityTimeout"])

    def _answered(self, http_response: Any, **_: Any) -> None:
        if http_response.status_code == 200:
            self.waits |= [self._change]


@pytest.fixture
def queue(moto: None, sqs_event: Callable[..., Event], monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "react")
    return Queue(sqs_event)


class Reaction:
    """A job that does what a message's body says, and remembers what it was given."""

    def __init__(self, *raised: BaseException) -> None:
        self.raised = {str(error): error for error in raised}
        self.seen: list[Message] = []

    def __call__(self, message: Message) -> None:
        self.seen.append(message)
        if error := self.raised.get(message.body):
            raise error

    @property
    def bodies(self) -> list[str]:
        return [message.body for message in self.seen]


def failed(answer: Event) -> list[str]:
    assert list(answer) == ["batchItemFailures"]
    return sorted(failure["itemIdentifier"] for failure in answer["batchItemFailures"])


def told(message: Event) -> dict[str, str]:
    return {
        name: attribute["StringValue"] for name, attribute in message["MessageAttributes"].items()
    }


TEN = [f"ok {number}" for number in range(10)]


def test_a_message_is_handed_over_with_its_facts(context: Context, queue: Queue) -> None:
    react = Reaction()
    assert failed(queued(react)(queue.deliver("hello", attempts=3), context)) == []
    (message,) = react.seen
    assert (message.id, message.body, message.attempts, message.source_arn) == (
        "m0",
        "hello",
        3,
        ARN,
    )
    assert message.first_seen.isoformat() == "2026-11-20T01:54:34.500000+00:00"


def test_a_messages_events_are_unwrapped(context: Context, queue: Queue) -> None:
    event = {"source": "fleet", "detail-type": "Start Pipeline", "id": "e1", "detail": {}}
    body = json.dumps(
        {"Type": "Notification", "TopicArn": "arn:topic", "Message": json.dumps(event)}
    )
    react = Reaction()
    queued(react)(queue.deliver(body), context)
    assert [event.id for event in react.seen[0].events()] == ["e1"]


def test_a_messages_events_come_out_before_what_is_malformed_beside_them_parks_it(
    context: Context, queue: Queue, dead_letters: DeadLetters
) -> None:
    event = {"source": "fleet", "detail-type": "Start Pipeline", "id": "e1", "detail": {}}
    body = json.dumps({"Records": [7, {"eventSource": "aws:sqs", "body": json.dumps(event)}]})
    seen: list[str] = []
    assert (
        failed(
            queued(lambda message: seen.extend(e.id for e in message.events()))(
                queue.deliver(body), context
            )
        )
        == []
    )
    assert seen == ["e1"]
    assert [told(message)["reason"] for message in dead_letters()] == [
        "a record is not an S3, SNS or SQS record: value of type int"
    ]


def test_an_empty_batch_is_done(context: Context) -> None:
    assert failed(queued(Reaction())({"Records": []}, context)) == []


@pytest.mark.parametrize(
    "event",
    [
        {},
        None,
        [],
        {"Records": None},
        {"Records": ["text"]},
        {"Records": [{"body": "x"}]},
        {"Records": [{"messageId": "m", "body": "x", "eventSourceARN": ARN, "attributes": {}}]},
    ],
    ids=["empty", "null", "list", "null records", "text record", "not of SQS", "no attributes"],
)
def test_an_event_of_another_shape_fails_the_invocation(event: Any, context: Context) -> None:
    react = Reaction()
    with pytest.raises(ValueError, match=r"expected an SQS event .* got"):
        queued(react)(event, context)
    assert react.seen == []


def test_one_poison_message_of_ten_is_parked_and_the_others_are_done(
    context: Context, queue: Queue, dead_letters: DeadLetters
) -> None:
    react = Reaction(Permanent("poison"))
    bodies = [*TEN[:4], "poison", *TEN[4:9]]
    assert failed(queued(react)(queue.deliver(*bodies), context)) == []
    assert react.bodies == bodies
    assert [message["Body"] for message in dead_letters()] == ["poison"]


def test_one_failing_message_of_ten_is_reported_and_the_others_are_done(
    context: Context, queue: Queue, dead_letters: DeadLetters
) -> None:
    react = Reaction(Transient("busy"))
    bodies = [*TEN[:4], "busy", *TEN[4:9]]
    assert failed(queued(react)(queue.deliver(*bodies), context)) == ["m4"]
    assert react.bodies == bodies
    assert dead_letters() == []


def test_a_batch_in_which_everything_fails_is_an_answer_and_no_error(
    context: Context, queue: Queue
) -> None:
    react = Reaction(Transient("a"), ValueError("b"))
    assert failed(queued(react)(queue.deliver("a", "b"), context)) == ["m0", "m1"]


def test_a_body_that_is_not_json_is_parked(
    context: Context, queue: Queue, dead_letters: DeadLetters
) -> None:
    def react(message: Message) -> None:
        list(message.events())

    assert failed(queued(react)(queue.deliver("not JSON"), context)) == []
    (message,) = dead_letters()
    assert message["Body"] == "not JSON"
    assert told(message)["reason"].startswith("the body is not JSON")


@pytest.mark.parametrize(
    ("asked", "wait"),
    [(0, 0), (7, 7), (89.6, 90), (-5, 0)],
    ids=["at once", "seconds", "rounded", "never negative"],
)
def test_a_transient_error_says_when_the_message_comes_back(
    asked: float, wait: int, context: Context, queue: Queue
) -> None:
    react = Reaction(Transient("busy", retry_after=asked))
    assert failed(queued(react)(queue.deliver("busy"), context)) == ["m0"]
    assert queue.waits == {"m0": wait}


@pytest.mark.parametrize("asked", [43_200, 1e9, float("inf")], ids=["12 h", "years", "infinite"])
def test_a_wait_beyond_sqss_limit_becomes_the_longest_that_sqs_takes(
    asked: float, context: Context, queue: Queue
) -> None:
    """SQS counts its 12 hours from the receipt, so what has passed since then is used up."""
    react = Reaction(Transient("busy", retry_after=asked))
    assert failed(queued(react)(queue.deliver("busy"), context)) == ["m0"]
    assert 11 * 3_600 < queue.waits["m0"] < 43_200


@pytest.mark.parametrize(("attempts", "wait"), [(1, 5), (2, 20), (3, 80), (4, 320)])
@pytest.mark.parametrize(
    "error", [Transient("busy"), KeyError("busy")], ids=["transient", "unknown"]
)
def test_waits_grow_with_the_attempts(
    error: Exception, attempts: int, wait: int, context: Context, queue: Queue
) -> None:
    def react(_: Message) -> None:
        raise error

    assert failed(queued(react)(queue.deliver("busy", attempts=attempts), context)) == ["m0"]
    assert queue.waits == {"m0": wait}


def test_a_message_that_exits_does_not_take_the_batch_with_it(
    context: Context, queue: Queue
) -> None:
    react = Reaction(SystemExit("exit"))
    assert failed(queued(react)(queue.deliver("exit", "ok"), context)) == ["m0"]
    assert react.bodies == ["exit", "ok"]


def test_a_message_is_reported_as_failed_when_its_wait_cannot_be_set(
    context: Context, queue: Queue, sqs_event: Callable[..., Event], log: io.StringIO
) -> None:
    react = Reaction(Transient("busy"))
    assert failed(queued(react)(sqs_event("busy", "ok", queue="gone"), context)) == ["m0"]
    assert react.bodies == ["busy", "ok"]
    assert "visibility not changed" in log.getvalue()


def test_a_parked_message_carries_all_that_is_known_of_it(
    context: Context, queue: Queue, dead_letters: DeadLetters
) -> None:
    react = Reaction(Permanent("no such pipeline"))
    assert failed(queued(react)(queue.deliver("no such pipeline", attempts=2), context)) == []
    (message,) = dead_letters()
    assert told(message) == {
        "job": "react",
        "reason": "no such pipeline",
        "error_type": "Permanent",
        "attempts": "2",
        "first_seen": "2026-11-20T01:54:34.500000+00:00",
        "source_arn": ARN,
        "message_id": "m0",
        "redrives": "0",
    }


@pytest.mark.parametrize(
    ("attribute", "redrives"),
    [
        ({"stringValue": "2", "dataType": "Number"}, "2"),
        ({"stringValue": "x"}, "0"),
        ({"binaryValue": "Mg=="}, "0"),
    ],
)
def test_a_parked_message_carries_on_how_often_it_was_redriven(
    attribute: Event, redrives: str, context: Context, queue: Queue, dead_letters: DeadLetters
) -> None:
    event = queue.deliver("no such pipeline")
    event["Records"][0]["messageAttributes"]["redrives"] = attribute
    queued(Reaction(Permanent("no such pipeline")))(event, context)
    assert [told(message)["redrives"] for message in dead_letters()] == [redrives]


@pytest.mark.parametrize(
    "body",
    [' {"b" :1,\t"a":1.0}\r\n', "café 🚀 & <b>", '"\\u00e9"'],
    ids=["spaces", "not ASCII", "escapes"],
)
def test_a_body_is_parked_byte_for_byte(
    body: str, context: Context, queue: Queue, dead_letters: DeadLetters
) -> None:
    queued(Reaction(Permanent(body)))(queue.deliver(body), context)
    assert [message["Body"] for message in dead_letters()] == [body]


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "reason", "error_type"),
    [
        pytest.param(Transient("busy"), "busy", "Transient", id="transient"),
        pytest.param(
            caused(Transient("busy"), TimeoutError("5 s")),
            "busy",
            "TimeoutError",
            id="transient with cause",
        ),
        pytest.param(ConnectionError("reset"), "reset", "ConnectionError", id="unknown"),
        pytest.param(
            ZeroDivisionError(), "ZeroDivisionError", "ZeroDivisionError", id="without words"
        ),
        pytest.param(SystemExit("exit"), "exit", "SystemExit", id="exit"),
    ],
)
def test_the_last_attempt_parks_the_message_with_its_reason(
    error: BaseException,
    reason: str,
    error_type: str,
    context: Context,
    queue: Queue,
    dead_letters: DeadLetters,
) -> None:
    def react(_: Message) -> None:
        raise error

    assert failed(queued(react)(queue.deliver("x", attempts=MAX_RECEIVES), context)) == []
    (message,) = dead_letters()
    assert message["Body"] == "x"
    assert (told(message)["reason"], told(message)["error_type"]) == (reason, error_type)
    assert told(message)["attempts"] == "5"
    assert queue.waits == {}


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(Permanent("x"), 1), (ValueError("x"), 5)],
    ids=["permanent", "last attempt"],
)
def test_a_message_that_cannot_be_parked_is_reported_as_failed(
    error: Exception,
    attempts: int,
    context: Context,
    queue: Queue,
    monkeypatch: pytest.MonkeyPatch,
    log: io.StringIO,
) -> None:
    monkeypatch.setenv("DEAD_LETTERS_URL", f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/gone")
    react = Reaction(error)
    assert failed(queued(react)(queue.deliver("x", "ok", attempts=attempts), context)) == ["m0"]
    assert sorted(react.bodies) == ["ok", "x"]
    assert "could not be parked" in log.getvalue()


def test_the_reason_is_cut_to_what_people_read_and_sqs_takes(
    context: Context, queue: Queue, dead_letters: DeadLetters
) -> None:
    def react(_: Message) -> None:
        raise Permanent("\x1b[31m" + "x" * 400_000)

    assert failed(queued(react)(queue.deliver("x"), context)) == []
    (message,) = dead_letters()
    reason = told(message)["reason"]
    assert len(reason) == 1_000
    assert reason.startswith("\ufffd[31mxxx")


def test_no_secret_is_in_the_reason_of_a_parked_message(
    context: Context, queue: Queue, dead_letters: DeadLetters
) -> None:
    secrets._fetched.add("s3cr3t")
    queued(Reaction(Permanent("refused: s3cr3t")))(queue.deliver("refused: s3cr3t"), context)
    assert [told(message)["reason"] for message in dead_letters()] == ["refused: [secret]"]


def test_messages_nearest_to_their_last_attempt_come_first(context: Context, queue: Queue) -> None:
    react = Reaction()
    queued(react)(queue.deliver("a", "b", "c", "d", attempts=[1, 4, 2, 4]), context)
    assert react.bodies == ["b", "d", "c", "a"]


class Clock:
    """A clock that only the job moves: each message takes the next of these seconds."""

    def __init__(self, *seconds: float) -> None:
        self.now = 1_000.0
        self.seconds = iter(seconds)
        self.seen: list[str] = []

    def __call__(self, message: Message) -> None:
        self.seen.append(message.body)
        self.now += next(self.seconds)


@pytest.mark.parametrize(
    ("remaining", "seconds", "begun"),
    [
        pytest.param(60, [1, 1, 1, 1], 4, id="time for all"),
        pytest.param(0, [1, 1, 1, 1], 1, id="no time, yet one is begun"),
        pytest.param(33, [10, 10, 10, 10], 2, id="the reserve is kept"),
        pytest.param(34, [10, 10, 10, 10], 3, id="time for one as slow as those before"),
        pytest.param(50, [30, 1, 1, 1], 1, id="the slowest sets the pace"),
        pytest.param(50, [1, 20, 6, 1], 3, id="the slowest so far, not the latest"),
    ],
)
def test_messages_for_which_no_time_is_left_are_handed_back_unbegun(
    remaining: int,
    seconds: list[float],
    begun: int,
    context: Context,
    queue: Queue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(*seconds)
    monkeypatch.setattr(runtime, "time", SimpleNamespace(monotonic=lambda: clock.now))
    context.remaining_ms = remaining * 1_000
    event = queue.deliver("m0", "m1", "m2", "m3")
    left = ["m0", "m1", "m2", "m3"][begun:]
    assert failed(queued(clock)(event, context)) == left
    assert clock.seen == ["m0", "m1", "m2", "m3"][:begun]
    assert queue.waits == dict.fromkeys(left, 5)


@pytest.mark.parametrize(("attempts", "wait"), [(1, 5), (2, 20), (3, 80), (4, 320)])
def test_what_is_handed_back_unbegun_waits_as_long_as_what_failed(
    attempts: int, wait: int, context: Context, queue: Queue, capsys: pytest.CaptureFixture[str]
) -> None:
    context.remaining_ms = 0
    react = Reaction()
    assert failed(queued(react)(queue.deliver("first", "second", attempts=attempts), context)) == [
        "m1"
    ]
    assert (react.bodies, queue.waits) == (["first"], {"m1": wait})
    (line,) = (
        json.loads(line) for line in capsys.readouterr().out.splitlines() if '"HandedBack"' in line
    )
    assert line["HandedBack"] == [1.0]


def test_a_message_that_never_begins_is_parked_with_the_reason(
    context: Context, queue: Queue, dead_letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(1, 1)
    monkeypatch.setattr(runtime, "time", SimpleNamespace(monotonic=lambda: clock.now))
    context.remaining_ms = 0
    event = queue.deliver("m0", "m1", attempts=[MAX_RECEIVES, MAX_RECEIVES])
    assert failed(queued(clock)(event, context)) == []
    assert clock.seen == ["m0"]
    (letter,) = dead_letters()
    assert letter["Body"] == "m1"
    assert told(letter)["reason"] == "none of its 5 receipts left time to begin it"
    assert told(letter)["attempts"] == "5"
    assert queue.waits == {}


def test_a_message_that_never_began_and_cannot_be_parked_is_reported_as_failed(
    context: Context, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEAD_LETTERS_URL", f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/gone")
    context.remaining_ms = 0
    assert failed(
        queued(Reaction())(queue.deliver("m0", "m1", attempts=MAX_RECEIVES), context)
    ) == ["m1"]


def test_a_message_that_fails_slowly_counts_for_the_pace(
    context: Context, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(40)

    def react(message: Message) -> None:
        clock(message)
        raise Transient("slow", retry_after=9)

    monkeypatch.setattr(runtime, "time", SimpleNamespace(monotonic=lambda: clock.now))
    assert failed(queued(react)(queue.deliver("m0", "m1"), context)) == ["m0", "m1"]
    assert queue.waits == {"m0": 9, "m1": 5}


def test_what_becomes_of_messages_is_counted(
    context: Context, queue: Queue, dead_letters: DeadLetters, capsys: pytest.CaptureFixture[str]
) -> None:
    react = Reaction(Permanent("poison"), Transient("busy"))
    queued(react)(queue.deliver("ok", "poison", "busy", "fine"), context)
    (line,) = (
        json.loads(line) for line in capsys.readouterr().out.splitlines() if '"Parked"' in line
    )
    assert (sum(line["Done"]), sum(line["Parked"]), sum(line["Retried"])) == (2, 1, 1)


@pytest.mark.parametrize(
    ("failures", "raised"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({1: Permanent("p1"), 3: Permanent("p3")}, "p1", id="permanent"),
        pytest.param(
            {1: Permanent("p1"), 2: Transient("t2"), 3: Transient("t3")}, "t2", id="transient first"
        ),
        pytest.param(
            {1: Permanent("p1"), 2: KeyError("k2")}, "k2", id="unclassified before permanent"
        ),
    ],
)
def test_every_item_is_attended_to_before_the_failure_that_may_pass_is_raised(
    failures: dict[int, Exception], raised: str | None
) -> None:
    attended: list[int] = []

    def act(item: int) -> None:
        attended.append(item)
        if error := failures.get(item):
            raise error

    if raised:
        with pytest.raises((Permanent, Transient, KeyError), match=raised):
            for_each([1, 2, 3, 4], act)
    else:
        for_each([1, 2, 3, 4], act)
    assert attended == [1, 2, 3, 4]


class Torn:
    """An iterator, and no generator: it could be asked again after it raised, and never ends."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self.asked += 1
        if self.asked > 2:
            raise self.error
        return self.asked


def yielding(error: Exception) -> Iterator[int]:
    yield 1
    yield 2
    raise error


@pytest.mark.parametrize("items", [yielding, Torn], ids=["generator", "iterator"])
@pytest.mark.parametrize(
    ("failures", "error", "raised"),
    [
        pytest.param({}, Permanent("torn"), "torn", id="its own failure only"),
        pytest.param(
            {1: Transient("busy")},
            Permanent("torn"),
            "busy",
            id="transient item before permanent end",
        ),
        pytest.param(
            {1: Permanent("bad")},
            Transient("torn"),
            "torn",
            id="transient end before permanent item",
        ),
        pytest.param({2: Permanent("bad")}, Permanent("torn"), "bad", id="first of the permanent"),
    ],
)
def test_items_that_fail_themselves_end_and_are_one_of_the_failures(
    items: Callable[[Exception], Iterator[int]],
    failures: dict[int, Exception],
    error: Exception,
    raised: str,
) -> None:
    attended: list[int] = []

    def act(item: int) -> None:
        attended.append(item)
        if failure := failures.get(item):
            raise failure

    with pytest.raises((Permanent, Transient), match=raised):
        for_each(items(error), act)
    assert attended == [1, 2]


def test_items_that_cannot_even_begin_are_a_failure() -> None:
    with pytest.raises(TypeError, match="not iterable"):
        for_each(cast(Any, 7), print)
