"""A wait ends when the fleet comes to rest, however long it worked before."""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from tools.local import progress
from tools.local.progress import Failed, Progress


class Machine:
    """A clock that goes on whenever somebody sleeps, and a fleet that moves until a moment."""

    def __init__(self, moves_until: float = 0.0, letters_until: float = 0.0) -> None:
        self.now = 0.0
        self.moves_until, self.letters_until = moves_until, letters_until

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def work(self) -> float:
        return min(self.now, self.moves_until)

    def messages(self) -> Mapping[str, int]:
        return {"StartPipelineQueue": 1} if self.now < self.letters_until else {}


def wait(machine: Machine, monkeypatch: pytest.MonkeyPatch, until: float) -> object:
    monkeypatch.setattr(progress, "time", machine)
    fleet = Progress(machine.work, machine.messages)
    return fleet.wait_for(lambda: machine.now >= until, "nobody was told")


def test_a_wait_lasts_as_long_as_the_fleet_works(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wait(Machine(moves_until=1_000), monkeypatch, until=1_050)


def test_a_wait_lasts_as_long_as_messages_are_on_their_way(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wait(Machine(letters_until=400), monkeypatch, until=399)


def test_a_wait_ends_soon_after_the_fleet_came_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(moves_until=500, letters_until=530)
    with pytest.raises(Failed, match=re.escape("nobody was told (nothing has moved for 60 s)")):
        wait(machine, monkeypatch, until=1_000)
    assert machine.now == pytest.approx(561, abs=2)


def test_a_fleet_that_rested_before_the_wait_gets_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    machine.now = 5_000.0
    assert wait(machine, monkeypatch, until=5_050)


def test_a_wait_for_a_fleet_that_never_rests_says_so_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Failed, match="gave up after 60 minutes, while the fleet was still working"):
        wait(Machine(moves_until=1e9), monkeypatch, until=1e9)


def test_a_message_that_never_arrives_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failed, match="with messages on their way: 1 in StartPipelineQueue"):
        wait(Machine(letters_until=1e9), monkeypatch, until=1e9)


def test_an_action_is_tried_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "time", Machine())
    attempts = itertools.count()
    assert progress.retry(lambda: next(attempts) == 2, "never", attempts=3)
    with pytest.raises(Failed, match=re.escape("never (in 3 attempts)")):
        progress.retry(lambda: False, "never", attempts=3)


def test_cpu_time_is_that_of_the_group_without_its_leader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PROCESSES", tmp_path)
    for process, group, user, system in ((10, 10, 500, 5), (11, 10, 30, 7), (12, 99, 8, 8)):
        fields = f"{process} (a (b) c) S 1 {group} 1 0 -1 0 0 0 0 0 {user} {system} 0 0"
        (tmp_path / str(process)).mkdir()
        (tmp_path / str(process) / "stat").write_text(fields)
    assert progress.cpu_ticks(10) == 37
