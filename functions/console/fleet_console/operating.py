"""What operators do with the fleet: run a job, mute and unmute, redrive and discard dead letters."""

import json
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from werkzeug.exceptions import RequestEntityTooLarge

from fleet import aws
from fleet.dead_letters.journal import recorder
from fleet.dead_letters.redrive import Manner, Outcome, Redrive, Selection, discard
from fleet.ledger.mutes import MUTES, Mute, begun, cut_short
from fleet.runtime.scheduled import SCHEDULED_TIME
from fleet.settings import within
from fleet_console.problems import Invalid, Missing
from fleet_console.reading import Reading

LONGEST_MUTE = timedelta(days=365)
LARGEST_EVENT = 200_000
SHORTEST_ID = 8
# An answer must come within 30 seconds. A letter that goes first, and all others, are watched for so long each.
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
    """The writes; each raises `HTTPException` when it cannot be done, and then nothing has been."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading

    def run(self, name: str, event: Any, now: datetime) -> Begun:
        """Run a job now: with an event, or, when it has a schedule, as if that were due."""
        job = self.reading.job(name)
        if event is not None and not isinstance(event, dict):
            raise Invalid(f"event: expected a mapping, got {event!r:.100}")
        planned = self.reading.planned(name) if job.scheduled and event is None else None
        text = planned.event.replace(SCHEDULED_TIME, now.isoformat()) if planned else json.dumps(event or {})
        if len(text) > LARGEST_EVENT:
            raise RequestEntityTooLarge(f"an event has at most {LARGEST_EVENT} characters")
        places = self.reading.places
        self.reading.forget()
        if job.scheduled:
            lambda_ = aws.client("lambda")
            try:
                answer = lambda_.invoke(FunctionName=places.function(name), InvocationType="Event", Payload=text)
            except lambda_.exceptions.ResourceNotFoundException:
                raise Missing(f"{name} is not deployed") from None
            return Begun(name, "invocation", answer["ResponseMetadata"]["RequestId"])
        if event is None:
            raise Invalid(f"event: {name} reacts to events and has no schedule: say with which event it is to run")
        sqs = aws.client("sqs")
        try:
            sent = sqs.send_message(QueueUrl=places.queue_url(name), MessageBody=text)
        except sqs.exceptions.QueueDoesNotExist:
            raise Missing(f"{name} is not deployed") from None
        return Begun(name, "message", sent["MessageId"])

    def mute(self, pattern: str, reason: str, author: str, lasting: timedelta, now: datetime) -> Mute:
        """Withhold alerts that match a pattern, for a while."""
        try:
            within("until", lasting, timedelta(minutes=1), LONGEST_MUTE)
            mute = begun(pattern, reason, author, now + lasting)
        except ValueError as error:
            raise Invalid(str(error)) from None
        self.reading.table.commit([mute])
        self.reading.forget()
        return mute

    def unmute(self, number: str, now: datetime) -> Mute:
        """End a mute early; within minutes it tells what it withheld."""
        found = self.reading.table.get(Mute, (MUTES, number))
        if found is None or found.ended:
            raise Missing(f"there is no mute {number!r:.100} to end")
        mute = cut_short(found, now)
        self.reading.table.commit([mute])
        self.reading.forget()
        return mute

    def redrive(self, selection: Selection, now: datetime, *, dry_run: bool) -> Done:
        """Send the selected dead letters back, one before all others. What time does not suffice for stays there."""
        manner = Manner(dry_run=dry_run, wait=CANARY_SECONDS)
        redrive = Redrive(self.reading.dead_letters, _meant(selection), manner, now)
        done = _in_time(redrive)
        return self._done(done, redrive.unseen)

    def discard(self, selection: Selection, now: datetime, who: str, reason: str, *, dry_run: bool) -> Done:
        """Take the selected dead letters out for good; the log keeps who did it and why."""
        if not reason.strip():
            raise Invalid("reason: say why they may be lost")

        record = recorder(aws.client("logs"), self.reading.places.log_group, who, reason)
        queue = self.reading.dead_letters
        return self._done(_in_time(discard(queue, _meant(selection), now, record, dry_run=dry_run)), "")

    def _done(self, done: Done, unseen: str) -> Done:
        self.reading.forget()
        return replace(done, unseen=done.unseen or unseen)


def _meant(selection: Selection) -> Selection:
    if not (selection.ids or selection.jobs or selection.causes):
        raise Invalid("say which dead letters are meant: ids, jobs or causes")
    if not all((*selection.jobs, *selection.causes)) or any(len(each) < SHORTEST_ID for each in selection.ids):
        raise Invalid(f"an id has {SHORTEST_ID} characters or more, and no name is empty: else all would be meant")
    return selection


def _in_time(outcomes: Iterable[Outcome]) -> Done:
    until = time.monotonic() + ACTING_SECONDS
    done = []
    with closing(iter(outcomes)) as iterator:  # type: ignore[type-var] # both are generators
        for outcome in iterator:
            done.append(outcome)
            if time.monotonic() > until:
                return Done(tuple(done), f"time ended after {len(done)} letters: repeat it for the others")
    return Done(tuple(done), "")
