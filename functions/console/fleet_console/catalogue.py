"""What each job of the fleet is, as the checkout says that it was deployed from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

# `sam build` and the Dockerfile write it; in a checkout there is no such file.
BUILT = Path(__file__).parent / "catalogue.json"


@dataclass(frozen=True, slots=True)
class Job:
    """A job of the fleet.

    `kind` is `schedule` or `queue`, and `trigger` says in words when the job runs. Each permission
    has `actions`, `resources` and `condition`. `runbook` is Markdown.
    """

    name: str
    summary: str
    kind: str
    trigger: str
    permissions: tuple[Mapping[str, Any], ...]
    runbook: str

    @property
    def scheduled(self) -> bool:
        """Whether a schedule starts the job, rather than its queue."""
        return self.kind == "schedule"


@cache  # lives as long as the process
def jobs() -> dict[str, Job]:
    """Return all jobs by their names, in the template's order."""
    entries = json.loads(_document())
    return {entry["name"]: _job(entry) for entry in entries}


def _job(entry: Mapping[str, Any]) -> Job:
    return Job(
        entry["name"],
        entry["summary"],
        entry["kind"],
        entry["trigger"],
        tuple(entry["permissions"]),
        entry["runbook"],
    )


def _document() -> str:
    if BUILT.exists():
        return BUILT.read_text()
    from tools.develop.catalogue import catalogue  # a checkout has the tools; nothing deployed has

    return catalogue()
