from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.sample_alerts import SAMPLE

from fleet.ledger.mutes import Mute, end_early, find_mute, matches
from fleet.ledger.rows import KEPT, Row

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
MUTE = Mute("m1", "aws.x/*", "upgrade", "ada", NOW)
ROW = Row("aws.x", "db:1", owner="web")


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


def test_a_mute_that_ends_early_is_due_at_once_and_one_that_has_ended_stays_so() -> None:
    later = replace(MUTE, until=NOW + timedelta(hours=1))
    assert end_early(later, NOW).due == NOW
    assert end_early(MUTE, NOW + timedelta(hours=1)) == MUTE


def test_only_a_mute_that_is_over_and_owes_nothing_expires() -> None:
    assert MUTE.expires is None
    over = replace(MUTE, ended=True, told=True)
    assert (over.due, over.expires) == (None, NOW + KEPT)
    assert replace(over, owed=(SAMPLE,)).due == NOW
