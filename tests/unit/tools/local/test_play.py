"""What the demo says became of a job, and where it writes that."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tools.local import play
from tools.local.destinations import Destinations
from tools.local.fleet import Fleet
from tools.local.play import Outcome
from tools.local.progress import Failed


class Scenario:
    """A scenario whose `play` raises an error, or says something."""

    TRIGGER = "schedule"

    def __init__(self, end: Exception | str) -> None:
        self.end = end

    def seed(self, _: Fleet) -> None: ...

    def play(self, _: Fleet) -> str:
        if isinstance(self.end, Exception):
            raise self.end
        return self.end


@pytest.mark.parametrize(
    ("end", "outcome", "detail"),
    [
        ("deleted 3 objects", "ok", "deleted 3 objects"),
        (Failed("nothing was deleted"), "failed", "nothing was deleted"),
        (KeyError("subject"), "failed", "the scenario broke: KeyError: 'subject'"),
    ],
)
def test_an_outcome_says_what_became_of_the_job(
    end: Exception | str, outcome: str, detail: str
) -> None:
    fleet: Any = None  # no scenario here asks for it
    assert play.play(fleet, "prune_objects", Scenario(end)) == Outcome(
        "prune_objects", "schedule", outcome, detail
    )


OUTCOMES = [
    Outcome("first", "schedule", "ok", "found [red]1[/red]"),
    Outcome("second", "event", "failed", "[/] why"),
]


def test_the_result_file_has_the_agreed_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(play, "RESULT", tmp_path / "demo.json")

    play.write(OUTCOMES, 8.04, Destinations())

    assert json.loads(play.RESULT.read_text()) == {
        "ready_s": 8.0,
        "jobs": [
            {
                "job": "first",
                "trigger": "schedule",
                "outcome": "ok",
                "detail": "found [red]1[/red]",
            },
            {"job": "second", "trigger": "event", "outcome": "failed", "detail": "[/] why"},
        ],
        "deliveries": [],
    }


def test_the_table_shows_details_as_they_are() -> None:
    shown = io.StringIO()

    Console(file=shown, width=120).print(play.table(OUTCOMES))

    assert "found [red]1[/red]" in shown.getvalue()
    assert "[/] why" in shown.getvalue()


@pytest.mark.parametrize(("cores", "load", "scenarios"), [(2, 0.4, 8), (2, 4.0, 4), (2, 15.0, 3)])
def test_a_busy_machine_plays_fewer_scenarios_at_once(
    cores: int, load: float, scenarios: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    assert play.at_once() == scenarios
