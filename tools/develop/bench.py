"""Measure what a cold start costs each job: CPU time from the interpreter's start until the handler
could work.

Each figure is the median over several fresh processes, as a ratio to a floor measured in the same
run, alternating with it: a bare handler that makes the one client that the job needs. The job makes
its client too, although it puts that off until its first invocation.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys

from tools.manifest import ROOT, jobs

FLOOR = "import boto3; client = boto3.client({client!r})\ndef handler(event, context): return None"
JOB = "import app; from fleet import aws; aws.client({client!r}); app.handler"
AIM = 1.4


def cpu_seconds(code: str, folder: str) -> float:
    """Return user and system time of a fresh interpreter that runs `code`, in seconds."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT / "functions" / folder), str(ROOT / "shared")]),
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "POWERTOOLS_SERVICE_NAME": folder,
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=environment, cwd=ROOT / "functions" / folder
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(job: str, rounds: int) -> dict[str, float | str]:
    """Return the job's median and its floor's in milliseconds of CPU time, and the median of the
    paired ratios.
    """
    client = (
        re.findall(r'aws\.client\("(\w+)"\)', (ROOT / "functions" / job / "app.py").read_text())
        or ["dynamodb"]
    )[0]
    pairs = []
    for number in range(rounds + 1):
        pair = (
            cpu_seconds(FLOOR.format(client=client), job),
            cpu_seconds(JOB.format(client=client), job),
        )
        if number:  # the first round fills the caches of compiled modules
            pairs.append(pair)
    floor, own = (statistics.median(side) * 1000 for side in zip(*pairs, strict=True))
    ratio = statistics.median(own / floor for floor, own in pairs)
    return {
        "job": job,
        "client": client,
        "floor_ms": round(floor),
        "job_ms": round(own),
        "ratio": round(ratio, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--rounds", type=int, default=9, help="fresh processes for each figure (default: 9)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per job")
    options = parser.parse_args()
    if not options.json:
        print(f"CPU time of a cold start, median of {options.rounds}; aim: ratio {AIM} or below")
        print(f"{'job':<20} {'client':<14} {'floor':>8} {'job':>8} {'ratio':>6}")
    for job in jobs():
        if job.kind == "http":  # which `tools.develop.bench_console` measures
            continue
        row = measure(job.name, options.rounds)
        if options.json:
            print(json.dumps(row), flush=True)
        else:
            print(
                f"{row['job']:<20} {row['client']:<14} "
                f"{row['floor_ms']:>5} ms {row['job_ms']:>5} ms {row['ratio']:>6}",
                flush=True,
            )


if __name__ == "__main__":
    main()
