"""The life of a finding, as functions of its row: opened, escalated, reminded, resolved.

Nothing here reads a clock or a store. Each function returns the row as it is to be, with the alerts of its transitions
owed; one that returns its argument says that nothing happened.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import TypeVar

from fleet.alerts import Alert, AlertStatus, Observation, Status
from fleet.findings import Fact, Severity, fit
from fleet.ledger.rows import RANKS, Moment, Row, State
from fleet.settings import within

DETAIL_CHARACTERS = 16_000
HISTORY = 30

R = TypeVar("R", bound="Row")


@dataclass(frozen=True, slots=True)
class Rules:
    """What people may set. `runbook_url` is the page whose anchors are the jobs' entries."""

    remind_warning: timedelta = timedelta(hours=24)
    remind_critical: timedelta = timedelta(hours=4)
    flapping_changes: int = 5
    flapping_window: timedelta = timedelta(hours=1)
    occurrence_window: timedelta = timedelta(hours=1)
    storm_openings: int = 10
    storm_window: timedelta = timedelta(minutes=5)
    runbook_url: str = ""

    def __post_init__(self) -> None:
        within("flapping_changes", self.flapping_changes, 2, 100)
        within("storm_openings", self.storm_openings, 1, 1_000)


def observed(row: R, seen: Observation, rules: Rules) -> R:
    """Apply what was seen, unless it is older than what was applied before, or the same once more."""
    if seen.at < row.at or (seen.at == row.at and seen.event_id in row.event_ids):
        return row
    ids = (*row.event_ids, seen.event_id) if seen.at == row.at else (seen.event_id,)
    known = replace(row, at=seen.at, event_ids=ids)
    match seen.status:
        case Status.OK:
            return (
                _closed(known, rules)
                if row.state is State.OPEN
                else replace(known, state=State.CLOSED)
            )
        case Status.FAILING:
            known = replace(known, last_seen=seen.at)
            return (
                _failing(known, seen, rules)
                if row.state is State.OPEN
                else _opened(known, seen, rules)
            )
    known = replace(known, last_seen=seen.at)
    repeated = row.state is State.OCCURRED and seen.at < row.opened_at + rules.occurrence_window
    if repeated or row.state is State.OPEN:
        return _worse(replace(known, count=row.count + 1), seen, rules)
    return _told(_begun(known, seen, State.OCCURRED), AlertStatus.OPENED, rules)


def reported(row: Row, seen: Observation, rules: Rules) -> Row:
    """Apply a finding of a job's report. One that was open already, and needs no alert, is left as it is."""
    due = row.remind_at is not None and row.remind_at <= seen.at
    if row.state is State.OPEN and not due and RANKS[seen.severity] <= RANKS[row.severity]:
        return row
    return observed(row, seen, rules)


def passed(row: R, now: datetime, rules: Rules) -> R:
    """Apply the passing of time: what flapped settles, and what is still open is called to mind."""
    if row.settles_at and row.settles_at <= now:
        row = replace(row, settles_at=None)
        if row.state is State.OPEN:
            return _reminded(replace(row, storm=""), now, rules)
        return row if row.storm else _told(row, AlertStatus.RESOLVED, rules)
    if row.remind_at and row.remind_at <= now:
        return _reminded(row, now, rules)
    return row


def folded(row: Row, storm: str) -> Row:
    """Leave it to a storm to tell that it opened; of its end, unless it got worse, nobody hears by itself."""
    owed = tuple(alert for alert in row.owed if alert.status is not AlertStatus.OPENED)
    return replace(row, owed=owed, storm=storm, remind_at=None)


def _opened(row: R, seen: Observation, rules: Rules) -> R:
    row = replace(row, changes=_changes(row, rules))
    if row.settles_at:  # people know that it flaps: only its getting worse is news
        row = replace(row, state=State.OPEN, settles_at=row.at + rules.flapping_window)
        row = _remembered(row, AlertStatus.OPENED, row.at)
        return _worse(replace(row, count=row.count + 1), seen, rules)
    row = _begun(row, seen, State.OPEN)
    recent = [at for at in row.changes if at > row.at - rules.flapping_window]
    if len(recent) >= rules.flapping_changes:
        row = replace(row, settles_at=row.at + rules.flapping_window)
    return _told(row, AlertStatus.OPENED, rules)


def _begun(row: R, seen: Observation, state: State) -> R:
    row = replace(
        row,
        state=state,
        severity=seen.severity,
        opened_at=seen.at,
        count=1,
        storm="",
        settles_at=None,
    )
    return _remembered(_described(row, seen), AlertStatus.OPENED, seen.at)


def _failing(row: R, seen: Observation, rules: Rules) -> R:
    row = replace(row, count=row.count + 1)
    if RANKS[seen.severity] > RANKS[row.severity]:
        return _worse(row, seen, rules)
    if row.remind_at and row.remind_at <= seen.at:
        return _reminded(_described(row, seen), seen.at, rules)
    return row


def _worse(row: R, seen: Observation, rules: Rules) -> R:
    if RANKS[seen.severity] <= RANKS[row.severity]:
        return row
    worse = _described(replace(row, severity=seen.severity, storm=""), seen)
    return _told(_remembered(worse, AlertStatus.ESCALATED, seen.at), AlertStatus.ESCALATED, rules)


def _closed(row: R, rules: Rules) -> R:
    row = replace(row, state=State.CLOSED, remind_at=None, changes=_changes(row, rules))
    row = _remembered(row, AlertStatus.RESOLVED, row.at)
    if row.settles_at:
        return replace(row, settles_at=row.at + rules.flapping_window)
    return row if row.storm else _told(row, AlertStatus.RESOLVED, rules)


def _reminded(row: R, now: datetime, rules: Rules) -> R:
    return _told(_remembered(row, AlertStatus.REMINDED, now), AlertStatus.REMINDED, rules, now)


def _remembered(row: R, status: AlertStatus, at: datetime) -> R:
    return replace(row, history=(*row.history, Moment(at, status, row.severity))[-HISTORY:])


def _changes(row: Row, rules: Rules) -> tuple[datetime, ...]:
    return (*row.changes, row.at)[-rules.flapping_changes :]


def _described(row: R, seen: Observation) -> R:
    return replace(
        row,
        title=seen.title,
        detail=_facts_for_alert(seen.detail),
        link=seen.link,
        owner=seen.owner or row.owner,
    )


def _told(row: R, status: AlertStatus, rules: Rules, now: datetime | None = None) -> R:
    """Return the row with an alert owed, and the next reminder planned.

    The id is a hash of what no other transition shares, so whoever tells of this one, and however often, names it so.
    """
    ordinal = row.ordinal + 1
    made_of = json.dumps([row.dedup_key, row.opened_at.isoformat(), status, ordinal])
    alert = Alert(
        id=hashlib.sha256(made_of.encode()).hexdigest()[:32],
        dedup_key=row.dedup_key,
        status=status,
        severity=row.severity,
        title=f"flapping: {row.title}" if row.settles_at else row.title,
        subject=row.subject,
        source=row.source,
        owner=row.owner,
        count=row.count,
        first_seen=row.opened_at,
        last_seen=row.last_seen,
        detail=row.detail,
        link=row.link,
        runbook=f"{rules.runbook_url}#{row.source}" if rules.runbook_url and row.run else "",
    )
    period = {Severity.WARNING: rules.remind_warning, Severity.CRITICAL: rules.remind_critical}.get(
        row.severity
    )
    lasts = row.state is State.OPEN and not row.settles_at
    remind_at = (now or row.at) + period if lasts and period else None
    return replace(row, ordinal=ordinal, owed=(*row.owed, alert), remind_at=remind_at)


def _facts_for_alert(detail: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return as many of the first facts as fit into an alert."""
    facts = {name: _plain(fact) for name, fact in detail.items()}
    return fit(facts, DETAIL_CHARACTERS, lambda some: len(json.dumps(some)))


def _plain(fact: Fact) -> Fact:
    """Return the fact as JSON can carry it: NaN and the infinities as text."""
    if isinstance(fact, float) and isfinite(fact):
        return fact
    return fact if isinstance(fact, str | int) else str(fact)
