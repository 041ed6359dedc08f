"""Mutes, and the alerts that they withheld, as the ledger stores them."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import ClassVar, Self

from fleet.alerts import Alert, Observation
from fleet.ledger.rows import KEPT, Key, Row

MUTES = "mutes"
FIELDS = ("source", "subject", "owner")
REQUIRED = ("id", "pattern", "reason", "author")


def matches(pattern: str, about: Alert | Row | Observation) -> bool:
    """Whether a glob matches the dedup key (`aws.cloudwatch/*`), or a field (`owner:web-*`)."""
    name, colon, glob = pattern.partition(":")
    if colon and name in FIELDS:
        return fnmatchcase(getattr(about, name), glob)
    return fnmatchcase(about.dedup_key, pattern)


@dataclass(frozen=True, slots=True)
class Mute:
    """Alerts that match a pattern are withheld for a while. The findings themselves live on.

    Raises `ValueError` that names what is missing.
    """

    id: str
    pattern: str
    """As `matches` reads it."""
    reason: str
    author: str
    until: datetime
    """When it ends (UTC)."""
    ended: bool = False
    """Whether it has been ended: from then on it withholds nothing."""
    told: bool = False
    """Whether the alert about its end has been owed, or was not needed (a stored name)."""
    owed: tuple[Alert, ...] = ()
    """The alert about its end, until it is published."""
    version: int = 0

    def __post_init__(self) -> None:
        missing = [name for name in REQUIRED if not getattr(self, name).strip()]
        if missing:
            raise ValueError(f"a mute needs {', '.join(missing)}")

    @property
    def key(self) -> Key:
        """Where the mute is stored."""
        return MUTES, self.id

    @property
    def due(self) -> datetime | None:
        """When a sweep has something to do with it; None once it is over."""
        return None if self.told and not self.owed else self.until

    @property
    def expires(self) -> datetime | None:
        """When DynamoDB may delete it; None while it is due."""
        return None if self.due else self.until + KEPT

    def without_owed(self) -> Self:
        """Return the mute as it is once its alert has been published."""
        return replace(self, owed=()) if self.owed else self


@dataclass(frozen=True, slots=True)
class Withheld:
    """An alert that a mute withheld: stored once, however often it was attempted."""

    mute: str
    """The mute's id."""
    alert: Alert
    until: datetime
    """When the mute ends."""
    version: ClassVar[None] = None
    due: ClassVar[None] = None

    @property
    def key(self) -> Key:
        """Where the alert is stored."""
        return withheld_by(self.mute), self.alert.id

    @property
    def expires(self) -> datetime:
        """When DynamoDB may delete it."""
        return self.until + KEPT


def new_mute(pattern: str, reason: str, author: str, until: datetime) -> Mute:
    """Return a new mute, with an id of its own. Raises `ValueError` that names what is missing."""
    return Mute(secrets.token_hex(4), pattern, reason, author, until)


def end_early(mute: Mute, now: datetime) -> Mute:
    """Return the mute with its end at `now`. The next sweep ends it and says what it withheld."""
    return replace(mute, until=min(mute.until, now))


def withheld_by(mute_id: str) -> str:
    """Return the partition key of all alerts that a mute withheld."""
    return f"withheld#{mute_id}"


def find_mute(mutes: Iterable[Mute], about: Alert | Row, now: datetime) -> Mute | None:
    """Return the mute that withholds alerts about this, or None."""
    for mute in mutes:
        if not mute.ended and now < mute.until and matches(mute.pattern, about):
            return mute
    return None
