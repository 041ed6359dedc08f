"""Which fleets run in this clone: `build/fleets/PID.json`, and the directory `build/fleets/PID` for
what is temporary.

A fleet holds a lock on its directory for as long as it lives, so what a killed one left can be told
and removed.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tools.errors import FleetError
from tools.paths import FLEETS

REMOVAL_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Running:
    """What other commands need to know of a running fleet."""

    pid: int
    started: float
    """Seconds since the epoch."""
    endpoint: str
    services: dict[str, str]
    """Environment variables that lead a client to the services that the emulator lacks."""
    stack: str
    deployed: dict[str, str]
    """Fingerprint of each source as it is deployed now."""

    @property
    def file(self) -> Path:
        """Return the file that announces this fleet."""
        return FLEETS / f"{self.pid}.json"

    def announce(self) -> None:
        """Write or replace the file."""
        draft = self.file.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(self.file)

    def with_deployed(self, deployed: dict[str, str]) -> "Running":
        """Return this fleet with other sources deployed."""
        return replace(self, deployed=deployed)


@contextmanager
def locked(path: Path, shared: bool = False) -> Iterator[None]:
    """Hold the lock of this file, waiting for it; it is let go even when the process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


@contextmanager
def state() -> Iterator[Path]:
    """Yield a directory for this process, removed at the end like those of killed fleets."""
    mine = FLEETS / str(os.getpid())
    with locked(FLEETS / "lock"):
        _sweep()
        mine.mkdir()
        held = os.open(mine, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield mine
    finally:
        with locked(FLEETS / "lock"):
            _remove(mine)
        os.close(held)


def newest() -> Running:
    """Return the running fleet that started last."""
    with locked(FLEETS / "lock"):
        _sweep()
        fleets = [Running(**json.loads(file.read_text())) for file in FLEETS.glob("*.json")]
    if not fleets:
        raise FleetError(
            "no fleet is running in this clone: start one with `make run` in another terminal"
        )
    return max(fleets, key=lambda fleet: fleet.started)


def _sweep() -> None:
    for left in FLEETS.iterdir():
        if left.is_dir():
            handle = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(left)
            except BlockingIOError:
                pass
            finally:
                os.close(handle)


def _remove(directory: Path) -> None:
    directory.with_suffix(".json").unlink(missing_ok=True)
    for _ in range(REMOVAL_ATTEMPTS):
        shutil.rmtree(directory, ignore_errors=True)
        if not directory.exists():
            return
        time.sleep(0.1)  # a process that was just killed may have written once more
