"""Report endpoints that fail: over HTTP, TCP, TLS and DNS, by conditions as gatus writes them.

Trigger: schedule, every 5 minutes; and its own queue, for the parts of a long list. Reads: endpoints in SSM, and what
they answer. Reports: one finding per endpoint that fails. Writes: metrics of each endpoint.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from fleet import secrets
from fleet.findings import Fact, Finding, Severity, cut
from fleet.runtime.scheduled import Run, Scattered, scatter, scheduled
from fleet.runtime.telemetry import count, logger, measure
from fleet.settings import Entries, entries, load, unusable, within
from fleet_endpoints.endpoints import Endpoint
from fleet_endpoints.trials import Rules, Trial, trials

PARAMETERS = 40
SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Settings:
    endpoints_parameter: str
    parts_queue_url: str
    endpoints_per_run: int = 1_000
    concurrency: int = 100
    retries: int = 2
    retry_seconds: float = 2.0
    metrics: Literal["phases", "up", "none"] = "phases"

    def __post_init__(self) -> None:
        within("ENDPOINTS_PER_RUN", self.endpoints_per_run, 1, 10_000)
        within("CONCURRENCY", self.concurrency, 1, 500)
        within("RETRIES", self.retries, 0, 10)
        within("RETRY_SECONDS", self.retry_seconds, 0, 30)


def failing(results: Iterable[Trial]) -> Iterator[Finding]:
    """Yield one finding for each endpoint that failed in every attempt, or that nobody could look at."""
    for trial in results:
        endpoint, verdict = trial.endpoint, trial.verdict
        link = shown(endpoint.shown) if endpoint.kind.startswith("http") else ""
        detail: dict[str, Fact] = {"url": shown(endpoint.shown), "attempts": trial.attempts}
        if trial.late:
            title = f"{endpoint} was not probed, so nobody knows whether it fails: the run had no time left"
            yield Finding(str(endpoint), title, Severity.WARNING, detail, link)
        elif verdict:
            detail |= {
                "phase": verdict.phase,
                "got": shown(verdict.got),
                "expected": shown(verdict.expected),
            }
            if trial.outcome:
                took = (
                    f"{phase} {seconds * 1000:.0f} ms"
                    for phase, seconds in trial.outcome.seconds.items()
                )
                detail |= {"address": trial.outcome.facts.ip or "none", "took": ", ".join(took)}
            title = f"{endpoint} fails ({verdict.phase}): {shown(verdict.got)}"
            yield Finding(str(endpoint), title, Severity(endpoint.severity), detail, link)


def wrong(listed: Entries[Endpoint], parameter: str) -> Iterator[Finding]:
    """Yield what of the list cannot be used, and what of it has no effect."""
    yield from unusable((fault for fault in listed.faults if fault.number), parameter)
    ignored = {
        f"beside the list {number}": fault.reason
        for number, fault in enumerate(listed.faults)
        if not fault.number
    }
    for endpoint in listed.usable:
        for key in endpoint.ignored:
            ignored[key] = f"{ignored[key]}, {endpoint}" if key in ignored else str(endpoint)
    if ignored:
        title = f"{parameter} says what has no effect here: {', '.join(ignored)}"
        yield Finding(f"what is ignored of {parameter}", title, Severity.INFO, ignored)


def shown(text: str) -> str:
    """A beginning of what an endpoint said, without the secrets that it might repeat."""
    return cut(" ".join(secrets.redact(text).split()), SHOWN_CHARACTERS)


def measured(trial: Trial, extent: Literal["phases", "up", "none"]) -> None:
    """Write an endpoint's metrics: whether it is up, and what each phase took."""
    if extent == "none" or trial.late:
        return
    milliseconds = {}
    if extent == "phases" and trial.outcome:
        milliseconds = {
            f"{phase.title()}Time": seconds * 1000
            for phase, seconds in trial.outcome.seconds.items()
        }
        milliseconds["ResponseTime"] = trial.outcome.facts.response_time
    measure({"endpoint": str(trial.endpoint)}, {"Up": 0 if trial.verdict else 1}, milliseconds)


@scheduled
def handler(run: Run) -> Iterable[Finding] | Scattered:
    settings = load(Settings)
    listed = entries(
        settings.endpoints_parameter,
        Endpoint,
        str,
        optional=True,
        parts=PARAMETERS,
        under="endpoints",
    )
    endpoints = [each for each in listed.usable if each.enabled and str(each) in run.about]
    if len(endpoints) > settings.endpoints_per_run:
        return scatter(
            run,
            settings.parts_queue_url,
            [str(each) for each in endpoints],
            settings.endpoints_per_run,
        )
    rules = Rules(settings.concurrency, settings.retries, settings.retry_seconds)
    results = trials(endpoints, rules, run.deadline)
    for trial in results:
        measured(trial, settings.metrics)
        if trial.flaky:
            logger.info("flaky", endpoint=str(trial.endpoint), attempts=trial.attempts)
    count(Probed=len(results), Flaky=sum(trial.flaky for trial in results))
    found = [*failing(results), *wrong(listed, settings.endpoints_parameter)]
    return [finding for finding in found if finding.subject in run.about]
