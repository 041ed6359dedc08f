"""Measure what triage costs: observations per second on one core, and items read and written.

The ledger is in memory, so the time is Python's alone, including the making of what DynamoDB would
be sent. What DynamoDB bills is counted by the item: a write in a transaction, and the check of an
unchanged item, count double.
"""

import argparse
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet.alerts import Observation, Status
from fleet.findings import Finding, Report, Severity
from fleet.ledger.rows import Key
from fleet.ledger.table import Item, attributes, from_attributes
from fleet_triage.life import Rules
from fleet_triage.protocol import Triage

START = datetime(2026, 11, 21, 9, tzinfo=UTC)


class Counting:
    """A ledger in memory that keeps items as DynamoDB does, and counts calls and items."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.reset()

    def reset(self) -> None:
        self.calls = self.read = self.written = self.billed = self.bytes = 0

    def get(self, kind: type[Any], key: Key) -> Any:
        self.calls += 1
        item = self.stored.get(key[0], {}).get(key[1])
        self.read += item is not None
        return from_attributes(kind, item) if item else None

    def query(self, kind: type[Any], pk: str) -> list[Any]:
        self.calls += 1
        items = self.stored.get(pk, {}).values()
        self.read += len(items)
        return [from_attributes(kind, item) for item in items]

    def due(self, _now: datetime) -> list[Key]:
        raise NotImplementedError

    def commit(self, items: Sequence[Item], unchanged: Sequence[Item] = ()) -> None:
        self.calls += 1
        self.written += len(items)
        self.billed += 2 * (len(items) + len(unchanged)) if len(items) + len(unchanged) > 1 else 1
        for item in items:
            self.stored.setdefault(item.key[0], {})[item.key[1]] = attributes(item)


def ignore(_alerts: Sequence[Any]) -> None:
    """Publish nothing."""


def nobody(_about: Any) -> str:
    """Nothing has an owner."""
    return ""


def report(minute: int, count: int) -> Report:
    findings = (
        Finding(
            f"subject-{number:05}",
            f"{number} is wrong",
            detail={"since": "yesterday", "size": number},
        )
        for number in range(count)
    )
    return Report("job", START + timedelta(minutes=minute), tuple(findings))


def reports(findings: int) -> list[dict[str, Any]]:
    """Return what a report of so many findings costs: all new, unchanged, repeated, and gone."""
    ledger, published = Counting(), 0

    def publish(alerts: Sequence[Any]) -> None:
        nonlocal published
        published += len(alerts)

    rows = []
    story = [
        ("new", 1, findings),
        ("unchanged", 2, findings),
        ("the same event again", 2, findings),
        ("gone", 3, 0),
    ]
    for name, minute, count in story:
        ledger.reset()
        published = 0
        now = START + timedelta(minutes=minute)
        started = time.process_time()
        Triage(ledger, publish, nobody, Rules(), now).report(report(minute, count), f"e{minute}")
        rows.append(
            {
                "findings": findings,
                "report": name,
                "ms": round((time.process_time() - started) * 1000, 1),
                "calls": ledger.calls,
                "read": ledger.read,
                "written": ledger.written,
                "billed_writes": ledger.billed,
                "alerts": published,
            }
        )
    return rows


def observations(count: int) -> dict[str, Any]:
    """Return how many observations are applied per second.

    They are about 100 subjects, each of which fails, still fails, and is ok again.
    """
    ledger = Counting()
    observed = [
        Observation(
            f"aws.x{number % 100}",
            "disk",
            (Status.FAILING, Status.FAILING, Status.OK)[number // 100 % 3],
            Severity.WARNING,
            "disk is full",
            START + timedelta(hours=number // 100),
            f"e{number}",
            {"size": number},
        )
        for number in range(count)
    ]
    started = time.process_time()
    for observation in observed:
        triage = Triage(ledger, ignore, nobody, Rules(), observation.at)
        triage.observe(observation)
    seconds = time.process_time() - started
    return {
        "observations": count,
        "per_second": round(count / seconds),
        "read": round(ledger.read / count, 2),
        "written": round(ledger.written / count, 2),
        "calls": round(ledger.calls / count, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per figure")
    options = parser.parse_args()
    reports(1)  # the converter is made at its first use
    rows = [observations(6_000), *(row for count in (1, 100, 1_000) for row in reports(count))]
    for row in rows:
        print(
            json.dumps(row)
            if options.json
            else "  ".join(f"{name} {value}" for name, value in row.items())
        )


if __name__ == "__main__":
    main()
