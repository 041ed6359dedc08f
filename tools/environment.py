"""Make the virtual environments of this clone: `python3 tools/environment.py NAME...`.

Each comes from `requirements/NAME.txt` into `.venv/NAME`. One that is complete and up to date is
left alone; one whose requirements or Python changed, or that an interrupt left half made, is made
again. Standard library only: it runs first.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

OLDEST_PYTHON = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENVS = ROOT / ".venv"


def python(name: str) -> Path:
    """Return the interpreter of environment `name`."""
    return VENVS / name / "bin" / "python"


def fingerprint(requirements: Path) -> str:
    """Return what the environment depends on: the pinned requirements, and this Python."""
    return hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()


def commands(name: str, requirements: Path) -> list[list[str]]:
    """Return the commands that make environment `name`; uv makes all but its own."""
    venv = str(VENVS / name)
    if name == "uv":
        pip = [str(python(name)), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        return [
            [sys.executable, "-m", "venv", "--clear", venv],
            [*pip, "--require-hashes", "--requirement", str(requirements)],
        ]
    uv = str(VENVS / "uv" / "bin" / "uv")
    return [
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, venv],
        [
            uv,
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--python",
            str(python(name)),
            str(requirements),
        ],
    ]


def make(name: str) -> None:
    """Make environment `name` unless it is there already; two callers at once make it once."""
    requirements = ROOT / "requirements" / f"{name}.txt"
    if not requirements.is_file():
        known = ", ".join(sorted(path.stem for path in requirements.parent.glob("*.txt")))
        raise SystemExit(f"there is no environment {name!r}; known: {known}")
    wanted = fingerprint(requirements)
    stamp = VENVS / name / "complete"
    VENVS.mkdir(exist_ok=True)
    with open(VENVS / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.is_file() and stamp.read_text() == wanted and python(name).exists():
            return
        if name != "uv":
            make("uv")
        pins = sum("==" in line for line in requirements.read_text().splitlines())
        print(f"environment {name}: installing up to {pins} packages ...", flush=True)
        started = time.monotonic()
        for command in commands(name, requirements):
            done = subprocess.run(
                command, check=False, env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
            )
            if done.returncode:
                raise SystemExit(
                    f"environment {name}: exit code {done.returncode} from: {' '.join(command)}"
                )
        stamp.write_text(wanted)
        print(f"environment {name}: ready after {time.monotonic() - started:.1f} s", flush=True)


def main() -> None:
    """Make the environments that the command line names."""
    if sys.version_info < OLDEST_PYTHON:
        wanted, found = (
            ".".join(map(str, version[:2])) for version in (OLDEST_PYTHON, sys.version_info)
        )
        raise SystemExit(
            f"Python {wanted} or newer is needed and this is {found}: "
            "make PYTHON=/path/to/python3.13 ..."
        )
    if importlib.util.find_spec("ensurepip") is None:
        raise SystemExit(
            "this Python cannot make virtual environments: "
            "install its venv package (apt: python3-venv)"
        )
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for name in sys.argv[1:]:
        make(name)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
