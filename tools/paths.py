"""Where things are in this clone."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
FLEETS = Path(os.environ.get("FLEETS_DIRECTORY") or BUILD / "fleets")
"""One file and one directory of temporary state for each running fleet; tests keep theirs
elsewhere, so that no command of a user finds them, nor they a user's.
"""
