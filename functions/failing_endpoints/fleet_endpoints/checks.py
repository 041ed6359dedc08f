"""Check many endpoints at once, and those that fail again, so that a blip is known as one.

A check of an endpoint is one probe or several; what counts is the last.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from fleet import secrets
from fleet.errors import Refused
from fleet.findings import cut
from fleet.probes.target import BRIEFEST_SECONDS
from fleet_endpoints.endpoints import Endpoint
from fleet_endpoints.failures import Failure, find_failure
from fleet_endpoints.probe import ProbeResult, probe

GOT_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Pacing:
    """How many endpoints are probed at once, and how often and after which wait one is retried."""

    concurrency: int = 100
    retries: int = 2
    retry_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Check:
    """What became of an endpoint after `attempts` probes.

    `result` is the last one's, without the body; None if a probe could not even begin, as
    `failure` then says. `failure` is None for an endpoint that is well; what was got is cut, and
    holds no secret.
    """

    endpoint: Endpoint
    attempts: int = 0
    result: ProbeResult | None = None
    failure: Failure | None = None

    @property
    def late(self) -> bool:
        """Whether there was no time to probe even once."""
        return not self.attempts

    @property
    def flaky(self) -> bool:
        """Whether it failed at first, and then did not."""
        return self.attempts > 1 and not self.failure


class _Denied(Refused):
    """An endpoint did not accept a secret."""

    def __init__(self, result: ProbeResult) -> None:
        super().__init__("the endpoint did not accept a secret")
        self.result = result


def check_all(endpoints: Iterable[Endpoint], pacing: Pacing, deadline: float) -> list[Check]:
    """Check endpoints until the deadline, a time of `time.monotonic()`, in their order.

    Those that fail are probed again, all together.
    """
    checks = [Check(endpoint) for endpoint in endpoints]
    workers = max(1, min(pacing.concurrency, len(checks)))
    attempt = partial(_attempt, deadline=deadline)
    with ThreadPoolExecutor(workers) as pool:
        checks = list(pool.map(attempt, checks))
        for _ in range(pacing.retries):
            failing = [at for at, check in enumerate(checks) if check.failure]
            if not failing or time.monotonic() + pacing.retry_seconds > deadline:
                break
            time.sleep(pacing.retry_seconds)
            again = pool.map(attempt, [checks[at] for at in failing])
            for at, check in zip(failing, again, strict=True):
                checks[at] = check
    return checks


def _attempt(check: Check, deadline: float) -> Check:
    """Probe an endpoint once more; return the check as it is if there is no time for that."""
    endpoint = check.endpoint
    seconds = deadline - time.monotonic()
    if seconds < min(BRIEFEST_SECONDS, endpoint.client.seconds):
        return check
    attempts = check.attempts + 1
    try:
        result = _probe(endpoint, seconds)
        failure = find_failure(endpoint, result)
    except Exception as error:  # noqa: BLE001 - one fault must not hide the others
        reason = f"{type(error).__name__}: {error}"
        failure = Failure("preparation", reason, "a probe")
        return Check(endpoint, attempts, failure=failure)
    # A run keeps thousands of checks, but no bodies. Secrets are taken out while they are whole.
    facts = replace(result.facts, body=b"")
    if failure:
        redacted = secrets.redact(failure.got)
        failure = replace(failure, got=cut(redacted, GOT_CHARACTERS))
    return Check(endpoint, attempts, replace(result, facts=facts), failure)


def _probe(endpoint: Endpoint, seconds: float) -> ProbeResult:
    """Probe an endpoint with its secrets; any that it does not accept is fetched again, once."""
    try:
        return _probe_with(endpoint, seconds, endpoint.secret_names, {})
    except _Denied as denied:
        return denied.result


def _probe_with(
    endpoint: Endpoint,
    seconds: float,
    names: Sequence[str],
    values: Mapping[str, str],
) -> ProbeResult:
    """Fetch the secrets of these names, beside the values at hand, and probe with them all.

    Raises `_Denied`, at which `fleet.secrets.using` fetches a secret again.
    """
    if names:
        name, *others = names

        def attempt(value: str) -> ProbeResult:
            return _probe_with(endpoint, seconds, others, {**values, name: value})

        return secrets.using(name, attempt)
    result = probe(endpoint, values, seconds)
    denied = result.facts.status in (401, 403)
    if values and denied and find_failure(endpoint, result):
        raise _Denied(result)
    return result
