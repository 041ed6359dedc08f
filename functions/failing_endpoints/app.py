"""Report endpoints that fail: over HTTP, TCP, TLS and DNS, by conditions as gatus writes them.

Trigger: schedule, every 5 minutes; and its own queue, for the parts of a long list. Reads:
endpoints in SSM, and what they answer. Reports: one finding per endpoint that fails. Writes:
metrics of each endpoint.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from fleet import secrets
from fleet.findings import Fact, Finding, Severity, cut
from fleet.lists import Entries, entries, fault_findings
from fleet.runtime.scheduled import Run, Scattered, scatter, scheduled
from fleet.runtime.telemetry import count, logger, measure
from fleet.settings import load, within
from fleet_endpoints.checks import Check, Pacing, check_all
from fleet_endpoints.endpoints import Endpoint
from fleet_endpoints.failures import Failure

PARAMETERS = 40
SHOWN_CHARACTERS = 200

Extent = Literal["phases", "up", "none"]


@dataclass(frozen=True, slots=True)
class Settings:
    """How the list is probed: at most `endpoints_per_run` by one run, `concurrency` at a time.

    What fails is probed again, `retries` times after `retry_seconds`. `metrics` says which an
    endpoint has: of each phase, only whether it is up, or none.
    """

    endpoints_parameter: str
    parts_queue_url: str
    endpoints_per_run: int = 1_000
    concurrency: int = 100
    retries: int = 2
    retry_seconds: float = 2.0
    metrics: Extent = "phases"

    def __post_init__(self) -> None:
        within("endpoints_per_run", self.endpoints_per_run, 1, 10_000)
        within("concurrency", self.concurrency, 1, 500)
        within("retries", self.retries, 0, 10)
        within("retry_seconds", self.retry_seconds, 0, 30)


def find_failing(checks: Iterable[Check]) -> Iterator[Finding]:
    """Yield a finding for each endpoint that failed in every attempt, or that nobody looked at."""
    for check in checks:
        if check.late:
            yield not_probed(check)
        elif check.failure:
            yield failing(check, check.failure)


def not_probed(check: Check) -> Finding:
    """Say that nobody knows; without a finding, what was found before would end."""
    endpoint = check.endpoint
    late = "the run had no time left"
    return Finding(
        subject=str(endpoint),
        title=f"{endpoint} was not probed, so nobody knows whether it fails: {late}",
        severity=Severity.WARNING,
        detail={"url": excerpt(endpoint.shown_url), "attempts": 0},
        link=link(endpoint),
    )


def failing(check: Check, failure: Failure) -> Finding:
    """Say why an endpoint fails, and what each phase of the last probe took."""
    endpoint = check.endpoint
    got = excerpt(failure.got)
    detail: dict[str, Fact] = {
        "url": excerpt(endpoint.shown_url),
        "attempts": check.attempts,
        "phase": failure.phase,
        "got": got,
        "expected": excerpt(failure.expected),
    }
    if check.result:
        facts, seconds = check.result.facts, check.result.seconds
        took = [f"{phase} {duration * 1000:.0f} ms" for phase, duration in seconds.items()]
        detail["address"] = facts.ip or "none"
        detail["took"] = ", ".join(took)
    return Finding(
        subject=str(endpoint),
        title=f"{endpoint} fails ({failure.phase}): {got}",
        severity=Severity(endpoint.severity),
        detail=detail,
        link=link(endpoint),
    )


def link(endpoint: Endpoint) -> str:
    """Return what people can open in a browser, or nothing."""
    if endpoint.kind in ("http", "https"):
        return excerpt(endpoint.shown_url)
    return ""


def excerpt(text: str) -> str:
    """Return the beginning of what an endpoint said, without the secrets that it might repeat."""
    redacted = secrets.redact(text)
    one_line = " ".join(redacted.split())
    return cut(one_line, SHOWN_CHARACTERS)


def check_list(listed: Entries[Endpoint], parameter: str) -> Iterator[Finding]:
    """Yield which entries of the list cannot be used, and what in it has no effect."""
    unusable_entries = [fault for fault in listed.faults if fault.number]
    yield from fault_findings(unusable_entries, parameter)
    ignored = find_ignored(listed)
    if ignored:
        yield Finding(
            subject=f"what is ignored of {parameter}",
            title=f"{parameter} says what has no effect here: {', '.join(ignored)}",
            severity=Severity.INFO,
            detail=ignored,
        )


def find_ignored(listed: Entries[Endpoint]) -> dict[str, str]:
    """Return the keys that have no effect, each with the endpoints that have it."""
    beside = [fault.reason for fault in listed.faults if not fault.number]
    ignored = {f"beside list {part}": reason for part, reason in enumerate(beside, start=1)}
    endpoints = defaultdict(list)
    for endpoint in listed.usable:
        for key in endpoint.ignored:
            endpoints[key].append(str(endpoint))
    for key, names in endpoints.items():
        ignored[key] = ", ".join(names)
    return ignored


def write_metrics(check: Check, extent: Extent) -> None:
    """Write an endpoint's metrics: whether it is up, and the milliseconds that each phase took."""
    if extent == "none" or check.late:
        return
    milliseconds = {}
    result = check.result
    if result and extent == "phases":
        for phase, seconds in result.seconds.items():
            metric = f"{phase.title()}Time"
            milliseconds[metric] = seconds * 1000
        milliseconds["ResponseTime"] = result.facts.response_time
    measure(
        about={"endpoint": str(check.endpoint)},
        counts={"Up": 0 if check.failure else 1},
        milliseconds=milliseconds,
    )


def check_and_measure(
    endpoints: Iterable[Endpoint],
    settings: Settings,
    deadline: float,
) -> list[Check]:
    """Check endpoints until the deadline, and write metrics and log lines about them."""
    pacing = Pacing(
        concurrency=settings.concurrency,
        retries=settings.retries,
        retry_seconds=settings.retry_seconds,
    )
    checks = check_all(endpoints, pacing, deadline)
    for check in checks:
        write_metrics(check, settings.metrics)
    flaky = [check for check in checks if check.flaky]
    for check in flaky:
        logger.info("flaky", endpoint=str(check.endpoint), attempts=check.attempts)
    count(Probed=len(checks), Flaky=len(flaky))
    return checks


@scheduled
def handler(run: Run) -> Iterable[Finding] | Scattered:
    settings = load(Settings)
    parameter = settings.endpoints_parameter
    listed = entries(
        parameter,
        Endpoint,
        key=str,
        optional=True,
        parts=PARAMETERS,
        under="endpoints",
    )
    endpoints = [
        endpoint for endpoint in listed.usable if endpoint.enabled and str(endpoint) in run.about
    ]
    most = settings.endpoints_per_run
    if len(endpoints) > most:
        subjects = map(str, endpoints)
        return scatter(run, settings.parts_queue_url, subjects, most)
    checks = check_and_measure(endpoints, settings, run.deadline)
    findings = [
        *find_failing(checks),
        *check_list(listed, parameter),
    ]
    return [finding for finding in findings if finding.subject in run.about]
