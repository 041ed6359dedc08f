"""Thousands of alerts through a queue of the running fleet: copies, poison, and a destination that
often fails.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from tests.sample_alerts import alert, event
from tools.local.destinations import SIGNING_KEY, WEBHOOK, Answer, Delivery
from tools.local.fleet import Fleet

from fleet.dead_letters.letters import Letter
from fleet.dead_letters.looking import DeadLetters, Sweep
from fleet.dead_letters.redrive import Manner, Redrive, Selection, Step

JOB = "notify_webhook"
FAILING = 0.1
QUICK = [Answer(429, headers={"Retry-After": "1"}), Answer(500, "broken"), Answer(manner="reset")]
SLOW = Answer(manner="hang")
NO_KEY = (
    "a signing key is not base64, with or without whsec_ before it: "
    "string argument should contain only ASCII characters"
)
MALFORMED = (
    "the event e-{} is not an alert: "
    "TypeError: Alert.__init__() got an unexpected keyword argument 'tilte'"
)

pytestmark = pytest.mark.usefixtures("no_dead_letters", "endpoints")


@pytest.fixture
def endpoints(fleet: Fleet) -> Iterator[None]:
    """Send the alerts of two owners to an endpoint each, one with a wrong key, for a while."""
    good, wrong = (
        fleet.entrust(JOB, "good", SIGNING_KEY),
        fleet.entrust(JOB, "wrong", "whsec_schlüssel"),
    )
    url = fleet.destinations.url
    listed = [
        {"url": f"{url}/hook?payments", "keys": good, "owner": "payments"},
        {"url": f"{url}/hook?orders", "keys": wrong, "owner": "orders"},
    ]
    before = fleet.configuration(JOB, "ENDPOINTS_PARAMETER")
    fleet.configure(JOB, "ENDPOINTS_PARAMETER", json.dumps(listed))
    yield
    fleet.configure(JOB, "ENDPOINTS_PARAMETER", before)


@dataclass(frozen=True, slots=True)
class Load:
    """The bodies of messages by the ids of their alerts: sound, for a wrong key, malformed."""

    sound: dict[str, str]
    keyless: dict[str, str]
    malformed: dict[str, str]
    copies: list[str]

    @classmethod
    def of(cls, messages: int, random: Random) -> "Load":
        """Make so many messages: a fifth are copies, and one in twenty is poison of two kinds."""
        ids = [f"load-{random.getrandbits(64):016x}" for _ in range(messages * 4 // 5)]
        poison = messages // 20
        malformed, keyless, sound = (
            ids[: poison // 10 + 1],
            ids[poison // 10 + 1 : poison],
            ids[poison:],
        )
        return cls(
            {each: body(each, "payments") for each in sound},
            {each: body(each, "orders") for each in keyless},
            {each: body(each, "payments").replace('"title"', '"tilte"') for each in malformed},
            random.sample(ids, k=messages - len(ids)),
        )

    def messages(self) -> Iterator[tuple[str, str]]:
        """Yield the id and the body of each message."""
        everything = self.sound | self.keyless | self.malformed
        yield from everything.items()
        yield from ((each, everything[each]) for each in self.copies)


def body(alert_id: str, owner: str) -> str:
    return event(alert(id=alert_id, dedup_key=f"jobs/{alert_id}", owner=owner))


def failing(fleet: Fleet, at_length: bool) -> Callable[..., Answer]:
    """Return how the webhook answers: a tenth of its answers is wrong, and always the same ones."""
    usual, asked = fleet.destinations._webhook, Counter[str]()

    def answer(headers: dict[str, str], text: str, document: Any) -> Answer:
        asked[alert_id := headers["webhook-id"]] += 1
        random = Random(f"{alert_id} {asked[alert_id]}")
        # A second failure in a row costs 20 seconds of waiting, and a slow answer ten.
        if (
            (at_length or asked[alert_id] == 1)
            and asked[alert_id] < 5
            and random.random() < FAILING
        ):
            return SLOW if at_length and random.random() < 0.05 else random.choice(QUICK)
        return usual(headers, text, document)

    return answer


def send(fleet: Fleet, messages: list[tuple[str, str]]) -> None:
    for start in range(0, len(messages), 10):
        batch = [
            {"Id": str(n), "MessageBody": text}
            for n, (_, text) in enumerate(messages[start : start + 10])
        ]
        answer = fleet.account.sqs.send_message_batch(
            QueueUrl=fleet.outputs["NotifyWebhookQueue"],
            Entries=batch,  # type: ignore[arg-type]
        )
        assert not answer.get("Failed")


def drained(fleet: Fleet) -> bool:
    """Whether the queue is empty, twice in a row, as messages pass between its counts."""
    url = fleet.outputs["NotifyWebhookQueue"]
    return fleet.messages(url) == fleet.messages(url) == 0


def accepted(fleet: Fleet) -> list[Delivery]:
    found = fleet.destinations.of(WEBHOOK)
    return [
        each for each in found if each.accepted and each.headers["webhook-id"].startswith("load-")
    ]


def id_of(letter: Letter) -> str:
    return str(json.loads(letter.body)["detail"]["id"])


def test_nothing_is_lost_nothing_comes_twice_and_a_redrive_heals_what_was_poison(
    fleet: Fleet, at_length: bool, figure: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.dead_letters.looking.POLL_SECONDS", 0)
    monkeypatch.setattr(fleet.destinations, "_webhook", failing(fleet, at_length))
    random = Random("ten thousand")
    load = Load.of(10_000 if at_length else 100, random)
    messages = list(load.messages())
    if at_length:
        random.shuffle(messages)
    queue = DeadLetters(fleet.account.sqs, fleet.outputs["DeadLettersUrl"])
    before, began = len(fleet.destinations.of(WEBHOOK)), time.monotonic()

    # A copy that meets its original on its way waits for a minute: that takes `make prove`.
    together = len(messages) if at_length else len(messages) - len(load.copies)
    for part in (messages[:together], messages[together:]):
        send(fleet, part)
        fleet.wait_for(lambda: drained(fleet), "messages are left in the queue")
    seconds = time.monotonic() - began
    requests = fleet.destinations.of(WEBHOOK)[before:]
    failed = [each for each in requests if not each.accepted]

    assert {each.headers["webhook-id"] for each in accepted(fleet)} == load.sound.keys()
    again = len(accepted(fleet)) - len(load.sound)
    letters = [held.letter for _, held in Sweep(queue)]
    poison = load.keyless | load.malformed
    assert Counter(map(id_of, letters)) == Counter(each for each, _ in messages if each in poison)
    assert {(letter.job, id_of(letter) in load.keyless, letter.reason) for letter in letters} == {
        (JOB, True, NO_KEY),
        *((JOB, False, MALFORMED.format(each)) for each in load.malformed),
    }
    assert 0.5 * FAILING < len(failed) / len(requests) < 1.5 * FAILING

    fleet.entrust(JOB, "wrong", SIGNING_KEY)
    fleet.renew(JOB, fleet.variables(JOB))
    causes = tuple({letter.cause.id for letter in letters if id_of(letter) in load.keyless})
    redriven = redrive(fleet, queue, Selection(causes=causes), Manner(wait=0))
    repaired = 0
    for letter in letters:
        if id_of(letter) in load.malformed:
            body = letter.body.replace('"tilte"', '"title"')
            repaired += redrive(
                fleet, queue, Selection(ids=(letter.id,)), Manner(canary=False, wait=0, body=body)
            )
    fleet.wait_for(lambda: drained(fleet), "messages are left in the queue")

    assert redriven + repaired == len(letters)
    assert list(Sweep(queue)) == []
    assert {
        each.headers["webhook-id"] for each in accepted(fleet)
    } == load.sound.keys() | poison.keys()
    assert len(accepted(fleet)) - len(load.sound) - len(poison) == again
    figure(
        f"{len(messages)} messages in {seconds:.0f} s, {len(load.copies)} of them copies: "
        f"{len(requests)} requests, {len(failed)} failed; "
        f"{len(load.sound)} sound alerts, each with one effect, {again} accepted twice; "
        f"{len(letters)} letters of {len(poison)} poison alerts, all healed with one effect each"
    )


def redrive(fleet: Fleet, queue: DeadLetters, selection: Selection, manner: Manner) -> int:
    """Send the selected letters back; return how many went."""
    run = Redrive(queue, selection, manner, datetime.now(UTC), lambda _: fleet.account.sqs)
    outcomes = [outcome.step for outcome in run]
    assert set(outcomes) == {Step.SENT}
    return len(outcomes)
