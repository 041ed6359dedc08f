"""What each job of the running fleet calls of AWS, and what IAM decided.

The emulator, and the gate before the services that it lacks, append each decision to one file.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "calls.jsonl"


@dataclass(frozen=True, slots=True)
class Decision:
    """What IAM said to one action on one resource, asked for with an access key."""

    key: str
    action: str
    resource: str
    allowed: bool


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """A decision, and the job whose call it was about."""

    job: str
    action: str
    resource: str
    allowed: bool


class CallLog:
    """The calls of one fleet."""

    def __init__(self, directory: Path) -> None:
        """Keep them in the directory that the emulator runs in."""
        self.file = directory / FILE
        self.file.touch()

    def add(self, decision: Decision) -> None:
        """Append a decision."""
        with self.file.open("a") as file:
            file.write(json.dumps(asdict(decision)) + "\n")

    def mark(self) -> int:
        """Return where the record ends now."""
        return self.file.stat().st_size

    def since(self, mark: int, jobs: Mapping[str, str]) -> set[Call]:
        """Return the calls since then of these jobs, which are given by their access keys."""
        with self.file.open() as file:
            file.seek(mark)
            decisions = [Decision(**json.loads(line)) for line in file if line.endswith("\n")]
        calls = set()
        for decision in decisions:
            job = jobs.get(decision.key)
            if job:
                call = Call(job, decision.action, decision.resource, decision.allowed)
                calls.add(call)
        return calls
