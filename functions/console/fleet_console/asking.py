"""What requests ask for, as values: queries and bodies that are as they must be, or `Invalid`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from flask import Request

from fleet.dead_letters.redrive import Selection
from fleet.findings import Severity
from fleet.ledger.rows import LONG_AGO
from fleet.ledger.table import FAR_AHEAD
from fleet.settings import SettingsError, structure, within
from fleet_console.problems import Invalid
from fleet_console.reading import Shown, Wanted

T = TypeVar("T")
LARGEST_PAGE = 100
LONGEST_TEXT = 1_000
LONGEST_AGE = timedelta(days=3_650)
LONGEST_LOG = timedelta(days=7)
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Findings:
    """Which findings, and how many at once. `older_than` and `newer_than` are ages, such as 7d."""

    source: str = ""
    severity: Severity | None = None
    owner: str = ""
    state: Shown = Shown.OPEN
    older_than: timedelta = timedelta(0)
    newer_than: timedelta | None = None
    limit: int = 50
    cursor: str = ""

    def __post_init__(self) -> None:
        within("limit", self.limit, 1, LARGEST_PAGE)
        for name, age in (("older_than", self.older_than), ("newer_than", self.newer_than)):
            if age is not None and age > LONGEST_AGE:
                raise ValueError(f"{name} must be at most {LONGEST_AGE.days}d")

    def wanted(self, now: datetime) -> Wanted:
        first = now - self.newer_than if self.newer_than is not None else LONG_AGO
        last = now - self.older_than if self.older_than else FAR_AHEAD
        return Wanted(self.source, self.severity, self.owner, self.state, (min(first, last), last))


@dataclass(frozen=True, slots=True)
class Log:
    """Which lines of a log: those of the last hour, say."""

    since: timedelta = timedelta(hours=1)
    limit: int = 100
    cursor: str = ""

    def __post_init__(self) -> None:
        within("limit", self.limit, 1, LARGEST_PAGE)
        if self.since > LONGEST_LOG:
            raise ValueError(f"since must be at most {LONGEST_LOG.days}d")


@dataclass(frozen=True, slots=True)
class Nothing:
    """A query that has no parameters."""


@dataclass(frozen=True, slots=True)
class Run:
    """With which event to run a job; without one, as its schedule would."""

    event: Any = None


@dataclass(frozen=True, slots=True)
class Mute:
    """What not to be told, why, and for how long."""

    pattern: str
    reason: str
    until: timedelta

    def __post_init__(self) -> None:
        _short("pattern", self.pattern)
        _short("reason", self.reason)


@dataclass(frozen=True, slots=True)
class Letters:
    """Which dead letters, and how many at once."""

    job: str = ""
    cause: str = ""
    limit: int = 50
    cursor: str = ""

    def __post_init__(self) -> None:
        within("limit", self.limit, 1, LARGEST_PAGE)


@dataclass(frozen=True, slots=True)
class Redrive:
    """Which dead letters to send back: those that fit all that is given."""

    ids: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def selection(self) -> Selection:
        return Selection(self.ids, self.jobs, self.causes)


@dataclass(frozen=True, slots=True)
class Discard:
    """Which dead letters to take out for good, and why."""

    reason: str
    ids: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    dry_run: bool = False

    def __post_init__(self) -> None:
        _short("reason", self.reason)

    @property
    def selection(self) -> Selection:
        return Selection(self.ids, self.jobs, self.causes)


def _short(name: str, text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{name} must have at most {LONGEST_TEXT} characters, got {len(text)}")
    if SURROGATE.search(text):
        raise ValueError(f"{name} must be whole text, got half a surrogate pair in {text!a:.100}")


def query(asked: Request, kind: type[T]) -> T:
    """Read the query of a request. Raises `Invalid` that names every fault."""
    given = asked.args.to_dict(flat=False)
    if repeated := [name for name, values in given.items() if len(values) > 1]:
        raise Invalid(f"the query: {', '.join(sorted(repeated))} stands there more than once")
    return _read({name: value for name, (value,) in given.items()}, kind, "the query", texts=True)


def body(asked: Request, kind: type[T]) -> T:
    """Read the JSON body of a request. Raises `Invalid` that names every fault, or what Flask raises."""
    try:
        return _read(asked.get_json(), kind, "the body")
    except RecursionError:
        raise Invalid("the body: it is nested too deeply") from None


def _read(value: Any, kind: type[T], where: str, *, texts: bool = False) -> T:
    try:
        return structure(value, kind, where, texts=texts)
    except SettingsError as error:
        raise Invalid(str(error)) from None


def now() -> datetime:
    return datetime.now(UTC)
