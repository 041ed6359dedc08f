"""Which fleets run here, and what is left of those that were killed."""

from pathlib import Path

import pytest
from tools import running
from tools.errors import FleetError
from tools.running import Running, newest, state


@pytest.fixture(autouse=True)
def fleets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(running, "FLEETS", tmp_path)
    return tmp_path


def announce(pid: int, started: float) -> None:
    Running(pid, started, "http://127.0.0.1:1", {}, "fleet-local", {}).announce()


def test_without_a_fleet_people_hear_how_to_start_one() -> None:
    with pytest.raises(FleetError, match="start one with `make run`"):
        newest()


def test_the_newest_fleet_is_found() -> None:
    announce(1, started=10.0)
    announce(2, started=30.0)
    announce(3, started=20.0)
    assert newest().pid == 2


def test_what_a_killed_fleet_left_is_removed(fleets: Path) -> None:
    (fleets / "7").mkdir()
    announce(7, started=10.0)
    with state() as mine:
        assert not (fleets / "7").exists()
        assert not (fleets / "7.json").exists()
        assert mine.is_dir()
    assert not mine.exists()
