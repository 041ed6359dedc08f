"""Where things are in this clone."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
FLEETS = BUILD / "fleets"
"""One file and one directory of temporary state for each running fleet."""
