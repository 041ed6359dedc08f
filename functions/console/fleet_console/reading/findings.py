"""What is read of findings: lists and single ones, from the ledger."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from glob import escape
from typing import Any

from fleet.findings import Severity
from fleet.ledger.mutes import Mute
from fleet.ledger.rows import LONG_AGO, Row, State, findings_of
from fleet.ledger.storms import STORMS, Storm
from fleet.ledger.table import FAR_AHEAD, Position
from fleet_console import paging
from fleet_console.problems import Invalid, Missing
from fleet_console.reading.memory import Kept, Memory, Reader, kept
from fleet_console.reading.mutes import MuteReader
from fleet_console.settings import Places

# An answer looks at so many findings at most, however few of them fit; the next one goes on there.
LOOKED_AT = 1_000
LISTED_AT_ONCE = 100
FINDING_KEYS = findings_of("")
POSITION_FIELDS = ("pk", "sk", "listed", "opened")
Listed = tuple[Row, Position]


class StateFilter(StrEnum):
    """Findings of which state: one of the ledger's, or all."""

    OPEN = "open"
    CLOSED = "closed"
    OCCURRED = "occurred"
    ALL = "all"

    @property
    def states(self) -> list[State]:
        """The ledger's states, in the order in which they are listed."""
        if self is StateFilter.ALL:
            return list(State)
        return [State(self.value)]


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings: those that opened between two times and fit each text that is not empty."""

    source: str = ""
    severity: Severity | None = None
    owner: str = ""
    state: StateFilter = StateFilter.OPEN
    opened_after: datetime = LONG_AGO
    opened_before: datetime = FAR_AHEAD

    @property
    def selective(self) -> bool:
        """Whether it leaves out some of those that opened in the time."""
        return bool(self.source or self.severity or self.owner)

    def fits(self, row: Row) -> bool:
        """Whether it lets a finding of its state and time through."""
        if self.source and row.source != self.source:
            return False
        if self.severity and row.severity is not self.severity:
            return False
        return not self.owner or row.owner == self.owner


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """A finding as the ledger has it, and the mute that withholds its alerts, if one does."""

    row: Row
    mute: Mute | None = None

    @property
    def id(self) -> str:
        """Its key in the ledger, as it stands in addresses."""
        return paging.encode(self.row.key)

    @property
    def flapping(self) -> bool:
        """Whether it opens and closes so often that only its settling is reported."""
        return self.row.settles_at is not None

    @property
    def mute_pattern(self) -> str:
        """The pattern that mutes this finding and no other."""
        return escape(self.row.dedup_key)


@dataclass(frozen=True, slots=True)
class RowPage:
    """A part of a list of rows. `next` is where the list goes on, or None at its end."""

    rows: tuple[Row, ...] = ()
    next: Position | None = None


@dataclass(frozen=True, slots=True)
class FindingPage:
    """A part of a list of findings. `next` is the cursor of the next part, or None at the end."""

    findings: tuple[KnownFinding, ...] = ()
    next: str | None = None


class FindingReader(Reader):
    """Reads findings."""

    def __init__(self, places: Places, memory: Memory, mutes: MuteReader) -> None:
        super().__init__(places, memory)
        self.mutes = mutes

    @kept(Kept.BRIEFLY)
    def tally(self) -> Mapping[tuple[str, Severity], int]:
        """Return how many findings are open, by source and severity."""
        return self.places.ledger.tally(State.OPEN)

    def page(self, wanted: FindingFilter, limit: int, cursor: str, now: datetime) -> FindingPage:
        """Return at most `limit` findings, newest first, from `cursor` on. Raises `Invalid`.

        The page may be empty and still go on: what one answer looks at is bounded, whatever the
        ledger holds.
        """
        page = self.rows(wanted, limit, cursor)
        findings = [self._known(row, now) for row in page.rows]
        next_cursor = paging.encode(page.next) if page.next else None
        return FindingPage(tuple(findings), next_cursor)

    def rows(self, wanted: FindingFilter, limit: int, cursor: str) -> RowPage:
        """Return at most `limit` rows, newest first, from `cursor` on. Raises `Invalid`."""
        # One call for each finding that does not fit would be too many.
        at_once = LISTED_AT_ONCE if wanted.selective else limit
        rows: list[Row] = []
        listed = self._listed_from(cursor, wanted, at_once)
        for looked_at, (row, position) in enumerate(listed, start=1):
            if wanted.fits(row):
                rows.append(row)
            if len(rows) == limit or looked_at == LOOKED_AT:
                return RowPage(tuple(rows), position)
        return RowPage(tuple(rows))

    def finding(self, id: str, now: datetime) -> KnownFinding:
        """Return the finding of this id. Raises `Missing`."""
        row = self._row(id)
        if row is None:
            raise Missing("there is no such finding; ended findings are forgotten after 30 days")
        return self._known(row, now)

    def _known(self, row: Row, now: datetime) -> KnownFinding:
        return KnownFinding(row, self.mutes.mute_of(row, now))

    def _listed_from(self, cursor: str, wanted: FindingFilter, at_once: int) -> Iterator[Listed]:
        """Yield the findings of each wanted state, newest first, each with its position."""
        states = wanted.state.states
        after: Position | None = None
        if cursor:
            after = paging.decode_fields(cursor, *POSITION_FIELDS)
            listed_state = after["listed"]
            if listed_state not in states:
                raise Invalid("the cursor belongs to another list")
            passed = states.index(State(listed_state))
            states = states[passed:]
        for state in states:
            while listed := self._listed(state, wanted, at_once, after):
                yield from listed
                _, after = listed[-1]
            after = None

    def _listed(
        self, state: State, wanted: FindingFilter, limit: int, after: Position | None
    ) -> list[Listed]:
        ledger = self.places.ledger
        opened = (wanted.opened_after, wanted.opened_before)
        try:
            return ledger.list_newest(state, opened, limit, after)
        except ValueError as error:
            raise Invalid(f"not a cursor of this list: {error}") from None

    def _row(self, id: str) -> Row | None:
        ledger = self.places.ledger
        try:
            pk, sk = paging.decode(id)
            if not _is_key(pk, sk):
                return None
            kind = Storm if pk == STORMS else Row
            return ledger.get(kind, (pk, sk))
        except (Invalid, TypeError, ValueError):
            return None  # not an id, or not one that DynamoDB could have as a key


def _is_key(pk: Any, sk: Any) -> bool:
    """Whether this is the key of a finding or a storm in the ledger."""
    if not isinstance(pk, str) or not isinstance(sk, str):
        return False
    if not sk:
        return False
    return pk == STORMS or pk.startswith(FINDING_KEYS)
