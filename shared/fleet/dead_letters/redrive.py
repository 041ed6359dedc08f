"""Send dead letters back to where they came from, or discard them.

A letter is sent as a new message, and taken out of the queue only when that is confirmed. A redrive
that is interrupted between the two leaves it there, and a later one sends it again. Handlers are
idempotent by what is inside an event, so the second message changes nothing, and nothing is lost.
Nothing else is remembered: a second run, or another at the same time, does the same for the letters
that are left.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.dead_letters.letters import Letter
from fleet.dead_letters.looking import DeadLetters, Held, Look, Sweep
from fleet.dead_letters.sending import Clients, NotSent, send

WAIT_SECONDS = 30.0
MOST_REDRIVES = 3
# After so many refusals in a row, an origin is not tried again.
PATIENCE = 3
PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant: those that fit every condition given. Without any, all are.

    `ids` are message ids or their beginnings, `jobs` are globs, `causes` are the ids of causes.
    """

    ids: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    older_than: timedelta | None = None
    younger_than: timedelta | None = None

    def fits(self, letter: Letter, now: datetime) -> bool:
        """Whether the letter is meant."""
        age = now - letter.first_seen
        return (
            (not self.ids or letter.id.startswith(self.ids))
            and (not self.jobs or any(fnmatchcase(letter.job, job) for job in self.jobs))
            and (not self.causes or letter.cause.id in self.causes)
            and (self.older_than is None or age > self.older_than)
            and (self.younger_than is None or age < self.younger_than)
        )


class Step(StrEnum):
    """What became of a letter."""

    WOULD = "would"
    SENT = "sent"
    SENT_AND_LEFT = "sent, and left"
    KEPT = "kept"
    CAME_BACK = "came back"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one letter; `detail` says where it was sent, or why it was not."""

    letter: Letter
    step: Step
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Manner:
    """How to redrive: `body` replaces that of the letter, `to` (an ARN) its origin.

    `wait` is seconds.
    """

    dry_run: bool = False
    canary: bool = True
    wait: float = WAIT_SECONDS
    most_redrives: int = MOST_REDRIVES
    body: str | None = None
    to: str = ""


@dataclass(slots=True)
class Redrive:
    """A redrive under way: iterate it for the outcomes, as they come; to stop it, stop iterating.

    One letter goes first. If that, or any other sent here, is back in the dead letters within
    `wait`, the rest is kept. Then all others go, and are watched as long. That shows what fails at
    once; a message that is tried again for minutes, or an invocation that Lambda repeats, comes
    back later. Afterwards `unseen` says why not all letters were looked at, if so.
    """

    queue: DeadLetters
    selection: Selection
    manner: Manner
    now: datetime
    # boto3's stubs overload `client`, so mypy does not take it for one function.
    clients: Clients = field(default_factory=lambda: aws.client)  # type: ignore[assignment]
    sleep: Callable[[float], None] = time.sleep
    unseen: str = ""
    _sent: dict[str, Letter] = field(default_factory=dict)
    _met: set[str] = field(default_factory=set)
    _refusals: dict[str, int] = field(default_factory=dict)
    _failed: bool = False

    def __iter__(self) -> Iterator[Outcome]:
        if self.manner.canary and not self.manner.dry_run:
            yield from self._pass(canary=True)
            if not self._sent:
                return
            yield from self._watch()
        if not self._failed:
            yield from self._pass(canary=False)
        if not self._failed and self._sent:
            yield from self._watch()

    def _pass(self, canary: bool) -> Iterator[Outcome]:
        sweep = Sweep(self.queue, met=self._met)
        with closing(
            iter(sweep)
        ) as letters:  # so that an end in the middle gives back what it holds
            for look, held in letters:
                if back := self._came_back(held.letter):
                    yield back
                    return
                if self.selection.fits(held.letter, self.now):
                    yield self._attend(look, held)
                    if canary and self._sent:
                        return
        self.unseen = sweep.unseen

    def _attend(self, look: Look, held: Held) -> Outcome:
        letter, origin = held.letter, self.manner.to or held.letter.origin
        if obstacle := self._obstacle(letter, origin):
            return Outcome(letter, Step.KEPT, obstacle)
        if self.manner.dry_run:
            return Outcome(letter, Step.WOULD, origin)
        body = letter.body if self.manner.body is None else self.manner.body
        try:
            delivery = send(self.clients, origin, body, letter.attributes, letter.redrives + 1)
        except (BotoCoreError, ClientError, NotSent) as error:
            self._refusals[origin] = self._refusals.get(origin, 0) + 1
            return Outcome(letter, Step.KEPT, f"{origin} did not take it: {error}")
        self._refusals[origin] = 0
        self._sent[delivery] = letter
        try:
            look.take(held)
        except (BotoCoreError, ClientError) as error:
            return Outcome(letter, Step.SENT_AND_LEFT, f"it is still in the dead letters: {error}")
        return Outcome(letter, Step.SENT, origin)

    def _obstacle(self, letter: Letter, origin: str) -> str:
        if not origin:
            return letter.obstacle
        if letter.redrives >= self.manner.most_redrives:
            return f"it was redriven {letter.redrives} times: repair its cause, then permit more"
        if self._refusals.get(origin, 0) >= PATIENCE:
            return f"{origin} refused {PATIENCE} others in a row"
        return ""

    def _watch(self) -> Iterator[Outcome]:
        """Look, until the wait is over, whether something that was sent here has come back."""
        left = self.manner.wait
        while left > 0:
            self.sleep(min(PAUSE_SECONDS, left))
            left -= PAUSE_SECONDS
            with self.queue.look() as look:
                for held in look:
                    if back := self._came_back(held.letter):
                        yield back
                        return

    def _came_back(self, letter: Letter) -> Outcome | None:
        if not letter.trace or letter.trace not in self._sent:
            return None
        self._failed = True
        return Outcome(letter, Step.CAME_BACK, f"it failed again: {letter.reason}")


def discard(
    queue: DeadLetters,
    selection: Selection,
    now: datetime,
    record: Callable[[Letter], None],
    *,
    dry_run: bool = False,
) -> Iterator[Outcome]:
    """Take the selected letters out for good.

    `record` is called for each before, and must keep who did it and why. Raises what `record`
    raises; the letter is then still there.
    """
    with closing(iter(Sweep(queue))) as letters:
        for look, held in letters:
            if not selection.fits(held.letter, now):
                continue
            if dry_run:
                yield Outcome(held.letter, Step.WOULD, "discard")
                continue
            record(held.letter)
            try:
                look.take(held)
            except (BotoCoreError, ClientError) as error:
                yield Outcome(held.letter, Step.KEPT, f"SQS did not take it out: {error}")
            else:
                yield Outcome(held.letter, Step.DISCARDED)
