"""A storm: more openings of one source within a window than people could read one by one.

A storm is itself a finding of its source, with a life. While it is open, what opens is folded into it: it gets a row,
and no alert of its own unless it gets worse. The storm tells how many there are, and ends when all of them have.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from fleet.alerts import Observation, Status
from fleet.findings import Severity
from fleet.ledger.rows import RANKS, Row, State
from fleet.ledger.storms import Storm
from fleet_triage.life import Rules, observed, passed

SUBJECT = "(storm)"
LISTED = 50


def gathered(storm: Storm, opening: Sequence[Row], now: datetime, rules: Rules) -> Storm:
    """Count what opens. The storm that is returned is open when all of it is to be folded into it."""
    if storm.state is State.OPEN:
        storm = replace(storm, ending=False)
        if RANKS[_worst(opening)] <= RANKS[storm.severity]:
            return storm
    else:
        recent = now - storm.since < rules.storm_window
        since, before = (storm.since, storm.openings) if recent else (now, 0)
        storm = replace(storm, since=since, openings=before + len(opening))
        if storm.openings <= rules.storm_openings:
            return storm
    title = f"{storm.source}: a storm of more than {rules.storm_openings} findings within {rules.storm_window}"
    return _observed(storm, Status.FAILING, title, opening, len(opening), now, rules)


def looked_at(storm: Storm, findings: Iterable[Row], now: datetime, rules: Rules) -> Storm:
    """Apply what became of its findings: tell once how many they are by now, and end when all have ended."""
    if storm.state is not State.OPEN:
        return passed(storm, now, rules)
    inside = [row for row in findings if row.storm == storm.episode]
    failing = [row for row in inside if row.state is State.OPEN]
    known = max(storm.count, len(inside))
    if not failing and all(
        now - at >= rules.storm_window for at in (storm.at, *(row.opened_at for row in inside))
    ):
        title = f"{storm.source}: all {known} findings of the storm have ended"
        return (
            _observed(storm, Status.OK, title, (), known, now, rules)
            if storm.ending
            else replace(storm, ending=True)
        )
    storm = replace(storm, ending=False)
    if known > storm.count or (storm.remind_at and storm.remind_at <= now):
        title = f"{storm.source}: a storm of {known} findings, of which {len(failing)} are open"
        return _observed(
            replace(storm, remind_at=now),
            Status.FAILING,
            title,
            failing or inside,
            known,
            now,
            rules,
        )
    return storm


def _observed(  # noqa: PLR0913, PLR0917 - what an observation is made of
    storm: Storm,
    status: Status,
    title: str,
    rows: Sequence[Row],
    count: int,
    now: datetime,
    rules: Rules,
) -> Storm:
    detail = {row.subject: f"{row.severity}: {row.title}" for row in islice(rows, LISTED)}
    if len(rows) > LISTED:
        detail["and more"] = f"{len(rows) - LISTED} findings that are not listed here"
    # Clocks differ, and a storm that took its last look for newer would tell of nothing; the version tells looks apart.
    at, event_id = max(now, storm.at), str(storm.version)
    severity = _worst(rows) if rows else storm.severity
    seen = Observation(storm.source, SUBJECT, status, severity, title, at, event_id, detail)
    storm = observed(replace(storm, title=title) if status is Status.OK else storm, seen, rules)
    return replace(
        storm, count=count, owed=tuple(replace(alert, count=count) for alert in storm.owed)
    )


def _worst(rows: Iterable[Row]) -> Severity:
    return max((row.severity for row in rows), key=RANKS.__getitem__)
