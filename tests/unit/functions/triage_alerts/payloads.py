"""Real messages, and beside them what must be observed in each.

A line of `expected.txt` is `file | status severity | source subject | title`.
"""

import json
from pathlib import Path
from typing import Any

from fleet.alerts import Observation
from fleet_triage.messages import from_message

EVENTS = Path(__file__).parents[3] / "events" / "alerts"
FILES = sorted(path for path in EVENTS.glob("*/*") if path.name != "expected.txt")


def text(name: str) -> str:
    """Return a message as it arrives, such as `cloudwatch/sns_alarm`."""
    (path,) = EVENTS.glob(f"{name}.*")
    return path.read_text()


def document(name: str) -> Any:
    """Return a decoded message."""
    return json.loads(text(name))


def observed(name: str, **changes: Any) -> Observation:
    """Return the one observation of an event, with changes to its detail."""
    event = document(name)
    if changes:
        event["detail"] |= changes
    (observation,) = from_message(event)
    return observation


def expected(folder: Path) -> dict[str, list[str]]:
    """Return the lines of a folder's `expected.txt` by file."""
    found: dict[str, list[str]] = {}
    for line in (folder / "expected.txt").read_text().splitlines():
        name, *told = (part.strip() for part in line.split(" | ", 3))
        found.setdefault(name, []).append(" | ".join(told))
    return found
