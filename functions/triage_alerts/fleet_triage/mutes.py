"""The end of a mute: one alert about what it withheld."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from fleet.alerts import Alert, AlertStatus, Observation, Status
from fleet.findings import TITLE_CHARACTERS, Fact, Severity, cut
from fleet.ledger.mutes import Mute, Withheld
from fleet.ledger.rows import RANKS, Row
from fleet_triage.life import Rules, observed


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
    title = (
        f"The mute of {mute.pattern} has ended: "
        f"it withheld {len(withheld)} alerts about {len(last)} findings"
    )
    seen = Observation(
        source="fleet",
        subject=f"mute/{mute.id}",
        status=Status.OCCURRED,
        severity=max(
            (Severity.WARNING, *(alert.severity for alert in lasting)), key=RANKS.__getitem__
        ),
        title=cut(title, TITLE_CHARACTERS),
        at=mute.until,
        event_id=mute.id,
        detail=detail,
    )
    return replace(mute, told=True, owed=observed(Row(seen.source, seen.subject), seen, rules).owed)


def _resolves(alert: Alert) -> bool:
    return alert.status is AlertStatus.RESOLVED
