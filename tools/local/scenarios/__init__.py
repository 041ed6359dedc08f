"""One module for each job: it seeds something for the job to find, has it run, and checks what it
did.

A module has the job's name. It says how the job is triggered (`TRIGGER`, for the table), and has
two functions: `seed` puts things into the local account, and `play` pulls the job's real trigger,
raises `Failed` when the job did not do its work, and returns in a few words what it did.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from tools.errors import FleetError
from tools.local.fleet import Fleet


class Scenario(Protocol):
    """What a module in this package is."""

    TRIGGER: str

    def seed(self, fleet: Fleet, /) -> None:
        """Put into the account what the job is to find."""

    def play(self, fleet: Fleet, /) -> str:
        """Trigger the job, check what it did, and say it."""


def scenario(job: str) -> Scenario:
    """Return the job's scenario."""
    module = f"{__name__}.{job}"
    if find_spec(module) is None:
        raise FleetError(
            f"the job {job} has no scenario: "
            f"write tools/local/scenarios/{job}.py, beside the others"
        )
    return cast(Scenario, import_module(module))
