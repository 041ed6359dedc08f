"""An environment is made once, and again when what it depends on has changed."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from tools import environment


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Environments of a clone of its own, whose commands do no more than make an interpreter."""
    run: list[str] = []

    def make(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        run.append(command[-1])
        for name in ("uv", "dev"):
            environment.python(name).parent.mkdir(parents=True, exist_ok=True)
            environment.python(name).touch()
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENVS", tmp_path / ".venv")
    monkeypatch.setattr(subprocess, "run", make)
    (tmp_path / "requirements").mkdir()
    for name in ("uv", "dev"):
        (tmp_path / "requirements" / f"{name}.txt").write_text("ruff==1\n")
    return run


def test_it_is_made_once(commands: list[str]) -> None:
    environment.make("dev")
    made = len(commands)
    environment.make("dev")
    assert made == len(commands) == 4  # two commands for uv, and two for the environment itself


def test_it_is_made_again_when_its_requirements_change(commands: list[str], tmp_path: Path) -> None:
    environment.make("dev")
    (tmp_path / "requirements" / "dev.txt").write_text("ruff==2\n")
    environment.make("dev")
    assert len(commands) == 6


def test_an_unknown_one_is_refused_with_those_that_are_known(commands: list[str]) -> None:
    with pytest.raises(SystemExit, match="there is no environment 'x'; known: dev, uv"):
        environment.make("x")
