"""Every job of the template as a handler with its environment, so that a new job is tested like the
others.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tests import conftest
from tests.fleet.template import events, functions, real
from tools.manifest import ROOT, snake_case


@dataclass(frozen=True, slots=True)
class Job:
    """A function of the template that events start: a queue's, a schedule's or both, whose queue
    has parts of runs.

    Its environment is what the template has, as far as that is text.
    """

    name: str
    of_queue: bool
    of_schedule: bool
    environment: dict[str, str]

    @property
    def handler(self) -> Callable[[Any, Any], Any]:
        """The job's handler."""
        handler: Callable[[Any, Any], Any] = import_module(f"functions.{self.name}.app").handler
        return handler

    @property
    def event(self) -> dict[str, Any]:
        """The real event of the job."""
        event: dict[str, Any] = json.loads(
            (ROOT / "tests" / "events" / f"{self.name}.json").read_text()
        )
        return event

    @property
    def body(self) -> dict[str, Any]:
        """What a message of its queue holds."""
        if self.of_schedule:
            return {**self.event, "after": "a", "through": None}
        body: dict[str, Any] = json.loads(self.event["Records"][0]["body"])
        return body


def jobs() -> list[Job]:
    """Return all jobs; what the template computes has the name of its variable as its value."""
    found = []
    for name, function in functions(real()):
        variables = function["Environment"]["Variables"]
        environment = {
            key: value if isinstance(value, str) else f"/{key}" for key, value in variables.items()
        }
        job = Job(
            snake_case(name),
            any(events(function, "SQS")),
            any(events(function, "ScheduleV2")),
            environment,
        )
        if job.of_queue or job.of_schedule:
            found.append(job)
    return found


def batch(job: Job, *bodies: str, attempts: list[int] | int = 1) -> dict[str, Any]:
    """Return the event of the job's queue with messages m0, m1, ... of these bodies."""
    return conftest.batch(*bodies, attempts=attempts, queue=f"fleet-local-{job.name}")
