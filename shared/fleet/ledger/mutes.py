"""Mutes: alerts that people do not want for a while, and what they then did not hear."""

import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import ClassVar, Self

from fleet.alerts.model import Alert, AlertStatus, Observation, Status
from fleet.findings import Fact, Severity
from fleet.ledger.life import KEPT, RANKS, Key, Row, Rules, observed

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


def begun(pattern: str, reason: str, author: str, until: datetime) -> Mute:
    """Return a new mute. Raises `ValueError` that names what is missing."""
    return Mute(secrets.token_hex(4), pattern, reason, author, until)


def cut_short(mute: Mute, now: datetime) -> Mute:
    """Return the mute that a sweep will end, and tell of, within minutes."""
    return replace(mute, until=min(mute.until, now))


def withheld_by(mute: str) -> str:
    """The key under which all alerts stand that a mute withheld."""
    return f"withheld#{mute}"


def muting(mutes: Iterable[Mute], about: Alert | Row, now: datetime) -> Mute | None:
    """The mute that withholds alerts about this, if one does."""
    return next(
        (
            mute
            for mute in mutes
            if not mute.ended and now < mute.until and matches(mute.pattern, about)
        ),
        None,
    )


def ended(mute: Mute, withheld: Sequence[Withheld], rules: Rules) -> Mute:
    """Return the mute that told what it withheld: when that is anything, in one alert as bad as the worst still open.

    It must have been committed as ended before `withheld` was read, so that nothing is withheld later.
    """
    if mute.told or not withheld:
        return replace(mute, told=True)
    ordered = sorted(
        (each.alert for each in withheld), key=lambda alert: (alert.first_seen, _resolves(alert))
    )
    last = {alert.dedup_key: alert for alert in ordered}
    lasting = [alert for alert in last.values() if not _resolves(alert)]
    counts = Counter(alert.dedup_key for alert in ordered)
    detail: dict[str, Fact] = {
        "reason": mute.reason,
        "author": mute.author,
        "not resolved": len(lasting),
    }
    detail |= {
        key: f"{alert.status} ({counts[key]} alerts): {alert.title}" for key, alert in last.items()
    }
    seen = Observation(
        source="fleet",
        subject=f"mute/{mute.id}",
        status=Status.OCCURRED,
        severity=max(
            (Severity.WARNING, *(alert.severity for alert in lasting)), key=RANKS.__getitem__
        ),
        title=f"The mute of {mute.pattern} has ended: it withheld {len(withheld)} alerts about {len(last)} findings",
        at=mute.until,
        event_id=mute.id,
        detail=detail,
    )
    return replace(mute, told=True, owed=observed(Row(seen.source, seen.subject), seen, rules).owed)


def _resolves(alert: Alert) -> bool:
    return alert.status is AlertStatus.RESOLVED
