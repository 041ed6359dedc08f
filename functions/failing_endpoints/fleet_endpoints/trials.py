"""Probe many endpoints at once, and those that fail again: a blip is then known as one."""

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from fleet import secrets
from fleet.errors import Refused
from fleet.findings import cut
from fleet.probes.target import BRIEFEST_SECONDS
from fleet_endpoints.endpoints import Endpoint
from fleet_endpoints.probe import Outcome, Verdict, judge, probe

GOT_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Rules:
    """How many endpoints are probed at once, and how often and after which wait one that fails is probed again."""

    concurrency: int = 100
    retries: int = 2
    retry_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of an endpoint in so many probes; without an outcome, the verdict says why there was none.

    The outcome is without the body, and of what was got the verdict has a beginning, in which no secret stands.
    `late` is one that there was no time to probe even once.
    """

    endpoint: Endpoint
    attempts: int = 0
    outcome: Outcome | None = None
    verdict: Verdict | None = None

    @property
    def late(self) -> bool:
        return not self.attempts

    @property
    def flaky(self) -> bool:
        """Whether it failed at first, and then did not."""
        return self.attempts > 1 and not self.verdict


class _Denied(Refused):
    """An endpoint did not accept a secret."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("the endpoint did not accept a secret")
        self.outcome = outcome


def trials(endpoints: Iterable[Endpoint], rules: Rules, deadline: float) -> list[Trial]:
    """Probe endpoints until the deadline, a time of `time.monotonic()`; what fails is probed again, all together."""
    results = [Trial(endpoint) for endpoint in endpoints]
    again = list(range(len(results)))
    with ThreadPoolExecutor(max(1, min(rules.concurrency, len(results)))) as pool:
        for number in range(rules.retries + 1):
            if not again or (number and time.monotonic() + rules.retry_seconds > deadline):
                break
            time.sleep(rules.retry_seconds if number else 0)
            for place, trial in zip(
                again, pool.map(lambda at: _next(results[at], deadline), again), strict=True
            ):
                results[place] = trial
            again = [place for place in again if results[place].verdict]
    return results


def _next(trial: Trial, deadline: float) -> Trial:
    endpoint, attempts = trial.endpoint, trial.attempts + 1
    if (seconds := deadline - time.monotonic()) < min(BRIEFEST_SECONDS, endpoint.client.seconds):
        return trial
    try:
        try:
            outcome = _attempt(endpoint, seconds, endpoint.secrets, {})
        except _Denied as denied:
            outcome = denied.outcome
        verdict = judge(endpoint, outcome)
    except Exception as error:  # noqa: BLE001 - one odd endpoint, or a secret that is not there, must not hide the others
        return Trial(
            endpoint,
            attempts,
            None,
            Verdict("preparation", f"{type(error).__name__}: {error}", "a probe"),
        )
    # A run keeps thousands of trials, but no bodies. Secrets are taken out while they are whole.
    outcome = replace(outcome, facts=replace(outcome.facts, body=b""))
    if verdict:
        verdict = replace(verdict, got=cut(secrets.redact(verdict.got), GOT_CHARACTERS))
    return Trial(endpoint, attempts, outcome, verdict)


def _attempt(
    endpoint: Endpoint, seconds: float, names: tuple[str, ...], values: Mapping[str, str]
) -> Outcome:
    """Probe an endpoint with its secrets; those that it does not accept are fetched anew, once."""
    if names:
        return secrets.using(
            names[0],
            lambda value: _attempt(endpoint, seconds, names[1:], {**values, names[0]: value}),
        )
    outcome = probe(endpoint, values, seconds)
    if values and outcome.facts.status in (401, 403) and judge(endpoint, outcome):
        raise _Denied(outcome)
    return outcome
