from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fleet.alerts import Alert, AlertStatus
from fleet.findings import Severity
from fleet.ledger.mutes import Mute, Withheld, find_mute, matches
from fleet.ledger.rows import KEPT, Row
from fleet_triage.life import Rules
from fleet_triage.mutes import ended

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
MUTE = Mute("m1", "aws.x/*", "upgrade", "ada", NOW)
ROW = Row("aws.x", "db:1", owner="web")


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


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("aws.x/*", True),
        ("*", True),
        ("aws.y/*", False),
        ("db:*", False),
        ("subject:db:*", True),
        ("source:aws.?", True),
        ("owner:w*", True),
        ("owner:x*", False),
        ("title:*", False),
    ],
)
def test_a_pattern_matches_the_key_or_a_field(pattern: str, wanted: bool) -> None:
    assert matches(pattern, ROW) is wanted


def test_a_mute_holds_until_its_end() -> None:
    assert find_mute([MUTE], ROW, NOW - timedelta(seconds=1)) == MUTE
    assert find_mute([MUTE], ROW, NOW) is None
    assert find_mute([replace(MUTE, ended=True)], ROW, NOW - timedelta(seconds=1)) is None


@pytest.mark.parametrize("name", ["id", "pattern", "reason", "author"])
def test_a_mute_needs_all_its_facts(name: str) -> None:
    with pytest.raises(ValueError, match=f"a mute needs {name}"):
        replace(MUTE, **{name: " "})  # type: ignore[arg-type]


def test_the_end_tells_what_was_withheld() -> None:
    kept = [
        withheld("a", AlertStatus.RESOLVED, Severity.CRITICAL, hour=1),
        withheld("a", AlertStatus.OPENED, Severity.CRITICAL, hour=1),
        withheld("b", AlertStatus.RESOLVED),
        withheld("b", AlertStatus.OPENED, hour=1),
    ]
    done = ended(MUTE, kept, Rules())
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
    assert (done.due, done.paid().due, done.paid().expires) == (NOW, None, NOW + KEPT)
    assert ended(done.paid(), kept, Rules()) == done.paid()


def test_the_end_is_as_bad_as_the_worst_still_open() -> None:
    (alert,) = ended(MUTE, [withheld("a", AlertStatus.OPENED, Severity.CRITICAL)], Rules()).owed
    assert alert.severity is Severity.CRITICAL


def test_a_mute_that_withheld_nothing_ends_in_silence() -> None:
    assert ended(MUTE, [], Rules()) == replace(MUTE, told=True)
