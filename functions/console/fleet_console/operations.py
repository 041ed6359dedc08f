"""What operators do with the fleet: run jobs, mute alerts, redrive and discard dead letters."""

import json
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from werkzeug.exceptions import RequestEntityTooLarge

from fleet import aws
from fleet.dead_letters.journal import NotRecorded, recorder
from fleet.dead_letters.looking import DeadLetters
from fleet.dead_letters.redrive import Manner, Outcome, Redrive, Selection, discard
from fleet.ledger.mutes import MUTES, Mute, end_early, new_mute
from fleet.runtime.scheduled import SCHEDULED_TIME
from fleet.runtime.telemetry import logger
from fleet.settings import within
from fleet_console.problems import Invalid, Missing, problem
from fleet_console.reading import Reading

SHORTEST_MUTE, LONGEST_MUTE = timedelta(minutes=1), timedelta(days=365)
# Characters. Lambda and SQS take 256 KB at least (Lambda quotas, SQS quotas).
LARGEST_EVENT = 200_000
SHORTEST_ID = 8
GLOB = frozenset("*?[")
# An answer must come within 60 seconds: no letter is looked for or acted on after ACTING_SECONDS.
# The letter that goes first, and then all others, are watched for CANARY_SECONDS each.
CANARY_SECONDS = 5.0
ACTING_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """A run that somebody asked for. `by` is `invocation` or `message`, and `id` is in its log."""

    job: str
    by: str
    id: str


@dataclass(frozen=True, slots=True)
class LetterOutcomes:
    """What became of dead letters. `unseen` says why these are not all that were meant."""

    outcomes: tuple[Outcome, ...]
    unseen: str = ""


class Operations:
    """The writes. `who` is the operator, and is logged.

    Each raises `Invalid` or `Missing` for a request that cannot be met, and what boto3 raises. Once
    some letters were acted on, an error ends the operation early instead, and `unseen` says so.
    """

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def run(self, name: str, event: Any, who: str, now: datetime) -> RequestedRun:
        """Run a job now: with an event, or, when it has a schedule, as if that were due."""
        job = self.reading.jobs.job(name)
        text = _event_text(event)
        if job.scheduled and event is None:
            text = self._scheduled_event(name, now) or text
        if len(text) > LARGEST_EVENT:
            raise RequestEntityTooLarge(f"an event has at most {LARGEST_EVENT:,} characters")
        self.reading.forget()
        if job.scheduled:
            run = self._invoke(name, text)
        elif event is None:
            raise Invalid(f"event: {name} has no schedule: give the event to run it with")
        else:
            run = self._send(name, text)
        logger.info("asked to run", who=who, job=run.job, by=run.by, id=run.id)
        return run

    def mute(self, pattern: str, reason: str, who: str, lasting: timedelta, now: datetime) -> Mute:
        """Withhold alerts that match a pattern, for a while."""
        try:
            within("until", lasting, SHORTEST_MUTE, LONGEST_MUTE)
            mute = new_mute(pattern, reason, who, now + lasting)
        except ValueError as error:
            raise Invalid(str(error)) from None
        self.reading.places.ledger.commit([mute])
        self.reading.forget()
        logger.info("muted", who=who, id=mute.id, pattern=pattern, reason=reason)
        return mute

    def unmute(self, id: str, now: datetime) -> Mute:
        """End a mute early; within minutes triage sends what it withheld."""
        ledger = self.reading.places.ledger
        found = ledger.get(Mute, (MUTES, id))
        if found is None or found.ended:
            raise Missing(f"there is no mute {id!r:.100} to end")
        mute = end_early(found, now)
        ledger.commit([mute])
        self.reading.forget()
        return mute

    def redrive(
        self, selection: Selection, now: datetime, who: str, *, dry_run: bool
    ) -> LetterOutcomes:
        """Send the selected dead letters back, one before all others.

        Those for which the time does not suffice stay where they are.
        """
        redrive = Redrive(
            queue=self._queue(),
            selection=_checked(selection),
            manner=Manner(dry_run=dry_run, wait=CANARY_SECONDS),
            now=now,
        )
        done = self._collect(redrive)
        if not dry_run:
            _log_redrive(selection, who, done)
        return replace(done, unseen=done.unseen or redrive.unseen)

    def discard(
        self, selection: Selection, now: datetime, who: str, reason: str, *, dry_run: bool
    ) -> LetterOutcomes:
        """Delete the selected dead letters; the log keeps who did it and why."""
        if not reason.strip():
            raise Invalid("reason: say why they may be lost")
        checked = _checked(selection)
        logs, group = aws.client("logs"), self.reading.places.log_group
        record = recorder(logs, group, who, reason)
        outcomes = discard(self._queue(), checked, now, record, dry_run=dry_run)
        return self._collect(outcomes)

    def _scheduled_event(self, job: str, now: datetime) -> str:
        """Return what the job's schedule would send now, or nothing when it has none."""
        schedule = self.reading.jobs.schedule(job)
        if schedule is None:
            return ""
        return schedule.event.replace(SCHEDULED_TIME, now.isoformat())

    def _invoke(self, job: str, event: str) -> RequestedRun:
        lambda_ = aws.client("lambda")
        function = self.reading.places.function(job)
        try:
            answer = lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=event)
        except lambda_.exceptions.ResourceNotFoundException:
            raise Missing(f"{job} is not deployed") from None
        return RequestedRun(job, "invocation", answer["ResponseMetadata"]["RequestId"])

    def _send(self, job: str, event: str) -> RequestedRun:
        sqs = aws.client("sqs")
        url = self.reading.places.queue_url(job)
        try:
            answer = sqs.send_message(QueueUrl=url, MessageBody=event)
        except sqs.exceptions.QueueDoesNotExist:
            raise Missing(f"{job} is not deployed") from None
        return RequestedRun(job, "message", answer["MessageId"])

    def _queue(self) -> DeadLetters:
        until = time.monotonic() + ACTING_SECONDS
        return replace(self.reading.letters.queue, until=until)

    def _collect(self, outcomes: Iterable[Outcome]) -> LetterOutcomes:
        try:
            return _collect_in_time(outcomes)
        finally:
            self.reading.forget(letters=True)


def _event_text(event: Any) -> str:
    """Return an event as JSON: an empty one for None."""
    try:
        if event is not None and not isinstance(event, dict):
            raise Invalid(f"event: expected a mapping, got {event!r:.100}")
        return json.dumps(event or {})
    except RecursionError:
        raise Invalid("event: it is nested too deeply") from None


def _checked(selection: Selection) -> Selection:
    """Return the selection, unless it might mean more letters than its author thinks."""
    names = (*selection.jobs, *selection.causes)
    if not (selection.ids or names):
        raise Invalid("say which dead letters are meant: ids, jobs or causes")
    if any(len(id) < SHORTEST_ID for id in selection.ids):
        raise Invalid(f"ids: an id has at least {SHORTEST_ID} characters")
    if not all(names):
        raise Invalid("jobs and causes: an empty name would mean all letters")
    if globs := [job for job in selection.jobs if GLOB.intersection(job)]:
        raise Invalid(f"jobs: name each job instead of using patterns: {', '.join(globs):.200}")
    return selection


def _collect_in_time(outcomes: Iterable[Outcome]) -> LetterOutcomes:
    until = time.monotonic() + ACTING_SECONDS
    done: list[Outcome] = []
    unseen = ""
    try:
        with closing(iter(outcomes)) as iterator:  # type: ignore[type-var] # both are generators
            for outcome in iterator:
                done.append(outcome)
                if time.monotonic() > until:
                    unseen = f"time ended after {len(done)} letters: repeat it for the others"
                    break
    except (BotoCoreError, ClientError, NotRecorded) as error:
        if not done:
            raise
        unseen = f"it ended early: {problem(error).description}"
    return LetterOutcomes(tuple(done), unseen)


def _log_redrive(selection: Selection, who: str, done: LetterOutcomes) -> None:
    ids: dict[str, list[str]] = {}
    for outcome in done.outcomes:
        ids.setdefault(outcome.step.value, []).append(outcome.letter.id)
    logger.info(
        "redriven",
        who=who,
        selection=asdict(selection),
        counts={step: len(letters) for step, letters in ids.items()},
        ids=ids,
        unseen=done.unseen,
    )
