"""The life of a finding, as functions of its row: opened, escalated, reminded, resolved.

Nothing here reads a clock or a store. Each function returns the row as it is after a transition,
with the alerts of the transition owed. One that has nothing to change returns the row it was given.
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

# Of the facts as JSON. An item of DynamoDB has room for 400 KB, and a row may owe several alerts.
DETAIL_CHARACTERS = 16_000
# So many transitions of a row are kept for people to read.
HISTORY = 30
ID_CHARACTERS = 32

R = TypeVar("R", bound="Row")


@dataclass(frozen=True, slots=True)
class Rules:
    """When alerts are sent, as people may set it."""

    remind_warning: timedelta = timedelta(hours=24)
    """Remind people of an open warning so long after the last alert about it."""
    remind_critical: timedelta = timedelta(hours=4)
    """Remind people of an open critical finding so long after the last alert about it."""
    flapping_changes: int = 5
    """A finding flaps when it opens or closes so often within `flapping_window`."""
    flapping_window: timedelta = timedelta(hours=1)
    """It stops flapping when it has not changed for so long."""
    occurrence_window: timedelta = timedelta(hours=1)
    """What occurs again within this time is counted, and alerts only if it is worse."""
    storm_openings: int = 10
    """More openings of one source than this within `storm_window` are a storm."""
    storm_window: timedelta = timedelta(minutes=5)
    runbook_url: str = ""
    """The page that has a section for each job, named after it; empty for no link."""

    def __post_init__(self) -> None:
        within("flapping_changes", self.flapping_changes, 2, 100)
        within("storm_openings", self.storm_openings, 1, 1_000)


def apply_observation(row: R, observation: Observation, rules: Rules) -> R:
    """Apply an observation, unless a newer one was applied before, or this very one."""
    if observation.at < row.at:
        return row
    applied = row.event_ids if observation.at == row.at else ()
    if observation.event_id in applied:
        return row
    row = replace(
        row,
        at=observation.at,
        event_ids=(*applied, observation.event_id),
    )
    match observation.status:
        case Status.OK:
            return _apply_ok(row, rules)
        case Status.FAILING:
            return _apply_failure(row, observation, rules)
        case Status.OCCURRED:
            return _apply_occurrence(row, observation, rules)


def apply_report_finding(row: Row, observation: Observation, rules: Rules) -> Row:
    """Apply a finding of a job's report.

    A row that is open already and needs no alert is left as it is, so that it need not be written.
    """
    reminds = _is_over(row.remind_at, observation.at)
    news = reminds or _is_worse(observation, row)
    if row.is_open and not news:
        return row
    return apply_observation(row, observation, rules)


def after_timers(row: R, now: datetime, rules: Rules) -> R:
    """End flapping that has been quiet for long enough, and remind people of what is still open."""
    if _is_over(row.settles_at, now):
        return _settle(row, now, rules)
    if _is_over(row.remind_at, now):
        return _remind(row, now, rules)
    return row


def fold_into_storm(row: Row, episode: str) -> Row:
    """Leave the alert about the opening to a storm.

    Nor does the finding alert when it ends or while it lasts, unless it gets worse.
    """
    others = [alert for alert in row.owed if alert.status is not AlertStatus.OPENED]
    return replace(
        row,
        owed=tuple(others),
        storm=episode,
        remind_at=None,
    )


def _apply_ok(row: R, rules: Rules) -> R:
    if row.is_open:
        return _close(row, rules)
    return replace(row, state=State.CLOSED)


def _apply_failure(row: R, observation: Observation, rules: Rules) -> R:
    row = replace(row, last_seen=observation.at)
    if row.is_open:
        return _stay_open(row, observation, rules)
    return _open(row, observation, rules)


def _apply_occurrence(row: R, observation: Observation, rules: Rules) -> R:
    row = replace(row, last_seen=observation.at)
    window_ends = row.opened_at + rules.occurrence_window
    repeated = row.state is State.OCCURRED and observation.at < window_ends
    if repeated or row.is_open:
        row = _count(row)
        return _escalate_if_worse(row, observation, rules)
    row = _begin_episode(row, observation, State.OCCURRED)
    return _owe_alert(row, AlertStatus.OPENED, row.at, rules)


def _open(row: R, observation: Observation, rules: Rules) -> R:
    row = _add_change(row, rules)
    if row.settles_at:
        return _reopen_while_flapping(row, observation, rules)
    row = _begin_episode(row, observation, State.OPEN)
    if _has_begun_to_flap(row, rules):
        row = _start_flapping_window(row, rules)
    return _owe_alert(row, AlertStatus.OPENED, row.at, rules)


def _reopen_while_flapping(row: R, observation: Observation, rules: Rules) -> R:
    """People know already that it flaps: they are alerted only if it is worse than before."""
    row = replace(row, state=State.OPEN)
    row = _start_flapping_window(row, rules)
    row = _count(row)
    row = _add_to_history(row, AlertStatus.OPENED, row.at)
    return _escalate_if_worse(row, observation, rules)


def _begin_episode(row: R, observation: Observation, state: State) -> R:
    row = replace(
        row,
        state=state,
        severity=observation.severity,
        opened_at=observation.at,
        count=1,
        storm="",
        settles_at=None,
    )
    row = _describe(row, observation)
    return _add_to_history(row, AlertStatus.OPENED, observation.at)


def _stay_open(row: R, observation: Observation, rules: Rules) -> R:
    row = _count(row)
    if _is_worse(observation, row):
        return _escalate_if_worse(row, observation, rules)
    if _is_over(row.remind_at, observation.at):
        row = _describe(row, observation)
        return _remind(row, observation.at, rules)
    return row


def _escalate_if_worse(row: R, observation: Observation, rules: Rules) -> R:
    if not _is_worse(observation, row):
        return row
    row = replace(row, severity=observation.severity, storm="")
    row = _describe(row, observation)
    row = _add_to_history(row, AlertStatus.ESCALATED, observation.at)
    return _owe_alert(row, AlertStatus.ESCALATED, row.at, rules)


def _close(row: R, rules: Rules) -> R:
    row = replace(
        row,
        state=State.CLOSED,
        remind_at=None,
    )
    row = _add_change(row, rules)
    row = _add_to_history(row, AlertStatus.RESOLVED, row.at)
    if row.settles_at:  # the alert waits until it has settled
        return _start_flapping_window(row, rules)
    return _owe_resolution(row, rules)


def _settle(row: R, now: datetime, rules: Rules) -> R:
    """End the flapping: alert which way it settled."""
    row = replace(row, settles_at=None)
    if row.is_open:
        row = replace(row, storm="")
        return _remind(row, now, rules)
    return _owe_resolution(row, rules)


def _owe_resolution(row: R, rules: Rules) -> R:
    if row.storm:  # the end of the storm is the alert
        return row
    return _owe_alert(row, AlertStatus.RESOLVED, row.at, rules)


def _remind(row: R, now: datetime, rules: Rules) -> R:
    row = _add_to_history(row, AlertStatus.REMINDED, now)
    return _owe_alert(row, AlertStatus.REMINDED, now, rules)


def _count(row: R) -> R:
    return replace(row, count=row.count + 1)


def _is_over(timer: datetime | None, now: datetime) -> bool:
    return timer is not None and timer <= now


def _is_worse(observation: Observation, row: Row) -> bool:
    new = RANKS[observation.severity]
    return new > RANKS[row.severity]


def _has_begun_to_flap(row: Row, rules: Rules) -> bool:
    window_begins = row.at - rules.flapping_window
    recent = [at for at in row.changes if at > window_begins]
    return len(recent) >= rules.flapping_changes


def _start_flapping_window(row: R, rules: Rules) -> R:
    settles_at = row.at + rules.flapping_window
    return replace(row, settles_at=settles_at)


def _add_change(row: R, rules: Rules) -> R:
    changes = (*row.changes, row.at)
    return replace(row, changes=changes[-rules.flapping_changes :])


def _add_to_history(row: R, status: AlertStatus, at: datetime) -> R:
    history = (*row.history, Moment(at, status, row.severity))
    return replace(row, history=history[-HISTORY:])


def _describe(row: R, observation: Observation) -> R:
    return replace(
        row,
        title=observation.title,
        detail=_facts_for_alert(observation.detail),
        link=observation.link,
        owner=observation.owner or row.owner,
    )


def _facts_for_alert(detail: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return as many of the first facts as fit into an alert."""
    facts = {name: _plain(fact) for name, fact in detail.items()}
    return fit(facts, DETAIL_CHARACTERS, _characters)


def _plain(fact: Fact) -> Fact:
    """Return the fact as JSON can carry it: NaN and the infinities as text."""
    if isinstance(fact, str | int):
        return fact
    if isinstance(fact, float) and isfinite(fact):
        return fact
    return str(fact)


def _characters(facts: Mapping[str, Fact]) -> int:
    return len(json.dumps(facts))


def _owe_alert(
    row: R,
    status: AlertStatus,
    at: datetime,
    rules: Rules,
) -> R:
    """Return the row with an alert owed, and the next reminder set, counted from `at`."""
    row = replace(row, ordinal=row.ordinal + 1)
    alert = Alert(
        id=_alert_id(row, status),
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
        runbook=_runbook(row, rules),
    )
    return replace(
        row,
        owed=(*row.owed, alert),
        remind_at=_next_reminder(row, at, rules),
    )


def _alert_id(row: Row, status: AlertStatus) -> str:
    """Hash what no other transition shares, so that every copy of this alert has the same id."""
    episode = row.opened_at.isoformat()
    transition = json.dumps([row.dedup_key, episode, status, row.ordinal])
    digest = hashlib.sha256(transition.encode())
    return digest.hexdigest()[:ID_CHARACTERS]


def _runbook(row: Row, rules: Rules) -> str:
    reported_by_a_job = row.run != 0
    if not rules.runbook_url or not reported_by_a_job:
        return ""
    return f"{rules.runbook_url}#{row.source}"


def _next_reminder(row: Row, since: datetime, rules: Rules) -> datetime | None:
    if row.settles_at or not row.is_open:
        return None
    periods = {
        Severity.WARNING: rules.remind_warning,
        Severity.CRITICAL: rules.remind_critical,
    }
    period = periods.get(row.severity)
    return since + period if period else None
