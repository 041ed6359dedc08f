"""One fleet for all these tests, brought up once, that no command of a user finds."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from tests.fleet.repository import cloned
from tools import running
from tools.local import play, stack
from tools.local.call_log import Call
from tools.local.fleet import Fleet
from tools.local.play import Outcome
from tools.local.progress import LAST_RESORT_SECONDS
from tools.local.start import running_fleet
from tools.paths import ROOT
from tools.sandbox import isolated

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="package")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory in which the tests' fleet is announced."""
    return tmp_path_factory.mktemp("fleets")


@pytest.fixture(scope="package")
def fleet(registered: Path) -> Iterator[Fleet]:
    """The running fleet; its CodePipeline lives in this process, see
    `tools.local.moto_codepipeline`.
    """
    with (
        mock.patch.dict(os.environ, isolated(os.environ), clear=True),
        mock.patch.object(running, "FLEETS", registered),
        running_fleet() as started,
    ):
        yield started


@dataclass(frozen=True, slots=True)
class Played:
    """What became of all scenarios, and what the jobs called of AWS meanwhile."""

    outcomes: dict[str, Outcome]
    calls: set[Call]


@pytest.fixture(scope="package")
def played(fleet: Fleet) -> Played:
    """Every job, run once through its real trigger."""
    began = fleet.calls.mark()
    outcomes = {outcome.job: outcome for outcome in play.play_all(fleet)}
    return Played(outcomes, fleet.calls_since(began))


@pytest.fixture(scope="package")
def outcomes(played: Played) -> dict[str, Outcome]:
    """What became of each job; whatever it seeded is still there."""
    return played.outcomes


@pytest.fixture
def no_dead_letters(fleet: Fleet) -> Iterator[None]:
    """Begin and end without dead letters."""
    url = fleet.outputs["DeadLettersUrl"]
    fleet.account.sqs.purge_queue(QueueUrl=url)
    yield
    fleet.account.sqs.purge_queue(QueueUrl=url)


@pytest.fixture(scope="package")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this repository, for edits and for commands that write; what is built here is built
    there.
    """
    copy = cloned(tmp_path_factory.mktemp("clone"))
    with running.locked(stack.LOCK, shared=True):
        if stack.STAMP.exists():
            shutil.copytree(stack.BUILT.parent, copy / stack.BUILT.parent.relative_to(ROOT))
            (copy / "build").mkdir()
            shutil.copy(stack.STAMP, copy / "build")
    return copy


@pytest.fixture
def command(fleet: Fleet, clone: Path, registered: Path) -> Command:
    """Run a command of `tools.local` as a user in another terminal does."""

    def run(*arguments: str, fleets: Path = registered) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "tools.local", *arguments],
            cwd=clone,
            env={**os.environ, "FLEETS_DIRECTORY": str(fleets)},
            capture_output=True,
            text=True,
            timeout=LAST_RESORT_SECONDS,
            check=False,
        )

    return run
