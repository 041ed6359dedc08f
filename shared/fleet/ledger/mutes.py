"""Mutes: alerts that people do not want for a while, and what they then did not hear."""

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


def matches(pattern: str, about: Alert | Row | Observation) -> bool:
    """Whether a glob matches the dedup key (`aws.cloudwatch/*`), or the field before its colon (`owner:web-*`)."""
    name, colon, glob = pattern.partition(":")
    if colon and name in FIELDS:
        return fnmatchcase(getattr(about, name), glob)
    return fnmatchcase(about.dedup_key, pattern)


@dataclass(frozen=True, slots=True)
class Mute:
    """Why and until when alerts that match a pattern are withheld. Findings live on meanwhile."""

    id: str
    pattern: str
    reason: str
    author: str
    until: datetime
    ended: bool = False
    told: bool = False
    owed: tuple[Alert, ...] = ()
    version: int = 0

    def __post_init__(self) -> None:
        if missing := [
            name
            for name in ("id", "pattern", "reason", "author")
            if not getattr(self, name).strip()
        ]:
            raise ValueError(f"a mute needs {', '.join(missing)}")

    @property
    def key(self) -> Key:
        return MUTES, self.id

    @property
    def due(self) -> datetime | None:
        return None if self.told and not self.owed else self.until

    @property
    def expires(self) -> datetime | None:
        return None if self.due else self.until + KEPT

    def paid(self) -> Self:
        return replace(self, owed=()) if self.owed else self


@dataclass(frozen=True, slots=True)
class Withheld:
    """An alert that a mute withheld: written once however often it was to be told."""

    mute: str
    alert: Alert
    until: datetime
    version: ClassVar[None] = None
    due: ClassVar[None] = None

    @property
    def key(self) -> Key:
        return withheld_by(self.mute), self.alert.id

    @property
    def expires(self) -> datetime:
        return self.until + KEPT


def new_mute(pattern: str, reason: str, author: str, until: datetime) -> Mute:
    """Return a new mute. Raises `ValueError` that names what is missing."""
    return Mute(secrets.token_hex(4), pattern, reason, author, until)


def end_early(mute: Mute, now: datetime) -> Mute:
    """Return the mute that a sweep will end, and tell of, within minutes."""
    return replace(mute, until=min(mute.until, now))


def withheld_by(mute: str) -> str:
    """The key under which all alerts stand that a mute withheld."""
    return f"withheld#{mute}"


def find_mute(mutes: Iterable[Mute], about: Alert | Row, now: datetime) -> Mute | None:
    """The mute that withholds alerts about this, if one does."""
    return next(
        (
            mute
            for mute in mutes
            if not mute.ended and now < mute.until and matches(mute.pattern, about)
        ),
        None,
    )
