"""How dead letters, and what became of them, are shown in a terminal and as JSON."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from rich.table import Table
from rich.text import Text

from fleet.dead_letters.causes import masked
from fleet.dead_letters.letters import Letter
from fleet.dead_letters.redrive import Outcome, Step
from fleet.findings import span

ID_CHARACTERS = 8
# Steps that are as they should be, and those that leave something to do; all others are red.
COLOURS = {
    Step.SENT: "green",
    Step.DISCARDED: "green",
    Step.WOULD: "cyan",
    Step.SENT_AND_LEFT: "yellow",
}


def as_json(letter: Letter) -> dict[str, Any]:
    """Return a letter for machines, without its body."""
    return {
        "id": letter.id,
        "job": letter.job,
        "cause": letter.cause.id,
        "error_type": letter.error_type,
        "reason": masked(letter.reason),
        "attempts": letter.attempts,
        "redrives": letter.redrives,
        "first_seen": letter.first_seen.isoformat(),
        "given_up_by": letter.route.value,
        "source": letter.source,
        "origin": letter.origin or f"unknown: {letter.obstacle}",
    }


def outcome_line(outcome: Outcome) -> Text:
    """Return what became of a letter, as a line."""
    letter = outcome.letter
    line = Text(f"{outcome.step.value:>10}", COLOURS.get(outcome.step, "red"))
    return line.append(
        f"  {letter.id[:ID_CHARACTERS]}  {letter.job}  {letter.cause.id}  {outcome.detail}",
        "default",
    )


def count_steps(outcomes: Iterable[Outcome]) -> str:
    """Say how many letters each step was taken with, such as `2 sent, 1 kept`."""
    counts = Counter(outcome.step.value for outcome in outcomes)
    return ", ".join(f"{number} {step}" for step, number in counts.items()) or "nothing"


def causes_table(letters: Iterable[Letter], now: datetime) -> Table:
    """Return the causes of the letters, which are sorted by age; the cause of most comes first."""
    table = Table(title="Causes", title_justify="left")
    for name in ("cause", "job", "error", "letters", "oldest", "reason"):
        table.add_column(
            name, overflow="fold", justify="right" if name in ("letters", "oldest") else "left"
        )
    groups: dict[str, list[Letter]] = {}
    for letter in letters:
        groups.setdefault(letter.cause.id, []).append(letter)
    for group in sorted(groups.values(), key=len, reverse=True):
        oldest = group[0]
        row = (
            oldest.cause.id,
            oldest.job,
            oldest.error_type,
            str(len(group)),
            age(oldest, now),
            masked(oldest.reason),
        )
        table.add_row(*map(Text, row))
    return table


def letters_table(letters: Iterable[Letter], now: datetime) -> Table:
    """Return the letters themselves, a row for each."""
    table = Table(title="Letters, the oldest first", title_justify="left")
    for name in (
        "id",
        "job",
        "cause",
        "given up by",
        "attempts",
        "redrives",
        "age",
        "goes back to",
    ):
        table.add_column(name, overflow="fold")
    for letter in letters:
        row = (
            letter.id[:ID_CHARACTERS],
            letter.job,
            letter.cause.id,
            letter.route.value,
            str(letter.attempts),
            str(letter.redrives),
            age(letter, now),
            letter.origin.rpartition(":")[2] or "unknown",
        )
        table.add_row(*map(Text, row))
    return table


def age(letter: Letter, now: datetime) -> str:
    """Return how long ago the letter was first seen, such as `3 d 2 h`."""
    return span(max(now - letter.first_seen, timedelta()))
