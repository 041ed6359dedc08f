"""The files of the repository, as git sees them."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from tools.manifest import ROOT


@cache
def files() -> list[Path]:
    """Return every file that is tracked, or would be: what is ignored is left out."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip(f"this is no git checkout: {listing.stderr.strip()}")
    return sorted(
        path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()
    )


def text(path: Path) -> str:
    """Return the file's text; what is no text has none."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def cloned(to: Path) -> Path:
    """Copy the repository's files as they are now, with its environments; return the root."""
    for path in files():
        copy = to / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    (to / ".venv").symlink_to((ROOT / ".venv").resolve())
    return to
