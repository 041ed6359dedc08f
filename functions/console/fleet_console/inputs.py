"""What requests ask for, as values: queries, forms and bodies that are valid, or `Invalid`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from flask import Request

from fleet.dead_letters.redrive import Selection
from fleet.events import SURROGATE
from fleet.findings import Severity
from fleet.ledger.rows import LONG_AGO
from fleet.ledger.table import FAR_AHEAD
from fleet.mappings import structure
from fleet.settings import SettingsError, within
from fleet_console.problems import Invalid
from fleet_console.reading.findings import FindingFilter, StateFilter

T = TypeVar("T")
LARGEST_PAGE = 100
LONGEST_TEXT = 1_000
LONGEST_AGE = timedelta(days=3_650)
LONGEST_LOG = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class NoQuery:
    """The query of an address that takes no parameters."""


@dataclass(frozen=True, slots=True)
class FindingsQuery:
    """Which findings, and how many at once. `older_than` and `newer_than` are ages, such as 7d."""

    source: str = ""
    severity: Severity | None = None
    owner: str = ""
    state: StateFilter = StateFilter.OPEN
    older_than: timedelta = timedelta(0)
    newer_than: timedelta | None = None
    limit: int = 50
    cursor: str = ""

    def __post_init__(self) -> None:
        within("limit", self.limit, 1, LARGEST_PAGE)
        _check_age("older_than", self.older_than, LONGEST_AGE)
        if self.newer_than is not None:
            _check_age("newer_than", self.newer_than, LONGEST_AGE)

    def filter(self, now: datetime) -> FindingFilter:
        """Return the filter that it asks for, with its ages as times."""
        after = LONG_AGO if self.newer_than is None else now - self.newer_than
        before = now - self.older_than if self.older_than else FAR_AHEAD
        return FindingFilter(
            source=self.source,
            severity=self.severity,
            owner=self.owner,
            state=self.state,
            opened_after=min(after, before),
            opened_before=before,
        )


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines of a log: those of the last hour, unless `since` says how far back."""

    since: timedelta = timedelta(hours=1)
    limit: int = 100
    cursor: str = ""

    def __post_init__(self) -> None:
        within("limit", self.limit, 1, LARGEST_PAGE)
        _check_age("since", self.since, LONGEST_LOG)


@dataclass(frozen=True, slots=True)
class LettersQuery:
    """Which dead letters, and how many at once."""

    job: str = ""
    cause: str = ""
    limit: int = 50
    cursor: str = ""

    def __post_init__(self) -> None:
        within("limit", self.limit, 1, LARGEST_PAGE)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The event to run a job with; without one, it runs as its schedule does."""

    event: Any = None


@dataclass(frozen=True, slots=True)
class MuteRequest:
    """Which alerts to withhold, why, and for how long."""

    pattern: str
    reason: str
    until: timedelta

    def __post_init__(self) -> None:
        _check_text("pattern", self.pattern)
        _check_text("reason", self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class LettersRequest:
    """Which dead letters to act on: those that fit all that is given."""

    ids: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def selection(self) -> Selection:
        """The letters, as the layer selects them."""
        return Selection(self.ids, self.jobs, self.causes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveRequest(LettersRequest):
    """Which dead letters to send back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardRequest(LettersRequest):
    """Which dead letters to delete, and why."""

    reason: str

    def __post_init__(self) -> None:
        _check_text("reason", self.reason)


def read_query(request: Request, kind: type[T]) -> T:
    """Return the query of a request as a value of `kind`. Raises `Invalid`, naming every fault."""
    given = request.args.to_dict(flat=False)
    repeated = sorted(name for name, values in given.items() if len(values) > 1)
    if repeated:
        raise Invalid(f"the query: {', '.join(repeated)} is given more than once")
    return _read(request.args.to_dict(), kind, "the query", texts=True)


def read_form(fields: dict[str, str], kind: type[T], where: str) -> T:
    """Return the fields of a form as a value of `kind`. Raises `Invalid`, naming every fault.

    `where` begins the message.
    """
    return _read(fields, kind, where, texts=True)


def read_body(request: Request, kind: type[T]) -> T:
    """Return the JSON body of a request as a value of `kind`.

    Raises `Invalid`, naming every fault, and what Flask raises for what is not JSON.
    """
    try:
        return _read(request.get_json(), kind, "the body")
    except RecursionError:
        raise Invalid("the body: it is nested too deeply") from None


def _read(value: Any, kind: type[T], where: str, *, texts: bool = False) -> T:
    try:
        return structure(value, kind, where, texts=texts)
    except SettingsError as error:
        raise Invalid(str(error)) from None


def _check_age(name: str, age: timedelta, longest: timedelta) -> None:
    if age > longest:
        raise ValueError(f"{name} must be at most {longest.days}d")


def _check_text(name: str, text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{name} must have at most {LONGEST_TEXT:,} characters, got {len(text):,}")
    if SURROGATE.search(text):
        raise ValueError(f"{name} must be whole text, got half a surrogate pair in {text!a:.100}")
