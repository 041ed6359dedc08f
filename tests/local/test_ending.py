"""A fleet that is asked to end leaves no process and no state behind, wherever it was."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tools.local.stack import jobs

PROCESSES = Path("/proc")
NOTHING_TO_DO = """
TRIGGER = "none"


def seed(_: object) -> None: ...


def play(_: object) -> str:
    return "nothing was to be done"
"""

pytestmark = [
    pytest.mark.skipif(
        not PROCESSES.is_dir(), reason="only Linux shows every process and its environment"
    ),
    pytest.mark.timeout(1_800),
]


@contextmanager
def started(clone: Path, fleets: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start `make run`'s command in a session of its own; the signal of a test reaches that one
    process only.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.local", "run"],
        cwd=clone,
        env={**os.environ, "FLEETS_DIRECTORY": str(fleets)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def processes(fleets: Path) -> list[str]:
    """Return the command line of each process with the fleet's directory in its environment."""
    found = []
    for process in PROCESSES.glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile, or is somebody else's
            if str(fleets).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def while_deploying(process: "subprocess.Popen[str]", fleets: Path) -> None:
    while not any("sam deploy" in line for line in processes(fleets)):
        assert process.poll() is None, "sam was not started"
        time.sleep(0.05)


def while_it_stays_up(process: "subprocess.Popen[str]", fleets: Path) -> None:
    assert process.stdout
    assert any("the fleet stays up" in line for line in process.stdout)


@pytest.mark.parametrize(("reached", "exit_code"), [(while_deploying, 130), (while_it_stays_up, 0)])
def test_nothing_is_left_behind(
    reached: Callable[["subprocess.Popen[str]", Path], None],
    exit_code: int,
    clone: Path,
    tmp_path: Path,
) -> None:
    for job in jobs():
        (clone / "tools" / "local" / "scenarios" / f"{job}.py").write_text(NOTHING_TO_DO)
    with started(clone, tmp_path) as process:
        reached(process, tmp_path)
        assert any("ministack" in each for each in processes(tmp_path))

        process.send_signal(signal.SIGTERM)

        said, _ = process.communicate()
    assert "Traceback" not in said
    assert process.returncode == exit_code
    # Those that were killed may take a moment to be gone.
    for _ in range(100):
        if not (left := processes(tmp_path)):
            break
        time.sleep(0.1)
    assert left == []
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
