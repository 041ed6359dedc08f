from dataclasses import replace
from datetime import UTC, datetime, timedelta

from fleet.alerts import Alert, AlertStatus
from fleet.findings import TITLE_CHARACTERS, Severity
from fleet.ledger.mutes import Mute, Withheld
from fleet.ledger.rows import KEPT
from fleet_triage.life import Rules
from fleet_triage.mute_end import end_mute

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
MUTE = Mute("m1", "aws.x/*", "upgrade", "ada", NOW)


def withheld(
    subject: str, status: AlertStatus, severity: Severity = Severity.WARNING, hour: int = 0
) -> Withheld:
    at = NOW + timedelta(hours=hour)
    id_ = f"{subject}{status}{hour}"
    alert = Alert(
        id_,
        f"aws.x/{subject}",
        status,
        severity,
        f"{subject} fails",
        subject,
        "aws.x",
        "",
        1,
        at,
        at,
    )
    return Withheld("m1", alert, NOW)


def test_the_end_tells_what_was_withheld() -> None:
    kept = [
        withheld("a", AlertStatus.RESOLVED, Severity.CRITICAL, hour=1),
        withheld("a", AlertStatus.OPENED, Severity.CRITICAL, hour=1),
        withheld("b", AlertStatus.RESOLVED),
        withheld("b", AlertStatus.OPENED, hour=1),
    ]
    done = end_mute(MUTE, kept, Rules())
    (alert,) = done.owed
    assert (alert.severity, alert.subject, alert.source) == (Severity.WARNING, "mute/m1", "fleet")
    assert alert.title == "The mute of aws.x/* has ended: it withheld 4 alerts about 2 findings"
    assert alert.detail == {
        "reason": "upgrade",
        "author": "ada",
        "not resolved": 1,
        "aws.x/a": "resolved (2 alerts): a fails",
        "aws.x/b": "opened (2 alerts): b fails",
    }
    assert (done.due, done.without_owed().due, done.without_owed().expires) == (
        NOW,
        None,
        NOW + KEPT,
    )
    assert end_mute(done.without_owed(), kept, Rules()) == done.without_owed()


def test_the_end_is_as_bad_as_the_worst_still_open() -> None:
    (alert,) = end_mute(MUTE, [withheld("a", AlertStatus.OPENED, Severity.CRITICAL)], Rules()).owed
    assert alert.severity is Severity.CRITICAL


def test_a_mute_that_withheld_nothing_ends_in_silence() -> None:
    assert end_mute(MUTE, [], Rules()) == replace(MUTE, told=True)


def test_a_long_pattern_does_not_make_the_title_too_long() -> None:
    mute = replace(MUTE, pattern="x" * 1_000)
    (alert,) = end_mute(mute, [withheld("a", AlertStatus.OPENED)], Rules()).owed
    assert len(alert.title) == TITLE_CHARACTERS
