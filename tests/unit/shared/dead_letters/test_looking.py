from collections.abc import Callable

import pytest
from tests.conftest import Event

from fleet import aws
from fleet.dead_letters.looking import DeadLetters, Sweep


@pytest.fixture
def queue(dead_letters: Callable[[], list[Event]], monkeypatch: pytest.MonkeyPatch) -> DeadLetters:
    """The queue of dead letters, which holds a, b and c."""
    monkeypatch.setattr("fleet.dead_letters.looking.POLL_SECONDS", 0)
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName="dead-letters")["QueueUrl"]
    for body in ("a", "b", "c"):
        sqs.send_message(QueueUrl=url, MessageBody=body)
    return DeadLetters(sqs, url)


def look(queue: DeadLetters) -> list[str]:
    with queue.look() as letters:
        return sorted(held.letter.body for held in letters)


def test_a_look_shows_each_letter_once_and_leaves_it_there(queue: DeadLetters) -> None:
    assert look(queue) == look(queue) == ["a", "b", "c"]


def test_a_letter_that_is_taken_out_is_gone(queue: DeadLetters) -> None:
    with queue.look() as letters:
        for held in letters:
            if held.letter.body == "b":
                letters.take(held)
    assert look(queue) == ["a", "c"]


def test_a_look_that_reaches_its_limit_says_so(queue: DeadLetters) -> None:
    with queue.look(limit=2) as letters:
        assert len(list(letters)) == 2
    assert letters.unseen == "the look ended after 2 letters, of about 3"


def test_a_sweep_takes_as_many_looks_as_all_letters_need(
    queue: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet.dead_letters.looking.AT_ONCE", 2)
    sweep = Sweep(queue)
    assert sorted(held.letter.body for _, held in sweep) == ["a", "b", "c"]
    assert sweep.unseen == ""
