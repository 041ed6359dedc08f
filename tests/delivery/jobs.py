"""Every job of the template as a handler with its environment, so that a new job is tested like the others."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tests.fleet.template import events, functions, real
from tools.manifest import ROOT, snake_case


@dataclass(frozen=True, slots=True)
class Job:
    """A function of the template: what it is, whether a queue feeds it, and its environment as far as it is text."""

    name: str
    of_queue: bool
    environment: dict[str, str]

    @property
    def handler(self) -> Callable[[Any, Any], Any]:
        """The job's handler."""
        handler: Callable[[Any, Any], Any] = import_module(f"functions.{self.name}.app").handler
        return handler

    @property
    def event(self) -> dict[str, Any]:
        """The real event of the job."""
        event: dict[str, Any] = json.loads((ROOT / "tests" / "events" / f"{self.name}.json").read_text())
        return event


def jobs() -> list[Job]:
    """Return all jobs, by name; what the template computes has the name of its variable as its value."""
    found = []
    for name, function in functions(real()):
        variables = function["Environment"]["Variables"]
        environment = {key: value if isinstance(value, str) else f"/{key}" for key, value in variables.items()}
        found.append(Job(snake_case(name), any(events(function, "SQS")), environment))
    return found


def batch(job: Job, *bodies: str, attempts: list[int] | int = 1) -> dict[str, Any]:
    """Return the job's event with messages m0, m1, ... of these bodies."""
    (record,) = job.event["Records"]
    counts = attempts if isinstance(attempts, list) else [attempts] * len(bodies)
    return {
        "Records": [
            {
                **record,
                "messageId": f"m{number}",
                "body": body,
                "attributes": {**record["attributes"], "ApproximateReceiveCount": str(count)},
            }
            for number, (body, count) in enumerate(zip(bodies, counts, strict=True))
        ]
    }
