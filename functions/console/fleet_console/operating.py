"""What operators do with the fleet: run a job, mute and unmute, redrive and discard dead letters."""

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

LONGEST_MUTE = timedelta(days=365)
LARGEST_EVENT = 200_000
SHORTEST_ID = 8
GLOB = frozenset("*?[")
# An answer must come within 60 seconds: no letter is looked for or dealt with after ACTING_SECONDS. A letter that goes
# first, and all others, are watched for CANARY_SECONDS each.
CANARY_SECONDS = 5.0
ACTING_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that was asked for: an invocation, or a message to the job's queue. `id` is in its log."""

    job: str
    by: str
    id: str


@dataclass(frozen=True, slots=True)
class Done:
    """What became of dead letters; `unseen` says why not of all that were meant, if so."""

    outcomes: tuple[Outcome, ...]
    unseen: str


class Operations:
    """The writes; each raises what stands in the way. Of many letters, those that were dealt with before are told."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def run(self, name: str, event: Any, who: str, now: datetime) -> Begun:
        """Run a job now: with an event, or, when it has a schedule, as if that were due."""
        begun = self._begin(name, event, now)
        logger.info("asked to run", who=who, job=begun.job, by=begun.by, id=begun.id)
        return begun

    def _begin(self, name: str, event: Any, now: datetime) -> Begun:
        job = self.reading.job(name)
        given = _as_text(event)
        planned = self.reading.planned(name) if job.scheduled and event is None else None
        text = planned.event.replace(SCHEDULED_TIME, now.isoformat()) if planned else given
        if len(text) > LARGEST_EVENT:
            raise RequestEntityTooLarge(f"an event has at most {LARGEST_EVENT} characters")
        places = self.reading.places
        self.reading.forget()
        if job.scheduled:
            lambda_ = aws.client("lambda")
            try:
                answer = lambda_.invoke(
                    FunctionName=places.function(name), InvocationType="Event", Payload=text
                )
            except lambda_.exceptions.ResourceNotFoundException:
                raise Missing(f"{name} is not deployed") from None
            return Begun(name, "invocation", answer["ResponseMetadata"]["RequestId"])
        if event is None:
            raise Invalid(
                f"event: {name} reacts to events and has no schedule: say with which event it is to run"
            )
        sqs = aws.client("sqs")
        try:
            sent = sqs.send_message(QueueUrl=places.queue_url(name), MessageBody=text)
        except sqs.exceptions.QueueDoesNotExist:
            raise Missing(f"{name} is not deployed") from None
        return Begun(name, "message", sent["MessageId"])

    def mute(
        self, pattern: str, reason: str, author: str, lasting: timedelta, now: datetime
    ) -> Mute:
        """Withhold alerts that match a pattern, for a while."""
        try:
            within("until", lasting, timedelta(minutes=1), LONGEST_MUTE)
            mute = new_mute(pattern, reason, author, now + lasting)
        except ValueError as error:
            raise Invalid(str(error)) from None
        self.reading.table.commit([mute])
        self.reading.forget()
        logger.info("muted", who=author, id=mute.id, pattern=pattern, reason=reason)
        return mute

    def unmute(self, number: str, now: datetime) -> Mute:
        """End a mute early; within minutes it tells what it withheld."""
        found = self.reading.table.get(Mute, (MUTES, number))
        if found is None or found.ended:
            raise Missing(f"there is no mute {number!r:.100} to end")
        mute = end_early(found, now)
        self.reading.table.commit([mute])
        self.reading.forget()
        return mute

    def redrive(self, selection: Selection, now: datetime, who: str, *, dry_run: bool) -> Done:
        """Send the selected dead letters back, one before all others. What time does not suffice for stays there."""
        manner = Manner(dry_run=dry_run, wait=CANARY_SECONDS)
        redrive = Redrive(self._queue(), _meant(selection), manner, now)
        done = self._in_time(redrive)
        if not dry_run:
            ids: dict[str, list[str]] = {}
            for outcome in done.outcomes:
                ids.setdefault(outcome.step.value, []).append(outcome.letter.id)
            counts = {step: len(letters) for step, letters in ids.items()}
            logger.info(
                "redriven",
                who=who,
                selection=asdict(selection),
                counts=counts,
                ids=ids,
                unseen=done.unseen,
            )
        return replace(done, unseen=done.unseen or redrive.unseen)

    def discard(
        self, selection: Selection, now: datetime, who: str, reason: str, *, dry_run: bool
    ) -> Done:
        """Take the selected dead letters out for good; the log keeps who did it and why."""
        if not reason.strip():
            raise Invalid("reason: say why they may be lost")

        record = recorder(aws.client("logs"), self.reading.places.log_group, who, reason)
        return self._in_time(
            discard(self._queue(), _meant(selection), now, record, dry_run=dry_run)
        )

    def _queue(self) -> DeadLetters:
        return replace(self.reading.dead_letters, until=time.monotonic() + ACTING_SECONDS)

    def _in_time(self, outcomes: Iterable[Outcome]) -> Done:
        try:
            return _in_time(outcomes)
        finally:
            self.reading.forget(letters=True)


def _as_text(event: Any) -> str:
    try:
        if event is not None and not isinstance(event, dict):
            raise Invalid(f"event: expected a mapping, got {event!r:.100}")
        return json.dumps(event or {})
    except RecursionError:
        raise Invalid("event: it is nested too deeply") from None


def _meant(selection: Selection) -> Selection:
    if not (selection.ids or selection.jobs or selection.causes):
        raise Invalid("say which dead letters are meant: ids, jobs or causes")
    if not all((*selection.jobs, *selection.causes)) or any(
        len(each) < SHORTEST_ID for each in selection.ids
    ):
        raise Invalid(
            f"an id has {SHORTEST_ID} characters or more, and no name is empty: else all would be meant"
        )
    if globs := [job for job in selection.jobs if GLOB.intersection(job)]:
        raise Invalid(f"jobs: name each, rather than by a pattern: {', '.join(globs):.200}")
    return selection


def _in_time(outcomes: Iterable[Outcome]) -> Done:
    until = time.monotonic() + ACTING_SECONDS
    done: list[Outcome] = []
    try:
        with closing(iter(outcomes)) as iterator:  # type: ignore[type-var] # both are generators
            for outcome in iterator:
                done.append(outcome)
                if time.monotonic() > until:
                    return Done(
                        tuple(done),
                        f"time ended after {len(done)} letters: repeat it for the others",
                    )
    except (BotoCoreError, ClientError, NotRecorded) as error:
        if not done:
            raise
        return Done(tuple(done), f"it ended early: {problem(error).description}")
    return Done(tuple(done), "")
