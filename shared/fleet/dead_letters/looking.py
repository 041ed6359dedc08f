"""Go through the queue of dead letters, and leave it as it was.

SQS shows a message by hiding it from everybody else for a while. To see all of a queue, all must be
hidden at once, or the same ones come again: so a look receives letters until there are no more, and
gives back at its end those that nobody took out. It is bounded: whatever becomes of it, letters are
hidden for two minutes at most, and none is lost. Two who look at once see different letters, and
each learns that some were hidden.
"""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from fleet.dead_letters.letters import Letter, read

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

HIDDEN_SECONDS = 120
# Half of that is for going through the letters, the rest for acting on the last and giving all
# back.
LOOK_SECONDS = 60.0
# Long polling asks all of a queue's servers, so an empty answer means that it is empty.
POLL_SECONDS = 1
AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The queue. A look goes through at most `limit` letters, for at most `seconds`.

    A sweep takes as many looks as it needs, until `time.monotonic()` says `until`.
    """

    sqs: "SQSClient"
    url: str
    limit: int = 100_000
    seconds: float = LOOK_SECONDS
    until: float = math.inf

    def look(self, limit: int | None = None, seconds: float = LOOK_SECONDS) -> "Look":
        """Begin a look, with a limit of its own or for fewer seconds."""
        return Look(
            self, self.limit if limit is None else limit, min(seconds, self.seconds, LOOK_SECONDS)
        )


@dataclass(frozen=True, slots=True)
class Held:
    """A letter that is hidden from others, and the receipt by which it can be taken out."""

    letter: Letter
    receipt: str


@dataclass(slots=True)
class Look:
    """One look: a context that yields each letter once.

    Afterwards `unseen` says why it did not see all, if so.
    """

    queue: DeadLetters
    limit: int
    seconds: float
    unseen: str = ""
    cut_short: bool = False
    _began: float = 0.0
    _receipts: dict[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __iter__(self) -> Iterator[Held]:
        there, elsewhere = self._counts()
        seen = 0
        while not self.cut_short:
            answer = self.queue.sqs.receive_message(
                QueueUrl=self.queue.url,
                MaxNumberOfMessages=min(AT_ONCE, self.limit - seen),
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=POLL_SECONDS,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            messages = answer.get("Messages", [])
            known = self._receipts.keys() & {message["MessageId"] for message in messages}
            self._receipts.update(
                {message["MessageId"]: message["ReceiptHandle"] for message in messages}
            )
            for message in messages:
                if message["MessageId"] not in known and not self._late():
                    seen += 1
                    yield Held(read(message), message["ReceiptHandle"])
            if not messages:
                break
            self.cut_short = seen >= self.limit or self._late()
        if self.cut_short:
            self.unseen = f"the look ended after {seen} letters, of about {max(there, seen)}"
        elif elsewhere or seen < there:
            held = elsewhere or there - seen
            self.unseen = f"{seen} letters were seen; about {held} more are held by somebody else"

    def take(self, held: Held) -> None:
        """Take a letter out of the queue for good.

        Raises what SQS raises; the letter is then still there.
        """
        self.queue.sqs.delete_message(QueueUrl=self.queue.url, ReceiptHandle=held.receipt)
        self._receipts.pop(held.letter.id, None)

    def __exit__(self, *_: object) -> None:
        """Give back what was not taken out.

        What SQS does not take back becomes visible by itself.
        """
        receipts = list(self._receipts.values())
        for start in range(0, len(receipts), AT_ONCE):
            if time.monotonic() - self._began > HIDDEN_SECONDS:
                return
            answer = self.queue.sqs.change_message_visibility_batch(
                QueueUrl=self.queue.url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                    for number, receipt in enumerate(receipts[start : start + AT_ONCE])
                ],
            )
            if answer.get("Failed"):
                self.unseen = (
                    self.unseen or f"some letters stay hidden for up to {HIDDEN_SECONDS} seconds"
                )

    def _late(self) -> bool:
        return time.monotonic() - self._began > self.seconds

    def _counts(self) -> tuple[int, int]:
        """About how many letters can be seen, and how many somebody else holds."""
        answer = self.queue.sqs.get_queue_attributes(
            QueueUrl=self.queue.url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        counts = answer["Attributes"]
        visible, hidden = (
            counts["ApproximateNumberOfMessages"],
            counts["ApproximateNumberOfMessagesNotVisible"],
        )
        return int(visible), int(hidden)


@dataclass(slots=True)
class Sweep:
    """Every letter once, in as many looks as that takes.

    `held` in the body of the loop can be taken out of `look`. A look is bounded, so a long queue
    takes several, and those that were given back may come again; they are left out. Close the
    iterator (`contextlib.closing`) to give back at once what a loop that is left early still holds.
    """

    queue: DeadLetters
    unseen: str = ""
    met: set[str] = field(default_factory=set)

    def __iter__(self) -> Generator[tuple[Look, Held], None, None]:
        while True:
            fresh = 0
            with self.queue.look(seconds=self.queue.until - time.monotonic()) as look:
                for held in look:
                    if held.letter.id in self.met:
                        continue
                    if len(self.met) >= self.queue.limit:
                        self.unseen = f"no more than {self.queue.limit} letters were looked at"
                        return
                    self.met.add(held.letter.id)
                    fresh += 1
                    yield look, held
            self.unseen = look.unseen
            if not look.cut_short or not fresh:
                return
