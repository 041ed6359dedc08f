"""What was read, as pages show it: with words for what is missing or unknown.

Nothing here reads anything.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from fleet.dead_letters.causes import masked
from fleet.dead_letters.redrive import Outcome, Step
from fleet.findings import Severity
from fleet.ledger.mutes import Mute
from fleet.ledger.reports import Ran
from fleet_console.flash import Flash
from fleet_console.operations import LetterOutcomes, RequestedRun
from fleet_console.reading.letters import DeadLetter
from fleet_console.reading.mutes import in_force
from fleet_console.status import JobState, JobStatus, Place

UNKNOWN = "unknown"
NOT_DEPLOYED = "not deployed"
NEEDS_A_LOOK = {JobState.MISSING, JobState.FAILING, JobState.LATE, JobState.UNKNOWN}
BAD_NEWS = {Step.CAME_BACK, Step.KEPT, Step.SENT_AND_LEFT}
MOST_SHOWN = 50


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as pages show it.

    A time may be words instead, which say why there is no time. What is None could not be read.
    """

    name: str
    summary: str
    trigger: str
    state: JobState
    scheduled: bool
    last_run: datetime | str
    next_run: datetime | str
    queue: str
    runs: tuple[Ran, ...] | None
    open_findings: Mapping[Severity, int] | None
    dead_letters: int | None

    @classmethod
    def of(cls, status: JobStatus) -> Self:
        """Return a job's status as pages show it."""
        job = status.job
        knows_ledger = Place.LEDGER not in status.unread
        knows_letters = Place.LETTERS not in status.unread
        return cls(
            name=job.name,
            summary=job.summary,
            trigger=job.trigger.replace("`", ""),
            state=status.state,
            scheduled=job.scheduled,
            last_run=_last_run(status),
            next_run=_next_run(status),
            queue=_queue(status),
            runs=status.runs if knows_ledger else None,
            open_findings=most_severe_first(status.open_findings) if knows_ledger else None,
            dead_letters=len(status.letters) if knows_letters else None,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What an operation would do with a letter, or why not."""

    letter: DeadLetter
    step: Step
    detail: str

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Return an outcome as pages show it, without what looks like a secret."""
        return cls(
            letter=DeadLetter.of(outcome.letter),
            step=outcome.step,
            detail=masked(outcome.detail),
        )


def needing_a_look(jobs: Iterable[JobView]) -> int:
    """Return how many jobs are in a state that somebody should look at."""
    needing = [job for job in jobs if job.state in NEEDS_A_LOOK]
    return len(needing)


def count_by_severity(tally: Mapping[tuple[str, Severity], int]) -> dict[Severity, int]:
    """Return how many findings there are of all sources, alarms too, the most severe first."""
    counts: Counter[Severity] = Counter()
    for (_source, severity), count in tally.items():
        counts[severity] += count
    return most_severe_first(counts)


def most_severe_first(counts: Mapping[Severity, int]) -> dict[Severity, int]:
    """Return the count of every severity, the most severe first."""
    severities = reversed(Severity)
    return {severity: counts.get(severity, 0) for severity in severities}


def split_mutes(mutes: Sequence[Mute], now: datetime) -> tuple[list[Mute], list[Mute]]:
    """Return the mutes that are in force, and those that have ended."""
    active: list[Mute] = []
    ended: list[Mute] = []
    for mute in mutes:
        if in_force(mute, now):
            active.append(mute)
        else:
            ended.append(mute)
    return active, ended


def describe_run(run: RequestedRun) -> Flash:
    """Say that a job was asked to run, and where to see what became of it."""
    if run.by == "invocation":
        where = "Its log lines appear below within a minute, with this invocation"
    else:
        where = "If this message fails, its log line below names it"
    return Flash(f"Asked {run.job} to run. {where}: {run.id}")


def describe_mute(mute: Mute) -> Flash:
    """Say what was muted, and until when."""
    until = f"{mute.until:%Y-%m-%d %H:%M} UTC"
    return Flash(f"Muted {mute.pattern} until {until}: no alerts are sent until then.")


def describe_unmute(mute: Mute) -> Flash:
    """Say what was unmuted, and what follows."""
    return Flash(f"Unmuted {mute.pattern}. What it withheld is sent within minutes.")


def describe_outcomes(done: LetterOutcomes) -> Flash:
    """Say what became of dead letters, in numbers, and name each that was not dealt with."""
    details: list[str] = []
    if done.unseen:
        details.append(done.unseen)
    for outcome in done.outcomes:
        if outcome.step in BAD_NEWS:
            letter = outcome.letter
            reason = masked(outcome.detail)
            details.append(f"{letter.job} {letter.id}: {outcome.step}. {reason}")
    text = _count_steps(done.outcomes) or "none of them could be seen, so nothing was done"
    return Flash(f"Dead letters: {text}.", tuple(details), good=not details)


def _count_steps(outcomes: Sequence[Outcome]) -> str:
    counts = Counter(outcome.step for outcome in outcomes)
    return ", ".join(f"{count:,} {step}" for step, count in counts.items())


def _last_run(status: JobStatus) -> datetime | str:
    if Place.LEDGER in status.unread:
        return UNKNOWN
    return status.last_report if status.reported else "none yet"


def _next_run(status: JobStatus) -> datetime | str:
    schedule = status.schedule
    if status.state is JobState.MISSING:
        return NOT_DEPLOYED
    if schedule is None:
        return UNKNOWN
    if not schedule.enabled:
        return "disabled"
    if schedule.fault:
        return f"{UNKNOWN}: {schedule.fault}"
    return status.next_due or "never again"


def _queue(status: JobStatus) -> str:
    queue = status.queue
    if queue:
        waiting = queue.waiting + queue.delayed
        return f"{waiting} waiting, {queue.in_flight} being worked on"
    return NOT_DEPLOYED if status.state is JobState.MISSING else UNKNOWN
