from datetime import UTC, datetime, timedelta

from fleet.ledger.rows import KEPT, State
from fleet.ledger.storms import STORMS, Storm

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


def test_each_sweep_looks_at_an_open_storm() -> None:
    storm = Storm("aws.x", "(storm)", State.OPEN, opened_at=NOW, remind_at=NOW + timedelta(hours=4))
    assert storm.key == (STORMS, "aws.x")
    assert (storm.due, storm.expires) == (NOW, None)


def test_a_storm_that_never_opened_expires_after_its_window() -> None:
    storm = Storm("aws.x", "(storm)", since=NOW, openings=3)
    assert (storm.due, storm.expires) == (None, NOW + KEPT)


def test_each_episode_has_its_own_name() -> None:
    names = {
        Storm("aws.x", "(storm)", opened_at=NOW + timedelta(minutes=minute)).episode
        for minute in range(3)
    }
    assert len(names) == 3
