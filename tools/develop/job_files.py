"""Where a job's files are, and what a job may be called."""

import re

from tools.manifest import ROOT

# Folders and files that belong to one job alone, wherever it has them.
OWN = (
    "functions/{job}",
    "tests/events/{job}.json",
    "tests/unit/functions/test_{job}.py",
    "tests/unit/functions/{job}",
    "tools/local/scenarios/{job}.py",
)
RUNBOOK = ROOT / "docs" / "operations.md"
TEMPLATE = ROOT / "template.yaml"
# Lambda takes 64 characters, of which the stack's name needs some, and a rule's suffix too.
LONGEST_NAME = 40
EMPTY_NAMES = {"utils", "helpers", "common", "manager"}


def fault(job: str) -> str:
    """Say why a job cannot have this name, or nothing."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)+", job):
        return (
            f"{job!r} is not a job's name: use snake_case of two or more words, as in stale_images"
        )
    if empty := EMPTY_NAMES & set(job.split("_")):
        return f"{job!r} says nothing by {', '.join(empty)}: name the job after what it is for"
    if len(job) > LONGEST_NAME:
        return f"{job!r} is longer than {LONGEST_NAME} characters, too long for a function's name"
    return ""


def jobs() -> list[str]:
    """Return the names of all jobs; the console is not one."""
    names = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
    return [name for name in names if name != "console"]
