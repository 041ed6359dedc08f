"""Probe one target many times in this process, and print as JSON what that used.

This is what `bench_probes` measures, in a process of its own: it imports nothing but what a job
does, and nothing counts that happens before the first probe.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from fleet.mappings import structure
from fleet.probes.target import parse_target, start_timer
from fleet.probes.tls import Service, look_at
from fleet_endpoints.checks import Pacing, check_all
from fleet_endpoints.endpoints import Endpoint

AT_ONCE = 100
CONDITIONS = ["[STATUS] == 200", "[BODY].status == UP"]
SECONDS = 600  # more than any round takes


def endpoints(url: str, count: int) -> list[Endpoint]:
    """Return endpoints of one server, each named by its own path."""
    listed = []
    for number in range(count):
        entry = {
            "name": str(number),
            "url": f"{url}/{number}",
            "conditions": CONDITIONS,
            "private": True,
        }
        listed.append(structure(entry, Endpoint, "the entry"))
    return listed


def check_endpoints(listed: list[Endpoint]) -> None:
    """Check all endpoints once, as failing_endpoints does. Ends the process if one fails."""
    checks = check_all(listed, Pacing(AT_ONCE, retries=0), time.monotonic() + SECONDS)
    failures = [check.failure for check in checks if check.failure]
    if failures:
        raise SystemExit(f"{len(failures)} probes failed: {failures[0]}")


def services(url: str, count: int) -> list[Service]:
    """Return one server as so many services."""
    _, _, address = url.rpartition("/")
    host, _, port = address.rpartition(":")
    target = parse_target(host, int(port), private=True)
    return [Service(target, host)] * count


def look_at_certificates(listed: list[Service]) -> None:
    """Look at all services once, as expiring_certificates does. Ends the process if one fails."""

    def look(service: Service) -> bool:
        return bool(look_at(service, start_timer(SECONDS)).refusals)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        refused = sum(pool.map(look, listed))
    if refused:
        raise SystemExit(f"{refused} certificates were refused")


def measure(work: Callable[[], None], rounds: int) -> dict[str, float]:
    """Do the work so many times; return the seconds of CPU and wall time, and the peak memory."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    began = time.monotonic()
    for _ in range(rounds):
        work()
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    user = after.ru_utime - before.ru_utime
    system = after.ru_stime - before.ru_stime
    return {
        "cpu": user + system,
        "wall": wall,
        "peak_mb": after.ru_maxrss / 1024,
    }


def main(job: str, url: str, count: str, rounds: str) -> None:
    """Print what the probes of one job used; `url` names the server."""
    targets = int(count)
    if job == "expiring_certificates":
        work = partial(look_at_certificates, services(url, targets))
    else:
        work = partial(check_endpoints, endpoints(url, targets))
    used = measure(work, int(rounds))
    print(json.dumps(used))


if __name__ == "__main__":
    main(*sys.argv[1:])
