"""Redrive and discard against queues in memory.

Nothing is lost, whichever step fails or is killed.
"""

import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from tools.sandbox import ACCOUNT, REGION, session

from fleet.dead_letters import Parked
from fleet.dead_letters.letters import Letter
from fleet.dead_letters.looking import DeadLetters
from fleet.dead_letters.redrive import Manner, Outcome, Redrive, Selection, Step, discard

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
ALL = Selection()
AT_ONCE = Manner(canary=False, wait=0)
BODIES = [f"{number:02}" for number in range(12)]


class Killed(BaseException):
    """The process ends: nothing after this is done, not even by `finally`."""


@dataclass
class Faulty:
    """A client whose calls may fail: `fault` gets the number and name of each call, twice.

    Once before the call is made, and once after it.
    """

    real: Any
    fault: Callable[[int, str, str], None]
    numbers: Iterator[int] = field(default_factory=count)
    dead: bool = False

    def __getattr__(self, name: str) -> Any:
        def call(**request: Any) -> Any:
            if self.dead:
                raise Killed
            number = next(self.numbers)
            try:
                self.fault(number, name, "before")
                answer = getattr(self.real, name)(**request)
                self.fault(number, name, "after")
            except Killed:
                self.dead = True
                raise
            return answer

        return call


class Account:
    """Dead letters of jobs, each with its own queue.

    `name` keeps them apart from those of other tests.
    """

    def __init__(self, sqs: Any, name: str) -> None:
        self.name = name
        self.sqs = sqs
        self.url = self.sqs.create_queue(QueueName=f"{name}dead-letters")["QueueUrl"]

    def queue(self, job: str) -> str:
        self.sqs.create_queue(QueueName=f"{self.name}fleet-{job}")
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.name}fleet-{job}"

    def park(self, body: str, job: str = "job", **facts: Any) -> None:
        given = {
            "reason": "no",
            "error_type": "Permanent",
            "attempts": 1,
            "first_seen": NOW,
            "message_id": "m",
        }
        parked = Parked(body=body, job=job, source_arn=self.queue(job), **{**given, **facts})
        self.sqs.send_message(
            QueueUrl=self.url, MessageBody=parked.body, MessageAttributes=parked.attributes()
        )

    def left(self) -> list[str]:
        with DeadLetters(self.sqs, self.url).look() as look:
            return sorted(held.letter.body for held in look)

    def arrived(self, job: str = "job") -> list[Any]:
        found: list[Any] = []
        url = self.sqs.get_queue_url(QueueName=f"{self.name}fleet-{job}")["QueueUrl"]
        while messages := self.sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=600,
        ).get("Messages"):
            found += messages
        return sorted(found, key=lambda message: message["Body"])

    def redrive(
        self, selection: Selection = ALL, manner: Manner = AT_ONCE, client: Any = None, **more: Any
    ) -> Redrive:
        sqs = client or self.sqs
        queue = DeadLetters(sqs, self.url)
        return Redrive(queue, selection, manner, NOW, {"sqs": sqs}.__getitem__, **more)


@pytest.fixture(scope="module")
def sqs() -> Iterator[Any]:
    with mock_aws():
        yield session().client("sqs")


@pytest.fixture
def account(sqs: Any, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Account:
    monkeypatch.setattr("fleet.dead_letters.looking.POLL_SECONDS", 0)
    return Account(sqs, f"{zlib.crc32(request.node.name.encode())}-")


def steps(outcomes: Any) -> list[tuple[str, Step]]:
    return sorted((outcome.letter.body, outcome.step) for outcome in outcomes)


def bodies(messages: list[Any]) -> list[str]:
    return [message["Body"] for message in messages]


def test_letters_go_back_to_their_queues_and_say_how_often(account: Account) -> None:
    account.park("a", job="first")
    account.park("b", job="second", redrives=1)
    assert steps(account.redrive()) == [("a", Step.SENT), ("b", Step.SENT)]
    (a,), (b,) = account.arrived("first"), account.arrived("second")
    told = [message["MessageAttributes"]["redrives"]["StringValue"] for message in (a, b)]
    assert (a["Body"], b["Body"], told) == ("a", "b", ["1", "2"])
    assert account.left() == []


def test_a_dry_run_sends_and_takes_nothing(account: Account) -> None:
    account.park("a")
    assert steps(account.redrive(manner=Manner(dry_run=True))) == [("a", Step.WOULD)]
    assert (account.left(), account.arrived()) == (["a"], [])


@pytest.mark.parametrize(
    ("selection", "selected"),
    [
        (Selection(jobs=("first",)), "a"),
        (Selection(jobs=("f*", "second")), "abc"),
        (Selection(older_than=timedelta(hours=2)), "c"),
        (Selection(younger_than=timedelta(hours=2), jobs=("second",)), "b"),
        (Selection(ids=("nosuch",)), ""),
    ],
)
def test_only_what_is_selected_goes(account: Account, selection: Selection, selected: str) -> None:
    account.park("a", job="first")
    account.park("b", job="second")
    account.park("c", job="second", first_seen=NOW - timedelta(hours=3), reason="another")
    assert "".join(body for body, _ in steps(account.redrive(selection))) == selected
    assert "".join(account.left()) == "".join(sorted(set("abc") - set(selected)))


def test_a_letter_or_a_cause_can_be_named(account: Account) -> None:
    account.park("a", reason="no object 17")
    account.park("b", reason="no object 18")
    account.park("c", reason="refused")
    letters = {
        outcome.letter.body: outcome.letter
        for outcome in account.redrive(manner=Manner(dry_run=True))
    }
    assert letters["a"].cause == letters["b"].cause
    assert steps(account.redrive(Selection(causes=(letters["a"].cause.id,)))) == [
        ("a", Step.SENT),
        ("b", Step.SENT),
    ]
    assert steps(account.redrive(Selection(ids=(letters["c"].id[:8],)))) == [("c", Step.SENT)]


def test_a_canary_that_fails_again_keeps_the_rest(account: Account) -> None:
    for body in "abc":
        account.park(body)

    def fails_again(_: float) -> None:
        for message in account.arrived():
            account.park(
                message["Body"], message_id=message["MessageId"], redrives=1, reason="still no"
            )

    first, second = account.redrive(manner=Manner(wait=1), sleep=fails_again)
    assert (first.step, second.step) == (Step.SENT, Step.CAME_BACK)
    assert (second.letter.body, second.detail) == (first.letter.body, "it failed again: still no")
    assert account.left() == ["a", "b", "c"]


def test_a_canary_that_does_well_lets_the_rest_go(account: Account) -> None:
    for body in "abc":
        account.park(body)
    waits: list[float] = []
    outcomes = list(account.redrive(manner=Manner(wait=12), sleep=waits.append))
    assert [outcome.step for outcome in outcomes] == [Step.SENT] * 3
    assert waits == [5, 5, 2] * 2


def test_it_stops_when_one_comes_back_in_the_middle(account: Account) -> None:
    for body in BODIES:
        account.park(body)
    outcomes = []
    for outcome in account.redrive():
        outcomes.append(outcome)
        if (
            len(outcomes) == 5
        ):  # of the ten that were received; the one that failed stands before the other two
            rest = account.sqs.receive_message(QueueUrl=account.url, MaxNumberOfMessages=10)[
                "Messages"
            ]
            for message in rest:
                account.sqs.delete_message(
                    QueueUrl=account.url, ReceiptHandle=message["ReceiptHandle"]
                )
            failed = account.arrived()[0]
            account.park(failed["Body"], message_id=failed["MessageId"], redrives=1)
            for message in rest:
                account.park(message["Body"])
    assert [outcome.step for outcome in outcomes] == [Step.SENT] * 10 + [Step.CAME_BACK]
    assert account.left() == ["00", "10", "11"]


def test_a_letter_is_redriven_so_often_and_no_more(account: Account) -> None:
    account.park("a", redrives=3)
    (outcome,) = account.redrive()
    assert (outcome.step, outcome.detail) == (
        Step.KEPT,
        "it was redriven 3 times: repair its cause, then permit more",
    )
    assert steps(account.redrive(manner=Manner(canary=False, wait=0, most_redrives=4))) == [
        ("a", Step.SENT)
    ]


def test_a_letter_of_unknown_origin_is_kept_until_somebody_says_where_to(account: Account) -> None:
    account.sqs.send_message(QueueUrl=account.url, MessageBody="who sent this?")
    (outcome,) = account.redrive()
    assert (outcome.step, outcome.detail) == (
        Step.KEPT,
        "its origin is unknown: say where to send it",
    )
    manner = Manner(canary=False, wait=0, to=account.queue("job"), body="repaired")
    assert [outcome.step for outcome in account.redrive(manner=manner)] == [Step.SENT]
    assert (bodies(account.arrived()), account.left()) == (["repaired"], [])


def test_an_origin_that_refuses_keeps_its_letters_and_no_others(account: Account) -> None:
    account.park("good")
    for body in "abcde":
        account.park(body, job="gone")
    account.sqs.delete_queue(
        QueueUrl=account.sqs.get_queue_url(QueueName=f"{account.name}fleet-gone")["QueueUrl"]
    )
    outcomes = {outcome.letter.body: outcome for outcome in account.redrive()}
    assert outcomes.pop("good").step is Step.SENT
    assert {outcome.step for outcome in outcomes.values()} == {Step.KEPT}
    refused = [outcome for outcome in outcomes.values() if "NonExistentQueue" in outcome.detail]
    skipped = [
        outcome for outcome in outcomes.values() if "refused 3 others in a row" in outcome.detail
    ]
    assert (len(refused), len(skipped)) == (3, 2)
    assert account.left() == ["a", "b", "c", "d", "e"]


def refusing(operation: str, *numbers: int) -> Callable[[int, str, str], None]:
    seen = count()

    def fault(_: int, name: str, when: str) -> None:
        if name == operation and when == "before" and next(seen) in numbers:
            raise ClientError({"Error": {"Code": "ServiceUnavailable", "Message": "busy"}}, name)

    return fault


def test_what_is_not_sent_stays_and_goes_the_next_time(account: Account) -> None:
    for body in "abc":
        account.park(body)
    faulty = Faulty(account.sqs, refusing("send_message", 1))
    assert Counter(outcome.step for outcome in account.redrive(client=faulty)) == {
        Step.SENT: 2,
        Step.KEPT: 1,
    }
    assert len(account.left()) == 1
    list(account.redrive())
    assert (bodies(account.arrived()), account.left()) == (["a", "b", "c"], [])


def test_what_is_not_taken_out_says_so_and_is_sent_again_the_next_time(account: Account) -> None:
    for body in "abc":
        account.park(body)
    faulty = Faulty(account.sqs, refusing("delete_message", 0))
    outcomes = list(account.redrive(client=faulty))
    assert Counter(outcome.step for outcome in outcomes) == {Step.SENT: 2, Step.SENT_AND_LEFT: 1}
    (left,) = account.left()
    list(account.redrive())
    assert sorted(bodies(account.arrived())) == sorted(["a", "b", "c", left])
    assert account.left() == []


def killing(at: int, moment: str) -> Callable[[int, str, str], None]:
    def fault(number: int, _: str, when: str) -> None:
        if (number, when) == (at, moment):
            raise Killed

    return fault


def test_whoever_kills_it_at_any_call_loses_nothing_and_a_second_run_ends_it(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.dead_letters.looking.HIDDEN_SECONDS", 1)
    sqs = account.sqs
    for body in BODIES[:2]:
        account.park(body)
    counted = Faulty(sqs, lambda *_: None)
    list(account.redrive(client=counted))
    calls = next(counted.numbers)
    accounts = []
    for at in range(calls):
        for moment in ("before", "after"):
            account = Account(sqs, f"{at}-{moment}-")
            for body in BODIES[:2]:
                account.park(body)
            with pytest.raises(Killed):
                list(account.redrive(client=Faulty(account.sqs, killing(at, moment))))
            accounts.append(account)
    time.sleep(1.1)  # what a killed process held becomes visible again
    twice = 0
    for account in accounts:
        list(account.redrive())
        arrived = bodies(account.arrived())
        assert set(arrived) == set(BODIES[:2])
        assert account.left() == []
        assert len(arrived) <= 3
        twice += len(arrived) - 2
    assert (
        twice == 4
    )  # each of the two was killed once after it was sent, and once before it was taken out


def test_whoever_interrupts_it_gives_back_what_it_held(account: Account) -> None:
    for body in BODIES:
        account.park(body)
    for outcome in account.redrive():
        assert outcome.step is Step.SENT
        break
    assert len(account.left()) == len(BODIES) - 1


def test_two_at_once_send_each_letter_once(account: Account) -> None:
    for body in BODIES:
        account.park(body)
    one, other = iter(account.redrive()), iter(account.redrive())
    outcomes: list[Outcome] = []
    for _ in BODIES:
        outcomes += [outcome for outcome in (next(one, None), next(other, None)) if outcome]
    assert bodies(account.arrived()) == BODIES
    assert len(outcomes) == len(BODIES)


def test_a_letter_is_discarded_after_it_is_recorded(account: Account) -> None:
    account.park("a")
    account.park("b", job="other")
    recorded: list[Letter] = []
    queue = DeadLetters(account.sqs, account.url)
    assert steps(discard(queue, Selection(jobs=("job",)), NOW, recorded.append, dry_run=True)) == [
        ("a", Step.WOULD)
    ]
    assert recorded == []
    assert steps(discard(queue, Selection(jobs=("job",)), NOW, recorded.append)) == [
        ("a", Step.DISCARDED)
    ]
    assert [letter.body for letter in recorded] == ["a"]
    assert account.left() == ["b"]


def test_nothing_is_discarded_that_cannot_be_recorded(account: Account) -> None:
    account.park("a")

    def full(_: Letter) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        list(discard(DeadLetters(account.sqs, account.url), ALL, NOW, full))
    assert account.left() == ["a"]


def test_a_letter_that_cannot_be_taken_out_is_no_discarded_one(account: Account) -> None:
    account.park("a")
    queue: Any = DeadLetters(Faulty(account.sqs, refusing("delete_message", 0)), account.url)  # type: ignore[arg-type]
    (outcome,) = discard(queue, ALL, NOW, lambda _: None)
    assert (outcome.step, account.left()) == (Step.KEPT, ["a"])


def test_a_look_sees_all_and_leaves_all(account: Account) -> None:
    for number in range(35):
        account.park(f"{number:02}")
    with DeadLetters(account.sqs, account.url).look() as look:
        assert len(list(look)) == 35
    assert look.unseen == ""
    assert len(account.left()) == 35


def test_a_look_says_that_it_did_not_see_all(account: Account) -> None:
    for number in range(15):
        account.park(f"{number:02}")
    queue = DeadLetters(account.sqs, account.url)
    with queue.look(limit=12) as look:
        assert len(list(look)) == 12
        with queue.look() as other:
            assert len(list(other)) == 3
    assert look.unseen == "the look ended after 12 letters, of about 15"
    assert other.unseen == "3 letters were seen; about 12 more are held by somebody else"
    with queue.look(seconds=-1) as late:
        assert list(late) == []
    assert "ended after 0 letters, of about 15" in late.unseen
    assert len(account.left()) == 15
