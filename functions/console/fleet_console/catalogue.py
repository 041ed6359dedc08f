"""What each job is, as the checkout says that it was deployed from: `make docs` writes `catalogue.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).parent / "catalogue.json"


@dataclass(frozen=True, slots=True)
class Job:
    """A job: what it does, what triggers it, what it may do, and what to do about what it says."""

    name: str
    summary: str
    kind: str
    trigger: str
    permissions: tuple[Mapping[str, Any], ...]
    runbook: str

    @property
    def scheduled(self) -> bool:
        return self.kind == "schedule"


@cache
def jobs() -> dict[str, Job]:
    """Return all jobs by their names."""
    found = [
        Job(**{**each, "permissions": tuple(each["permissions"])})
        for each in json.loads(CATALOGUE.read_text())
    ]
    return {job.name: job for job in found}
