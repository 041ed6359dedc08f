"""What is read of dead letters: what is in their queue, by job and cause, and single ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Self

from fleet import aws
from fleet.dead_letters.causes import Cause, masked
from fleet.dead_letters.letters import Letter
from fleet.dead_letters.looking import DeadLetters
from fleet_console import paging
from fleet_console.problems import Missing
from fleet_console.reading.memory import Kept, Reader, kept

MOST_LETTERS = 1_000
LOOK_SECONDS = 6.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter without its body, since there may be many; its reason shows no secret.

    `route` is what gave it up, after so many `attempts`. `origin` is the ARN to which a redrive
    sends it; without one, `obstacle` says why it cannot be sent.
    """

    id: str
    job: str
    cause: Cause
    error_type: str
    reason: str
    route: str
    first_seen: datetime
    attempts: int
    redrives: int
    origin: str
    obstacle: str

    @classmethod
    def of(cls, letter: Letter) -> Self:
        """Return what is kept of a letter."""
        return cls(
            id=letter.id,
            job=letter.job,
            cause=letter.cause,
            error_type=letter.error_type,
            reason=masked(letter.reason),
            route=letter.route.value,
            first_seen=letter.first_seen,
            attempts=letter.attempts,
            redrives=letter.redrives,
            origin=letter.origin,
            obstacle=letter.obstacle,
        )


@dataclass(frozen=True, slots=True)
class DeadLetterGroup:
    """The dead letters of one cause, oldest first; there is at least one."""

    cause: Cause
    letters: tuple[DeadLetter, ...]

    @property
    def count(self) -> int:
        """How many letters it has."""
        return len(self.letters)

    @property
    def redrivable(self) -> int:
        """How many of its letters can be sent back."""
        return sum(not letter.obstacle for letter in self.letters)

    @property
    def oldest(self) -> datetime:
        """When its first letter was first seen."""
        return self.letters[0].first_seen

    @property
    def newest(self) -> datetime:
        """When its last letter was first seen."""
        return self.letters[-1].first_seen


@dataclass(frozen=True, slots=True)
class DeadLetterList:
    """The dead letters that one look saw, oldest first.

    `unseen` says why these are not all, and is empty when they are.
    """

    letters: tuple[DeadLetter, ...] = ()
    unseen: str = ""

    def of(self, job: str) -> tuple[DeadLetter, ...]:
        """Return those of one job."""
        return tuple(letter for letter in self.letters if letter.job == job)

    def by_cause(self) -> list[DeadLetterGroup]:
        """Return the letters in groups of one cause each, the largest group first."""
        letters: dict[Cause, list[DeadLetter]] = {}
        for letter in self.letters:
            letters.setdefault(letter.cause, []).append(letter)
        groups = [DeadLetterGroup(cause, tuple(own)) for cause, own in letters.items()]
        return sorted(groups, key=attrgetter("count"), reverse=True)


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """A part of the dead letters. `next` is the cursor of the next part, or None at the end."""

    letters: Sequence[DeadLetter]
    next: str | None
    unseen: str


class LetterReader(Reader):
    """Reads dead letters."""

    @property
    def queue(self) -> DeadLetters:
        """The queue of dead letters, of which one look sees a bounded part."""
        sqs = aws.client("sqs")
        return DeadLetters(sqs, self.places.dead_letters_url, MOST_LETTERS, LOOK_SECONDS)

    @kept(Kept.AS_LOOK)
    def all(self) -> DeadLetterList:
        """Return the dead letters; a look hides them from others, so an empty queue gets none."""
        if self._empty():
            return DeadLetterList()
        with self.queue.look() as look:
            letters = [DeadLetter.of(held.letter) for held in look]
        letters.sort(key=attrgetter("first_seen", "id"))
        return DeadLetterList(tuple(letters), look.unseen)

    def page(self, job: str, cause: str, limit: int, cursor: str) -> DeadLetterPage:
        """Return at most `limit` letters of a job and a cause, oldest first, from `cursor` on.

        An empty `job` or `cause` means any. Raises `Invalid`.
        """
        after = ("", "")
        if cursor:
            place = paging.decode_fields(cursor, "at", "id")
            after = (place["at"], place["id"])
        dead_letters = self.all()
        fitting = [
            letter
            for letter in dead_letters.letters
            if job in ("", letter.job)
            and cause in ("", letter.cause.id)
            and _place_of(letter) > after
        ]
        page = fitting[:limit]
        if len(fitting) == len(page):
            return DeadLetterPage(page, None, dead_letters.unseen)
        at, id = _place_of(page[-1])
        return DeadLetterPage(page, paging.encode({"at": at, "id": id}), dead_letters.unseen)

    def letter(self, id: str) -> Letter:
        """Return one dead letter with its body. Raises `Missing`."""
        with self.queue.look() as look:
            for held in look:
                if held.letter.id == id:
                    return held.letter
        text = f"there is no dead letter {id!r:.100} that can be seen now. {look.unseen}"
        raise Missing(text.rstrip())

    def _empty(self) -> bool:
        answer = aws.client("sqs").get_queue_attributes(
            QueueUrl=self.places.dead_letters_url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        return not any(int(count) for count in answer["Attributes"].values())


def _place_of(letter: DeadLetter) -> tuple[str, str]:
    """Return where a letter stands in the list, as its cursor has it."""
    return letter.first_seen.isoformat(), letter.id
