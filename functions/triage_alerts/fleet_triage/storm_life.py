"""A storm: more openings of one source within a window than people could read one by one.

A storm is itself a finding of its source, with a life. While it is open, new findings are folded
into it: each gets a row, and alerts only if it gets worse. The storm says how many there are, and
ends when all of them have ended.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from fleet.alerts import Observation, Status
from fleet.findings import Fact, Severity
from fleet.ledger.rows import RANKS, Row
from fleet.ledger.storms import Storm
from fleet_triage.life import Rules, after_timers, apply_observation

SUBJECT = "(storm)"
# A storm's alert names so many findings, and counts the others.
LISTED = 50


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at a storm found."""

    status: Status
    title: str
    rows: Sequence[Row]
    """The findings that its alert lists."""
    count: int
    """How many findings it has by now."""
    at: datetime


def count_openings(
    storm: Storm,
    opening: Sequence[Row],
    now: datetime,
    rules: Rules,
) -> Storm:
    """Count new openings. If the returned storm is open, fold all of `opening` into it."""
    if storm.is_open:
        storm = replace(storm, ending=False)
        worst = _worst(opening)
        if RANKS[worst] <= RANKS[storm.severity]:
            return storm
    else:
        storm = _count_in_window(storm, len(opening), now, rules)
        if storm.openings <= rules.storm_openings:
            return storm
    title = (
        f"{storm.source}: a storm of more than {rules.storm_openings} findings "
        f"within {rules.storm_window}"
    )
    look = _Look(
        status=Status.FAILING,
        title=title,
        rows=opening,
        count=len(opening),
        at=now,
    )
    return _apply(storm, look, rules)


def review(
    storm: Storm,
    findings: Iterable[Row],
    now: datetime,
    rules: Rules,
) -> Storm:
    """Look at what became of a storm's findings.

    `findings` are all of its source. The storm reminds people when it has grown, and ends when all
    its findings have ended.
    """
    if not storm.is_open:
        return after_timers(storm, now, rules)
    inside = [row for row in findings if row.storm == storm.episode]
    failing = [row for row in inside if row.is_open]
    count = max(storm.count, len(inside))
    if not failing and _is_quiet(storm, inside, now, rules):
        return _end(storm, count, now, rules)
    storm = replace(storm, ending=False)
    has_grown = count > storm.count
    reminds = storm.remind_at is not None and storm.remind_at <= now
    if not has_grown and not reminds:
        return storm
    storm = replace(storm, remind_at=now)
    look = _Look(
        status=Status.FAILING,
        title=f"{storm.source}: a storm of {count} findings, of which {len(failing)} are open",
        rows=failing or inside,
        count=count,
        at=now,
    )
    return _apply(storm, look, rules)


def _count_in_window(storm: Storm, openings: int, now: datetime, rules: Rules) -> Storm:
    window_ends = storm.since + rules.storm_window
    if now < window_ends:
        openings += storm.openings
        return replace(storm, openings=openings)
    return replace(storm, since=now, openings=openings)


def _is_quiet(storm: Storm, inside: Iterable[Row], now: datetime, rules: Rules) -> bool:
    """Whether nothing opened, and nobody was alerted, for as long as a window."""
    openings = [row.opened_at for row in inside]
    quiet_since = max([storm.at, *openings])
    return now - quiet_since >= rules.storm_window


def _end(storm: Storm, count: int, now: datetime, rules: Rules) -> Storm:
    if not storm.ending:
        return replace(storm, ending=True)
    title = f"{storm.source}: all {count} findings of the storm have ended"
    storm = replace(storm, title=title)  # an end has no title of its own
    look = _Look(
        status=Status.OK,
        title=title,
        rows=(),
        count=count,
        at=now,
    )
    return _apply(storm, look, rules)


def _apply(storm: Storm, look: _Look, rules: Rules) -> Storm:
    observation = Observation(
        source=storm.source,
        subject=SUBJECT,
        status=look.status,
        severity=_worst(look.rows) if look.rows else storm.severity,
        title=look.title,
        # Clocks differ, and an observation older than the storm's last one would change nothing.
        at=max(look.at, storm.at),
        # The version tells apart two looks at one moment.
        event_id=str(storm.version),
        detail=_listing(look.rows),
    )
    storm = apply_observation(storm, observation, rules)
    owed = [replace(alert, count=look.count) for alert in storm.owed]
    return replace(
        storm,
        count=look.count,
        owed=tuple(owed),
    )


def _listing(rows: Sequence[Row]) -> dict[str, Fact]:
    detail: dict[str, Fact] = {}
    for row in rows[:LISTED]:
        detail[row.subject] = f"{row.severity}: {row.title}"
    if len(rows) > LISTED:
        detail["and more"] = f"{len(rows) - LISTED} findings that are not listed here"
    return detail


def _worst(rows: Iterable[Row]) -> Severity:
    severities = [row.severity for row in rows]
    return max(severities, key=RANKS.__getitem__)
