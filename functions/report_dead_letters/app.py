"""Report what is in the dead letters, by job and cause.

Trigger: schedule, hourly. Reads: the queue of dead letters, which it leaves as it is. Reports: one
finding per job and cause, with how many letters it has and how old the oldest is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import quote

from fleet import aws
from fleet.dead_letters.causes import Cause, masked, outline
from fleet.dead_letters.letters import Letter
from fleet.dead_letters.looking import DeadLetters
from fleet.findings import Fact, Finding, Severity, Unread, span
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import load, required, within

# How many findings a job may have before causes share one.
MOST_SUBJECTS = 20
# How every subject begins.
LETTERS = "letters"


@dataclass(frozen=True, slots=True)
class Settings:
    """At most `most_letters` are looked at.

    They are critical from `critical_days` of age on: SQS deletes them at 14 days.
    """

    most_letters: int = 10_000
    critical_days: int = 10

    def __post_init__(self) -> None:
        within("most_letters", self.most_letters, 1, 100_000)
        within("critical_days", self.critical_days, 1, 14)


@dataclass(frozen=True, slots=True)
class Group:
    """Letters that one finding is about: the oldest, how many they are, and their causes' ids.

    The body of the oldest is an outline of its event: no value of it is shown.
    """

    oldest: Letter
    letters: int
    causes: frozenset[str]

    @classmethod
    def of(cls, letter: Letter) -> "Group":
        return cls(
            oldest=replace(letter, body=outline(letter.body)),
            letters=1,
            causes=frozenset([letter.cause.id]),
        )

    def joined(self, other: "Group") -> "Group":
        """Return the letters of both as one group."""
        oldest = self.oldest
        if other.oldest.first_seen < oldest.first_seen:
            oldest = other.oldest
        return Group(
            oldest,
            letters=self.letters + other.letters,
            causes=self.causes | other.causes,
        )


def group_by_cause(letters: Iterable[Letter]) -> dict[Cause, Group]:
    """Count letters by cause, keeping one of each, so that thousands fit into memory."""
    groups: dict[Cause, Group] = {}
    for letter in letters:
        cause = letter.cause
        group = Group.of(letter)
        if cause in groups:
            group = groups[cause].joined(group)
        groups[cause] = group
    return groups


def group_by_subject(groups: Mapping[Cause, Group]) -> dict[str, Group]:
    """Return the groups by the subjects of their findings."""
    causes_of_jobs: dict[str, list[Cause]] = {}
    for cause in groups:
        causes_of_jobs.setdefault(cause.job, []).append(cause)
    by_subject: dict[str, Group] = {}
    for job in sorted(causes_of_jobs):
        causes = causes_of_jobs[job]
        for cause, subject in subjects(job, causes).items():
            group = groups[cause]
            if subject in by_subject:
                group = by_subject[subject].joined(group)
            by_subject[subject] = group
    return by_subject


def subjects(job: str, causes: list[Cause]) -> dict[Cause, str]:
    """Return the subject of each cause of a job: causes share one where the job has too many.

    That is the subject of their error, or, where the job has too many errors too, of the job.
    """
    error_types = {cause.error_type for cause in causes}
    found = {}
    for cause in causes:
        subject = f"{LETTERS}/{job}"
        if len(causes) <= MOST_SUBJECTS:
            subject += f"/{cause.id}"
        elif len(error_types) <= MOST_SUBJECTS:
            subject += f"/{cause.error_type}"
        found[cause] = subject
    return found


def describe(
    subject: str,
    group: Group,
    now: datetime,
    settings: Settings,
    link: str,
) -> Finding:
    """Return the finding about a group; `link` is the queue's page in AWS's console."""
    letter = group.oldest
    reason = masked(letter.reason)
    failure = f"{letter.job} could not do its work"
    selection = f"--cause {letter.cause.id}"
    if len(group.causes) > 1:
        failure += f", for {len(group.causes)} causes"
        selection = f"--job {letter.job}"
    since = f"{letter.first_seen:%Y-%m-%d %H:%M} UTC"
    age = max(now - letter.first_seen, timedelta())
    severity = Severity.WARNING
    if age > timedelta(days=settings.critical_days):
        severity = Severity.CRITICAL
    return Finding(
        subject,
        f"{failure}: {letter.error_type}: {reason}",
        severity,
        detail={
            "dead letters": group.letters,
            "oldest": f"{span(age)}, since {since}",
            "reason": reason,
            "event": letter.body,
            "given up by": f"{letter.route.value} {letter.source}",
            "to send them back": f'make dead-letters ARGS="redrive {selection} --dry-run"',
        },
        link=link,
    )


def describe_unseen(groups: Iterable[Group], why: str, link: str) -> Unread:
    """Say that not all letters were seen, and which were.

    Earlier findings stay open, since their letters may still be there.
    """
    largest_first = sorted(groups, key=lambda group: group.letters, reverse=True)
    detail: dict[str, Fact] = {}
    for group in largest_first[:MOST_SUBJECTS]:
        letter = group.oldest
        name = f"{letter.job} {letter.cause.id}"
        detail[name] = f"{group.letters}: {masked(letter.reason)}"
    return Unread(
        LETTERS,
        f"Not all dead letters were looked at, so no finding about them is resolved: {why}",
        detail=detail,
        link=link,
    )


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings = load(Settings)
    url = required("DEAD_LETTERS_URL")
    page = quote(url, safe="")
    link = aws.console_url(f"sqs/v3/home#/queues/{page}")
    dead_letters = DeadLetters(aws.client("sqs"), url)
    with dead_letters.look(settings.most_letters) as look:
        by_cause = group_by_cause(held.letter for held in look)
    groups = group_by_subject(by_cause)
    if look.unseen:
        yield describe_unseen(groups.values(), look.unseen, link)
        return
    now = run.scheduled_at
    for subject, group in groups.items():
        yield describe(subject, group, now, settings, link)
