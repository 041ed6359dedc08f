"""Run every job once through its real trigger and show what each did."""

import json
import os
import time
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from operator import attrgetter
from queue import Empty, SimpleQueue
from threading import Barrier, BoundedSemaphore, Thread

from rich.table import Table
from rich.text import Text

from tools.local.destinations import Destinations
from tools.local.fleet import Fleet
from tools.local.progress import Failed
from tools.local.scenarios import Scenario, scenario
from tools.paths import BUILD
from tools.terminal import say

RESULT = BUILD / "demo.json"
AT_ONCE_PER_CORE = 4
FEWEST_AT_ONCE = 3
TELL_SECONDS = 10.0
# The console's scenario mostly watches whether redriven letters come back, so it takes no room.
WATCHING = {"console"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job: `ok` or `failed`, and what it did or what did not happen."""

    job: str
    trigger: str
    outcome: str
    detail: str


def at_once() -> int:
    """Return how many scenarios this machine carries beside what it does already."""
    cores = os.cpu_count() or 1
    busy = round(os.getloadavg()[0])
    return max(FEWEST_AT_ONCE, AT_ONCE_PER_CORE * cores - busy)


def play_all(fleet: Fleet) -> list[Outcome]:
    """Play all scenarios and return their outcomes, sorted by job; say meanwhile what ends.

    All seed before one is played: what one sets up for its sink, the alerts of all need.
    """
    scenarios = {job: scenario(job) for job in fleet.jobs()}
    count = len(scenarios)
    seeded = Barrier(count)
    room = BoundedSemaphore(at_once())
    outcomes: SimpleQueue[Outcome] = SimpleQueue()

    def run(job: str, acted: Scenario) -> None:
        with room:
            failure = seed(fleet, job, acted)
        seeded.wait()
        with nullcontext() if job in WATCHING else room:
            outcome = failure or play(fleet, job, acted)
        outcomes.put(outcome)

    for job, acted in scenarios.items():
        # Daemons, so that Ctrl-C need not wait until each has lost patience.
        thread = Thread(target=run, args=(job, acted), daemon=True)
        thread.start()
    ended = _collect(fleet, outcomes, count)
    return sorted(ended, key=attrgetter("job"))


def _collect(fleet: Fleet, outcomes: SimpleQueue[Outcome], count: int) -> list[Outcome]:
    """Collect `count` outcomes; say what ends and, while nothing does, what was sent so far."""
    began = time.monotonic()
    ended: list[Outcome] = []
    while len(ended) < count:
        try:
            outcome = outcomes.get(timeout=TELL_SECONDS)
        except Empty:
            done = len(ended)
            delivered = len(fleet.destinations.deliveries)
            say(f"  {done} of {count} done, {delivered} requests to destinations so far ...")
            continue
        ended.append(outcome)
        done = len(ended)
        say(f"  {outcome.job}: {outcome.outcome} ({done} of {count})")
    succeeded = [outcome for outcome in ended if outcome.outcome == "ok"]
    seconds = time.monotonic() - began
    say(f"{len(succeeded)} of {count} ok in {seconds:.0f} s")
    return ended


def seed(fleet: Fleet, job: str, acted: Scenario) -> Outcome | None:
    """Set up what one job's scenario needs; return the outcome if that failed, otherwise None."""
    try:
        acted.seed(fleet)
    except Exception as error:  # noqa: BLE001 - it must not hide what the other jobs did
        return Outcome(job, acted.TRIGGER, "failed", cause_of(error))
    return None


def play(fleet: Fleet, job: str, acted: Scenario) -> Outcome:
    """Play one job's scenario, for which everything has been seeded."""
    try:
        detail = acted.play(fleet)
    except Exception as error:  # noqa: BLE001 - it must not hide what the other jobs did
        return Outcome(job, acted.TRIGGER, "failed", cause_of(error))
    return Outcome(job, acted.TRIGGER, "ok", detail)


def cause_of(error: Exception) -> str:
    """Return why a scenario failed: what did not happen, or the error that broke it."""
    if isinstance(error, Failed):
        return str(error)
    name = type(error).__name__
    return f"the scenario broke: {name}: {error}"


def table(outcomes: Iterable[Outcome]) -> Table:
    """Return the table that the user sees."""
    rows = Table(title="The fleet, each job run once", title_justify="left")
    rows.add_column("job", overflow="fold")
    rows.add_column("trigger")
    rows.add_column("outcome", no_wrap=True)
    rows.add_column("detail", min_width=28)
    for outcome in outcomes:
        colour = "green" if outcome.outcome == "ok" else "red"
        rows.add_row(
            outcome.job,
            outcome.trigger,
            # Text, not str: rich would read brackets in what a job says as markup.
            Text(outcome.outcome, colour),
            Text(outcome.detail),
        )
    return rows


def write(outcomes: Iterable[Outcome], ready_seconds: float, destinations: Destinations) -> None:
    """Write `build/demo.json`: when the fleet was ready, each job's outcome, all deliveries."""
    document = {
        "ready_s": round(ready_seconds, 1),
        "jobs": [asdict(outcome) for outcome in outcomes],
        "deliveries": [delivery.as_json() for delivery in destinations.deliveries],
    }
    RESULT.write_text(json.dumps(document, indent=2) + "\n")
