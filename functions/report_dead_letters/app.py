"""Report what is in the dead letters, by job and cause.

Trigger: schedule, hourly. Reads: the queue of dead letters, which it leaves as it is. Reports: one finding per job and
cause, with how many letters it has and how old the oldest is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from urllib.parse import quote

from fleet import aws
from fleet.dead_letters.causes import Cause, masked, outline
from fleet.dead_letters.letters import Letter
from fleet.dead_letters.looking import DeadLetters
from fleet.findings import Finding, Severity, Unread, span
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import load, required, within

MOST_CAUSES = 20
LETTERS = "letters"


@dataclass(frozen=True, slots=True)
class Settings:
    """How many letters to look at, and from which age on (SQS deletes at 14 days) they are critical."""

    most_letters: int = 10_000
    critical_days: int = 10

    def __post_init__(self) -> None:
        within("most_letters", self.most_letters, 1, 100_000)
        within("critical_days", self.critical_days, 1, 14)


@dataclass(frozen=True, slots=True)
class Group:
    """Letters of one cause: how many, and the oldest, without the content of its event."""

    oldest: Letter
    letters: int = 1
    causes: int = 1

    def __add__(self, other: "Group") -> "Group":
        oldest = min(self.oldest, other.oldest, key=lambda letter: letter.first_seen)
        return replace(self, oldest=oldest, letters=self.letters + other.letters)


def grouped(letters: Iterable[Letter]) -> dict[Cause, Group]:
    """Count letters by cause, keeping one of each, so that thousands fit into memory."""
    groups: dict[Cause, Group] = {}
    for letter in letters:
        cause, group = letter.cause, Group(replace(letter, body=outline(letter.body)))
        groups[cause] = groups[cause] + group if cause in groups else group
    return groups


def named(groups: dict[Cause, Group]) -> dict[str, Group]:
    """Give each group its subject: its cause's, or, for a job of too many causes, that of the error or of the job."""
    found: dict[str, Group] = {}
    for job, causes in groupby(
        sorted(groups, key=lambda cause: cause.job), key=lambda cause: cause.job
    ):
        own = list(causes)
        subjects = {cause: f"{LETTERS}/{job}/{cause.id}" for cause in own}
        for wider in (
            {c: f"{LETTERS}/{job}/{c.error_type}" for c in own},
            dict.fromkeys(own, f"{LETTERS}/{job}"),
        ):
            subjects = wider if len(set(subjects.values())) > MOST_CAUSES else subjects
        for cause, subject in subjects.items():
            merged = (
                found[subject] + groups[cause]
                if subject in found
                else replace(groups[cause], causes=0)
            )
            found[subject] = replace(merged, causes=merged.causes + 1)
    return found


def findings(
    groups: dict[str, Group], now: datetime, settings: Settings, link: str
) -> Iterator[Finding]:
    """Yield one finding for each group."""
    for subject, group in groups.items():
        letter, age = group.oldest, max(now - group.oldest.first_seen, timedelta())
        causes = f", for {group.causes} causes" if group.causes > 1 else ""
        which = f"--cause {letter.cause.id}" if group.causes == 1 else f"--job {letter.job}"
        yield Finding(
            subject=subject,
            title=f"{letter.job} could not do its work{causes}: {letter.error_type}: {masked(letter.reason)}",
            severity=Severity.CRITICAL
            if age > timedelta(days=settings.critical_days)
            else Severity.WARNING,
            detail={
                "dead letters": group.letters,
                "oldest": f"{span(age)}, since {letter.first_seen:%Y-%m-%d %H:%M} UTC",
                "reason": masked(letter.reason),
                "event": letter.body,
                "given up by": f"{letter.route.value} {letter.source}",
                "to send them back": f'make dead-letters ARGS="redrive {which} --dry-run"',
            },
            link=link,
        )


def unseen(groups: dict[str, Group], why: str, link: str) -> Unread:
    """Say that not all letters were seen, and what was; what was found before stays, since it may still be there."""
    largest = sorted(groups.values(), key=lambda group: -group.letters)[:MOST_CAUSES]
    seen = {
        f"{group.oldest.job} {group.oldest.cause.id}": f"{group.letters}: {masked(group.oldest.reason)}"
        for group in largest
    }
    title = f"Not all dead letters were looked at, so none counts as done: {why}"
    return Unread(LETTERS, title, Severity.WARNING, seen, link)


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings, url = load(Settings), required("DEAD_LETTERS_URL")
    link = aws.console_url(f"sqs/v3/home#/queues/{quote(url, safe='')}")
    with DeadLetters(aws.client("sqs"), url).look(settings.most_letters) as look:
        groups = grouped(held.letter for held in look)
    if look.unseen:
        yield unseen(named(groups), look.unseen, link)
    else:
        yield from findings(named(groups), run.scheduled_at, settings, link)
