"""The fleet's log lines, from CloudWatch Logs."""

import json
import time
from collections.abc import Iterator
from typing import Any

from tools.local.account import Account
from tools.local.stack import STACK

POLL_SECONDS = 1.0
LATE_MS = 5_000
LEFT_OUT = ("START ", "END ", "REPORT ", "INIT_START ", '{"_aws":')
"""How lines begin that say nothing of the job: what Lambda itself writes, and metrics."""

NOISE = frozenset(
    {
        "cold_start",
        "function_arn",
        "function_memory_size",
        "function_name",
        "function_request_id",
        "location",
        "sampling_rate",
        "stack_trace",
        "xray_trace_id",
    }
)
"""What a log line says besides, which nobody reads while looking on."""


def lines(account: Account, since_ms: int) -> list[tuple[int, str, str]]:
    """Return the log lines since that time, oldest first, as time, stream and text.

    Times are in milliseconds since the epoch.
    """
    found = []
    groups = account.logs.describe_log_groups()["logGroups"]
    for group in (group["logGroupName"] for group in groups if STACK in group["logGroupName"]):
        pages = account.logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=since_ms
        )
        for event in (event for page in pages for event in page["events"]):
            text = event["message"].rstrip()
            if text and not text.startswith(LEFT_OUT):
                found.append((event["timestamp"], event["logStreamName"], text))
    return sorted(found, key=lambda line: line[0])


def follow(account: Account, since_ms: int) -> Iterator[str]:
    """Yield each line since that time (milliseconds since the epoch), for ever."""
    since = since_ms
    shown: set[tuple[int, str, str]] = set()
    while True:
        found = lines(account, since)
        for line in found:
            if line not in shown:
                yield readable(line[-1])
        # Lines can arrive a little late: look back, and remember only what can be met again.
        shown = set(found)
        since = max([since, *(timestamp - LATE_MS for timestamp, *_ in found)])
        time.sleep(POLL_SECONDS)


def readable(line: str) -> str:
    """Return a JSON line as time, level, job, message and the rest; any other line as it is."""
    try:
        record: dict[str, Any] = json.loads(line)
        head = (
            record.pop("timestamp"),
            record.pop("level"),
            record.pop("service"),
            record.pop("message"),
        )
    except (ValueError, KeyError, AttributeError, TypeError):
        return line
    rest = {name: value for name, value in record.items() if name not in NOISE}
    return " ".join([*map(str, head), *(f"{name}={value}" for name, value in rest.items())])
