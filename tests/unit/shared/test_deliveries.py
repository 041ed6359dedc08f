from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from fleet import aws, deliveries
from fleet.deliveries import Destination, Memory, once
from fleet.errors import Permanent, Transient


@dataclass
class Clock:
    now: float = 1_795_000_000.0

    def time(self) -> float:
        return self.now


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    running = Clock()
    monkeypatch.setattr(deliveries, "time", running)
    return running


@pytest.fixture
def channel(ledger: str) -> Destination:
    return Destination(ledger, "slack", "C1", spacing=1.0)


@pytest.fixture
def webhook(ledger: str) -> Destination:
    return Destination(ledger, "webhook", "e1")


Sent = list[str]


def send(sent: Sent, name: str = "sent") -> Callable[[Memory], Memory]:
    def deliver(memory: Memory) -> Memory:
        sent.append(name)
        return {"messages": f"{memory.get('messages', '')}{name} "}

    return deliver


def fail(error: BaseException) -> Callable[[Memory], Memory]:
    def deliver(_: Memory) -> Memory:
        raise error

    return deliver


def wait(error: pytest.ExceptionInfo[Transient]) -> float:
    assert error.value.retry_after is not None
    return error.value.retry_after


def test_a_repeat_does_nothing(webhook: Destination) -> None:
    sent: Sent = []
    assert [once(webhook, "finding", "a1", send(sent)) for _ in range(3)] == [True, False, False]
    assert sent == ["sent"]


def test_what_a_sink_remembers_comes_back_with_the_next_alert_of_the_thread(
    webhook: Destination,
) -> None:
    seen: list[Memory] = []

    def look(memory: Memory) -> Memory:
        seen.append(dict(memory))
        return memory

    once(webhook, "finding", "a1", send([], "one"))
    once(webhook, "finding", "a2", send([], "two"))
    once(webhook, "finding", "a3", look)
    once(webhook, "another", "a4", look)
    assert seen == [{"messages": "one two "}, {}]


@pytest.mark.parametrize("error", [Transient("x"), Permanent("x"), RuntimeError("x"), SystemExit()])
def test_what_failed_is_tried_again_at_once(error: BaseException, webhook: Destination) -> None:
    with pytest.raises(type(error)):
        once(webhook, "finding", "a1", fail(error))
    assert once(webhook, "finding", "a1", send([]))


def test_two_alerts_of_a_thread_are_not_delivered_at_once(
    webhook: Destination, clock: Clock
) -> None:
    def meanwhile(memory: Memory) -> Memory:
        clock.now += 20
        with pytest.raises(Transient) as raised:
            once(webhook, "finding", "a2", send([]))
        assert wait(raised) == 40
        assert once(webhook, "another finding", "a3", send([]))
        return memory

    assert once(webhook, "finding", "a1", meanwhile)
    assert once(webhook, "finding", "a2", send([]))


def test_a_process_that_dies_leaves_a_lock_that_expires(
    webhook: Destination, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the destination's answer and before the write: now an alert is delivered twice."""
    sent: Sent = []
    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "_unlock", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            once(webhook, "finding", "a1", send(sent))
    clock.now += 59.9
    with pytest.raises(Transient):
        once(webhook, "finding", "a1", send(sent))
    clock.now += 0.2
    assert once(webhook, "finding", "a1", send(sent))
    assert sent == ["sent", "sent"]


def test_a_process_that_outlives_its_lock_does_not_write_over_its_successor(
    webhook: Destination, clock: Clock
) -> None:
    def outlive(memory: Memory) -> Memory:
        clock.now += 61
        assert once(webhook, "finding", "a2", send([], "two"))
        return {}

    with pytest.raises(aws.client("dynamodb").exceptions.ConditionalCheckFailedException):
        once(webhook, "finding", "a1", outlive)
    assert not once(webhook, "finding", "a2", send([]))


def test_items_expire_and_have_the_sink_in_their_key(channel: Destination, clock: Clock) -> None:
    once(channel, "finding", "a1", send([]))
    items: list[Any] = aws.client("dynamodb").scan(TableName="ledger")["Items"]
    assert sorted((item["pk"]["S"], item["sk"]["S"]) for item in items) == [
        ("slack#C1", "pace"),
        ("slack#C1#finding", "thread"),
    ]
    assert {round(float(item["expires"]["N"]) - clock.now) for item in items} == {
        deliveries.KEPT_SECONDS
    }


def test_the_first_goes_at_once_and_the_next_waits_for_its_own_time(
    channel: Destination, clock: Clock
) -> None:
    sent: Sent = []
    assert once(channel, "f1", "a1", send(sent))
    waits = []
    for number in (2, 3, 4):
        with pytest.raises(Transient) as raised:
            once(channel, f"f{number}", f"a{number}", send(sent))
        waits.append(wait(raised))
    assert waits == [1, 2, 3]
    clock.now += 2
    assert once(channel, "f3", "a3", send(sent))
    assert once(channel, "f2", "a2", send(sent))
    with pytest.raises(Transient):
        once(channel, "f4", "a4", send(sent))
    clock.now += 1
    assert once(channel, "f4", "a4", send(sent))
    assert len(sent) == 4


def test_a_repeat_takes_no_turn(channel: Destination, clock: Clock) -> None:
    once(channel, "f1", "a1", send([]))
    for _ in range(5):
        assert not once(channel, "f1", "a1", send([]))
    clock.now += 1
    assert once(channel, "f2", "a2", send([]))


def test_other_destinations_have_turns_of_their_own(ledger: str, clock: Clock) -> None:
    for name in ("C1", "C2"):
        assert once(Destination(ledger, "slack", name, 1.0), "f", "a1", send([]))


def test_when_the_destination_asks_for_a_wait_everybody_waits(
    channel: Destination, clock: Clock
) -> None:
    """Those whose time falls into it get another, a second apart, after it."""
    once(channel, "f1", "a1", send([]))
    for number in (2, 3):
        with pytest.raises(Transient):
            once(channel, f"f{number}", f"a{number}", send([]))
    clock.now += 1
    with pytest.raises(Transient, match="slow down") as raised:
        once(channel, "f2", "a2", fail(Transient("slow down", retry_after=30)))
    assert wait(raised) == 30
    clock.now += 1
    with pytest.raises(Transient, match="its turn") as raised:
        once(channel, "f3", "a3", fail(AssertionError("called")))
    assert wait(raised) == 30
    with pytest.raises(Transient) as raised:
        once(channel, "f4", "a4", fail(AssertionError("called")))
    assert wait(raised) == 31
    clock.now += 29
    assert once(channel, "f2", "a2", send([]))
    clock.now += 1
    assert once(channel, "f3", "a3", send([]))


def test_a_failure_without_a_wait_keeps_its_turn(channel: Destination, clock: Clock) -> None:
    with pytest.raises(Transient, match="reset") as raised:
        once(channel, "f1", "a1", fail(Transient("reset")))
    assert raised.value.retry_after is None
    clock.now += 5
    assert once(channel, "f1", "a1", send([]))
