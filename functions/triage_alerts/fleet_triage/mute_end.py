"""The end of a mute: one alert about what it withheld."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from fleet.alerts import Alert, AlertStatus, Observation, Status
from fleet.findings import SOURCE, TITLE_CHARACTERS, Fact, Severity, cut
from fleet.ledger.mutes import Mute, Withheld
from fleet.ledger.rows import RANKS, Row
from fleet_triage.life import Rules, apply_observation


def end_mute(mute: Mute, withheld: Sequence[Withheld], rules: Rules) -> Mute:
    """Return the mute with the alert about its end owed, if it withheld anything.

    The mute must have been committed as ended before `withheld` was read, so that nothing is
    withheld later. The alert is as severe as the worst finding that is still open, and at least a
    warning.
    """
    if mute.told or not withheld:
        return replace(mute, told=True)
    alerts = [item.alert for item in withheld]
    alerts.sort(key=_order)
    last = {alert.dedup_key: alert for alert in alerts}
    unresolved = [alert for alert in last.values() if not _resolves(alert)]
    title = (
        f"The mute of {mute.pattern} has ended: "
        f"it withheld {len(alerts)} alerts about {len(last)} findings"
    )
    detail: dict[str, Fact] = {
        "reason": mute.reason,
        "author": mute.author,
        "not resolved": len(unresolved),
    }
    observation = Observation(
        source=SOURCE,
        subject=f"mute/{mute.id}",
        status=Status.OCCURRED,
        severity=_severity(unresolved),
        title=cut(title, TITLE_CHARACTERS),
        at=mute.until,
        event_id=mute.id,
        detail=detail | _findings(alerts),
    )
    row = Row(observation.source, observation.subject)
    row = apply_observation(row, observation, rules)
    return replace(
        mute,
        told=True,
        owed=row.owed,
    )


def _findings(alerts: Sequence[Alert]) -> dict[str, Fact]:
    """Say of each finding how many alerts were withheld, and what the last one said."""
    counts: Counter[str] = Counter()
    findings: dict[str, Fact] = {}
    for alert in alerts:
        key = alert.dedup_key
        counts[key] += 1
        findings[key] = f"{alert.status} ({counts[key]} alerts): {alert.title}"
    return findings


def _severity(unresolved: Sequence[Alert]) -> Severity:
    severities = [alert.severity for alert in unresolved]
    severities.append(Severity.WARNING)
    return max(severities, key=RANKS.__getitem__)


def _order(alert: Alert) -> tuple[datetime, bool]:
    """Sort alerts by episode; within one, its resolution is the last."""
    return alert.first_seen, _resolves(alert)


def _resolves(alert: Alert) -> bool:
    return alert.status is AlertStatus.RESOLVED
