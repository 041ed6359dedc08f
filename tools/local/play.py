"""Run every job once through its real trigger and show what each did."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from threading import Barrier, Thread

from rich.table import Table
from rich.text import Text

from tools.local.destinations import Destinations
from tools.local.fleet import Failed, Fleet
from tools.local.scenarios import Scenario, scenario
from tools.paths import BUILD
from tools.terminal import say

RESULT = BUILD / "demo.json"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one job."""

    job: str
    trigger: str
    outcome: str
    detail: str


def play_all(fleet: Fleet) -> list[Outcome]:
    """Play all scenarios at once, when all have seeded: what one sets up for its sink, the alerts of all need."""
    scenarios = {job: scenario(job) for job in fleet.jobs()}
    seeded = Barrier(len(scenarios)).wait
    done: SimpleQueue[Outcome] = SimpleQueue()
    for job, each in scenarios.items():
        # Daemons, so that Ctrl-C need not wait until each has lost patience.
        Thread(
            target=lambda job=job, each=each: done.put(play(fleet, job, each, seeded)), daemon=True
        ).start()
    outcomes = []
    for _ in scenarios:
        outcomes.append(done.get())
        say(f"  {outcomes[-1].job}: {outcomes[-1].outcome}")
    return sorted(outcomes, key=lambda outcome: outcome.job)


def play(
    fleet: Fleet, job: str, each: Scenario, seeded: Callable[[], object] = lambda: None
) -> Outcome:
    """Play one job's scenario; `seeded` is called between its two parts, whatever becomes of the first."""
    try:
        try:
            each.seed(fleet)
        finally:
            seeded()
        return Outcome(job, each.TRIGGER, "ok", each.play(fleet))
    except Failed as failure:
        return Outcome(job, each.TRIGGER, "failed", str(failure))
    except Exception as error:  # noqa: BLE001 - one broken scenario must not hide what the other jobs did
        return Outcome(
            job, each.TRIGGER, "failed", f"the scenario broke: {type(error).__name__}: {error}"
        )


def table(outcomes: Iterable[Outcome]) -> Table:
    """Return the table that the user sees."""
    shown = Table(title="The fleet, each job run once", title_justify="left")
    shown.add_column("job", overflow="fold")
    shown.add_column("trigger")
    shown.add_column("outcome", no_wrap=True)
    shown.add_column("detail", min_width=28)
    for outcome in outcomes:
        # Text, not str: rich would read brackets in what a job says as markup.
        colour = "green" if outcome.outcome == "ok" else "red"
        shown.add_row(
            outcome.job, outcome.trigger, Text(outcome.outcome, colour), Text(outcome.detail)
        )
    return shown


def write(outcomes: Iterable[Outcome], ready_seconds: float, destinations: Destinations) -> None:
    """Write `build/demo.json`: seconds until the fleet was ready, what became of each job, and what was delivered."""
    document = {
        "ready_s": round(ready_seconds, 1),
        "jobs": [asdict(each) for each in outcomes],
        "deliveries": [delivery.shown() for delivery in destinations.deliveries],
    }
    RESULT.write_text(json.dumps(document, indent=2) + "\n")
