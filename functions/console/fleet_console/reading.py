"""What the console reads of the fleet, each thing from where the fleet keeps it; nothing is kept here for long."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import islice
from typing import Any, Self

from botocore.exceptions import BotoCoreError, ClientError
from cachetools import TTLCache, cachedmethod

from fleet import aws
from fleet.dead_letters.causes import Cause, masked
from fleet.dead_letters.letters import Letter
from fleet.dead_letters.looking import DeadLetters
from fleet.findings import Severity
from fleet.ledger.mutes import MUTES, Mute, find_mute
from fleet.ledger.reports import REPORTS, Reports
from fleet.ledger.rows import LONG_AGO, Row, State, findings_of
from fleet.ledger.storms import STORMS, Storm
from fleet.ledger.table import FAR_AHEAD, Table
from fleet.settings import SettingsError
from fleet_console import catalogue
from fleet_console.catalogue import Job
from fleet_console.paging import place_of, texts
from fleet_console.problems import Invalid, Missing
from fleet_console.settings import Places, Settings
from fleet_console.state import Planned, Status

# How long what was read may be shown again, in seconds: as long as nobody would notice, or as it rarely changes.
FRESH, LOOKS, SLOW = 5, 20, 60
MOST_LETTERS = 1_000
LOOK_SECONDS = 6.0
# An answer looks at so many findings at most, however few of them fit what was asked for; the next goes on from there.
LOOKED_AT = 1_000
LISTED_AT_ONCE = 100
FINDING = findings_of("")
LOG_PAGES = 10
LAST = (timedelta(minutes=5), timedelta(hours=1))
LOG_LINE_CHARACTERS = 8_192
CHECK_SECONDS = 5.0
NOISE = {
    *("cold_start", "function_arn", "function_memory_size", "function_name", "service"),
    *("sampling_rate", "xray_trace_id"),
}


class Shown(StrEnum):
    """Findings of which state: those of the ledger, or all."""

    OPEN = "open"
    CLOSED = "closed"
    OCCURRED = "occurred"
    ALL = "all"

    @property
    def states(self) -> list[State]:
        return list(State) if self is Shown.ALL else [State(self.value)]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which findings; what is empty does not matter. `opened` is between two times."""

    source: str = ""
    severity: Severity | None = None
    owner: str = ""
    shown: Shown = Shown.OPEN
    opened: tuple[datetime, datetime] = (LONG_AGO, FAR_AHEAD)

    @property
    def filtered(self) -> bool:
        """Whether not all that opened in the time are wanted."""
        return bool(self.source or self.severity or self.owner)

    def fits(self, row: Row) -> bool:
        return (
            self.source in ("", row.source)
            and self.severity in (None, row.severity)
            and self.owner in ("", row.owner)
        )


@dataclass(frozen=True, slots=True)
class Parked:
    """A dead letter without its body, of which there may be many."""

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
        same = {
            each.name: getattr(letter, each.name) for each in fields(cls) if each.name != "route"
        }
        return cls(**same | {"reason": masked(letter.reason)}, route=letter.route.value)


@dataclass(frozen=True, slots=True)
class DeadLettersSeen:
    """The dead letters, oldest first; `unseen` says why these are not all, if so."""

    letters: tuple[Parked, ...]
    unseen: str

    def of(self, job: str) -> list[Parked]:
        return [letter for letter in self.letters if letter.job == job]

    def causes(self) -> dict[Cause, list[Parked]]:
        """The letters by what they have in common, the cause of most first."""
        groups: dict[Cause, list[Parked]] = {}
        for letter in self.letters:
            groups.setdefault(letter.cause, []).append(letter)
        return dict(sorted(groups.items(), key=lambda group: len(group[1]), reverse=True))


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a job's log."""

    at: datetime
    level: str
    message: str
    fields: Mapping[str, Any]


class Reading:
    """The fleet as it is, or was seconds ago. One for all threads of a process."""

    def __init__(self, settings: Settings) -> None:
        self.places = Places(settings)
        self._fresh: TTLCache[Any, Any] = TTLCache(maxsize=512, ttl=FRESH)
        self._slow: TTLCache[Any, Any] = TTLCache(maxsize=512, ttl=SLOW)
        self._looks: TTLCache[Any, Any] = TTLCache(maxsize=1, ttl=LOOKS)
        self._condition = threading.Condition()

    @cached_property
    def table(self) -> Table:
        return Table(self.places.ledger_table)

    def forget(self, *, letters: bool = False) -> None:
        """Read anew: somebody has just changed something, perhaps the dead letters."""
        with self._condition:
            self._fresh.clear()
            if letters:
                self._looks.clear()

    # ---------------------------------------------------------------- jobs

    def job(self, name: str) -> Job:
        """Return a job of the catalogue. Raises `Missing`."""
        if name not in catalogue.jobs():
            raise Missing(f"there is no job {name!r:.100}; known: {', '.join(catalogue.jobs())}")
        return catalogue.jobs()[name]

    def statuses(self, now: datetime) -> list[Status]:
        """Return how every job fares."""
        return [self.status(job, now) for job in catalogue.jobs().values()]

    def status(self, job: Job, now: datetime) -> Status:
        reports = self.reports().get(job.name, Reports(job.name))
        counts = self.tally()
        letters = self.letters().of(job.name)
        return Status(
            job,
            now,
            planned=self.planned(job.name) if job.scheduled else None,
            queue=None if job.scheduled else self.queue(job.name),
            last_report=reports.last_report,
            runs=reports.recent,
            open_findings={severity: counts[job.name, severity] for severity in Severity},
            letters=len(letters),
            last_failure=letters[-1] if letters else None,
        )

    @cachedmethod(
        lambda self: self._slow,
        key=lambda _, job: ("planned", job),
        condition=lambda self: self._condition,
    )
    def planned(self, job: str) -> Planned | None:
        """Return the job's schedule as Scheduler has it, or None."""
        scheduler = aws.client("scheduler")
        try:
            answer = scheduler.get_schedule(Name=self.places.function(job))
        except scheduler.exceptions.ResourceNotFoundException:
            return None  # deployed from another checkout than this
        return Planned.of(answer)

    @cachedmethod(
        lambda self: self._fresh,
        key=lambda _, job: ("queue", job),
        condition=lambda self: self._condition,
    )
    def queue(self, job: str) -> dict[str, int] | None:
        """Return how many messages the job's queue has, or None without one."""
        sqs = aws.client("sqs")
        try:
            answer = sqs.get_queue_attributes(
                QueueUrl=self.places.queue_url(job), AttributeNames=["All"]
            )
        except sqs.exceptions.QueueDoesNotExist:  # deployed from another checkout than this
            return None
        found = answer["Attributes"]
        return {
            "waiting": int(found["ApproximateNumberOfMessages"]),
            "delayed": int(found["ApproximateNumberOfMessagesDelayed"]),
            "in_flight": int(found["ApproximateNumberOfMessagesNotVisible"]),
        }

    @cachedmethod(
        lambda self: self._fresh, key=lambda _: "reports", condition=lambda self: self._condition
    )
    def reports(self) -> dict[str, Reports]:
        """Return what each job has reported."""
        return {reports.job: reports for reports in self.table.query(Reports, REPORTS)}

    @cachedmethod(
        lambda self: self._fresh, key=lambda _: "tally", condition=lambda self: self._condition
    )
    def tally(self) -> Mapping[tuple[str, Severity], int]:
        """Return how many findings are open, by source and severity."""
        return self.table.tally(State.OPEN)

    @cachedmethod(
        lambda self: self._slow,
        key=lambda _, job: ("vars", job),
        condition=lambda self: self._condition,
    )
    def variables(self, job: str) -> dict[str, str]:
        """Return the job's environment as it is deployed; it names secrets and holds none."""
        lambda_ = aws.client("lambda")
        try:
            found = lambda_.get_function_configuration(FunctionName=self.places.function(job))
        except lambda_.exceptions.ResourceNotFoundException:  # the job's state says so
            return {}
        return dict(sorted(found.get("Environment", {}).get("Variables", {}).items()))

    # ---------------------------------------------------------------- dead letters

    @property
    def dead_letters(self) -> DeadLetters:
        return DeadLetters(
            aws.client("sqs"), self.places.dead_letters_url, MOST_LETTERS, LOOK_SECONDS
        )

    @cachedmethod(
        lambda self: self._looks, key=lambda _: "letters", condition=lambda self: self._condition
    )
    def letters(self) -> DeadLettersSeen:
        """Return the dead letters. A look hides them from others for a moment, so it is repeated rarely."""
        answer = aws.client("sqs").get_queue_attributes(
            QueueUrl=self.places.dead_letters_url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        if not any(int(count) for count in answer["Attributes"].values()):
            return DeadLettersSeen((), "")
        with self.dead_letters.look() as look:
            found = [Parked.of(held.letter) for held in look]
        return DeadLettersSeen(
            tuple(sorted(found, key=lambda letter: (letter.first_seen, letter.id))), look.unseen
        )

    def some_letters(
        self, job: str, cause: str, limit: int, cursor: str
    ) -> tuple[list[Parked], Any, str]:
        """Return at most `limit` letters, the place where the list goes on, and why it is not whole, if so."""
        seen = self.letters()
        place = texts(place_of(cursor), "at", "id") if cursor else {"at": "", "id": ""}
        fitting = (
            letter
            for letter in seen.letters
            if job in ("", letter.job)
            and cause in ("", letter.cause.id)
            and (letter.first_seen.isoformat(), letter.id) > (place["at"], place["id"])
        )
        page = list(islice(fitting, limit))
        more = len(page) == limit and next(fitting, None) is not None
        last = {"at": page[-1].first_seen.isoformat(), "id": page[-1].id} if more else None
        return page, last, seen.unseen

    def letter(self, number: str) -> Letter:
        """Return one dead letter with its body. Raises `Missing`."""
        with self.dead_letters.look() as look:
            for held in look:
                if held.letter.id == number:
                    return held.letter
        raise Missing(
            f"there is no dead letter {number!r:.100} that can be seen now. {look.unseen}".rstrip()
        )

    # ---------------------------------------------------------------- findings

    def findings(self, wanted: Wanted, limit: int, cursor: str) -> tuple[list[Row], Any]:
        """Return at most `limit` findings, the newest first, and the place where the list goes on, or None.

        There may be none on the way: what is looked at for one answer is bounded, whatever the ledger holds.
        """
        states = wanted.shown.states
        at_once = (
            LISTED_AT_ONCE if wanted.filtered else limit
        )  # else a rare one takes a query for each that is none
        place = texts(place_of(cursor), "pk", "sk", "listed", "opened") if cursor else None
        if place and place["listed"] not in states:
            raise Invalid("this is a cursor of another list")
        found: list[Row] = []
        looked = 0
        for state in states[states.index(State(place["listed"])) if place else 0 :]:
            after = place if place and place["listed"] == state else None
            while rows := self._listed(state, wanted, at_once, after):
                for row, after in rows:
                    looked += 1
                    if wanted.fits(row):
                        found.append(row)
                    if len(found) == limit or looked == LOOKED_AT:
                        return found, after
        return found, None

    def _listed(
        self, state: State, wanted: Wanted, limit: int, after: Any
    ) -> list[tuple[Row, Any]]:
        table = self.table
        try:
            return table.list_newest(state, wanted.opened, limit, after)
        except ValueError as error:
            raise Invalid(f"this is no cursor of this list: {error}") from None

    def finding(self, number: str) -> Row:
        """Return the finding of this id, which is its key. Raises `Missing`."""
        try:
            pk, sk = place_of(number)
            row = (
                self.table.get(Storm if pk == STORMS else Row, (pk, sk))
                if _of_finding(pk, sk)
                else None
            )
        except (Invalid, TypeError, ValueError):  # an id that none has
            row = None
        if row is None:
            raise Missing("there is no such finding; what has ended is forgotten after 30 days")
        return row

    def mute(self, number: str) -> Mute:
        """Return one mute. Raises `Missing`."""
        if (found := self.table.get(Mute, (MUTES, number))) is None:
            raise Missing(
                f"there is no mute {number!r:.100}; those that have ended are forgotten after 30 days"
            )
        return found

    def mutes(self) -> list[Mute]:
        """Return all mutes, the last to end first."""
        return sorted(self.table.query(Mute, MUTES), key=lambda mute: mute.until, reverse=True)

    @cachedmethod(
        lambda self: self._fresh, key=lambda _: "mutes", condition=lambda self: self._condition
    )
    def _recent_mutes(self) -> list[Mute]:
        return self.mutes()

    def mute_of(self, row: Row, now: datetime) -> Mute | None:
        """Return the mute that withholds alerts about a finding, if one does."""
        return find_mute(self._recent_mutes(), row, now)

    # ---------------------------------------------------------------- logs

    def log(self, job: str, since: str, limit: int, token: str = "") -> tuple[list[Line], str]:
        """Return a page of a job's log, the oldest line first, and the token of the next page, if there is one.

        Raises `Invalid` for a time or a token that is none.
        """
        try:
            return next(self._log_pages(job, datetime.fromisoformat(since), limit, token))
        except (ValueError, OverflowError):
            raise Invalid("this is no cursor of this list") from None
        except ClientError as error:
            if token and aws.error_code(error) == "InvalidParameterException":
                raise Invalid("this cursor is too old: begin anew") from None
            raise

    def last_lines(self, job: str, now: datetime, count: int) -> tuple[list[Line], bool]:
        """Return a job's last lines of an hour, the oldest first, and whether there were too many to read all.

        CloudWatch gives the oldest first, so that of a long log the last minutes are read before the rest.
        """
        found: list[Line] = []
        cut, until = False, None
        for age in LAST:
            kept: deque[Line] = deque(maxlen=count - len(found))
            pages = self._log_pages(job, now - age, 10_000, until=until)
            for number, (lines, token) in enumerate(pages, start=1):
                kept.extend(lines)
                if cut := number == LOG_PAGES and bool(token):
                    break
            found = [*kept, *found]
            if cut or len(found) == count:
                break
            until = now - age
        return found, cut

    def _log_pages(
        self, job: str, since: datetime, limit: int, token: str = "", until: datetime | None = None
    ) -> Iterator[tuple[list[Line], str]]:
        logs = aws.client("logs")
        end: Any = (
            {"endTime": round(until.timestamp() * 1000) - 1} if until else {}
        )  # that moment is not before it
        while True:
            page: Any = end | ({"nextToken": token} if token else {})
            answer = logs.filter_log_events(
                logGroupName=self.places.log_group,
                filterPattern=f'{{ $.service = "{job}" }}',
                startTime=round(since.timestamp() * 1000),
                limit=limit,
                **page,
            )
            token = answer.get("nextToken", "")
            texts_ = [(event["timestamp"], event["message"]) for event in answer["events"]]
            yield [line(at, text) for at, text in texts_ if not text.startswith('{"_aws"')], token
            if not token:
                return

    # ---------------------------------------------------------------- health

    @cachedmethod(
        lambda self: self._fresh, key=lambda _: "health", condition=lambda self: self._condition
    )
    def health(self) -> dict[str, str]:
        """Return, for each dependency, `pass` or what is wrong with it, within seconds."""
        checks: dict[str, Callable[[], object]] = {
            "ledger": lambda: self.table.get(Reports, (REPORTS, "-")),
            "queues": lambda: aws.client("sqs").get_queue_attributes(
                QueueUrl=self.places.dead_letters_url, AttributeNames=["QueueArn"]
            ),
            "scheduler": self._any_schedule,
            "logs": lambda: aws.client("logs").filter_log_events(
                logGroupName=self.places.log_group, limit=1
            ),
        }
        pool = ThreadPoolExecutor(len(checks), thread_name_prefix="health")
        running = {name: pool.submit(check) for name, check in checks.items()}
        wait(running.values(), CHECK_SECONDS)
        pool.shutdown(wait=False, cancel_futures=True)
        return {
            name: _said(future.exception())
            if future.done()
            else f"no answer within {CHECK_SECONDS:.0f} s"
            for name, future in running.items()
        }

    def _any_schedule(self) -> None:
        scheduler = aws.client("scheduler")
        job = next(job.name for job in catalogue.jobs().values() if job.scheduled)
        try:
            scheduler.get_schedule(Name=self.places.function(job))
        except scheduler.exceptions.ResourceNotFoundException:
            return  # it answers; which jobs there are is another question


def _of_finding(pk: Any, sk: Any) -> bool:
    return (
        isinstance(pk, str)
        and isinstance(sk, str)
        and bool(sk)
        and (pk == STORMS or pk.startswith(FINDING))
    )


def line(at_ms: int, text: str) -> Line:
    """Read a line of a job's log: Powertools' JSON, or whatever it is."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    text = text.rstrip()[:LOG_LINE_CHARACTERS]
    try:
        record = json.loads(text)
        level, message = str(record.pop("level", "")), record.pop("message", "")
    except (ValueError, AttributeError, TypeError, RecursionError):
        return Line(at, "", text, {})  # a line that is not a record is shown as it is
    record.pop("timestamp", None)
    return Line(
        at,
        level,
        message if isinstance(message, str) else json.dumps(message),
        {name: value for name, value in record.items() if name not in NOISE},
    )


def _said(error: BaseException | None) -> str:
    match error:
        case None:
            return "pass"
        case ClientError():
            return f"refused: {aws.error_code(error)}"
        case SettingsError():
            return str(error)
        case BotoCoreError():
            return f"no answer: {type(error).__name__}"
    return f"failed: {type(error).__name__}"
