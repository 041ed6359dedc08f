"""A ledger in memory with DynamoDB's conditional writes, and one that records what is committed."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from fleet.alerts import Alert
from fleet.ledger.rows import Key, Row, State
from fleet.ledger.table import Conflict, Item, Ledger


@dataclass
class Memory:
    """Items by their keys; `reads` and `writes` count items."""

    items: dict[Key, Any] = field(default_factory=dict)
    reads: int = 0
    writes: int = 0

    def get(self, _kind: type[Any], key: Key) -> Any:
        self.reads += 1
        return self.items.get(key)

    def query(self, _kind: type[Any], pk: str) -> list[Any]:
        found = [item for key, item in sorted(self.items.items()) if key[0] == pk]
        self.reads += len(found)
        return found

    def due(self, now: datetime) -> list[Key]:
        return [key for key, item in sorted(self.items.items()) if item.due and item.due <= now]

    def commit(self, items: Sequence[Item], unchanged: Sequence[Item] = ()) -> None:
        assert 0 < len(items) + len(unchanged) <= 100, "DynamoDB takes no larger transaction"
        assert len({item.key for item in (*items, *unchanged)}) == len(items) + len(unchanged), (
            "an item twice"
        )
        for item in (*items, *unchanged):
            there = self.items.get(item.key)
            if item.version is not None and item.version != (there.version if there else 0):
                raise Conflict
        for item in items:
            self.writes += 1
            self.items[item.key] = (
                item if item.version is None else replace(item, version=item.version + 1)
            )


@dataclass
class Recording:
    """Passes everything on; records each alert ever owed, and how often each finding opened."""

    ledger: Ledger
    owed: dict[str, Alert] = field(default_factory=dict)
    latest: dict[Key, Item] = field(default_factory=dict)
    openings: dict[str, int] = field(default_factory=dict)

    def get(self, kind: type[Any], key: Key) -> Any:
        return self.ledger.get(kind, key)

    def query(self, kind: type[Any], pk: str) -> list[Any]:
        return self.ledger.query(kind, pk)

    def due(self, now: datetime) -> list[Key]:
        return self.ledger.due(now)

    def commit(self, items: Sequence[Item], unchanged: Sequence[Item] = ()) -> None:
        self.ledger.commit(items, unchanged)
        for item in items:
            before = self.latest.get(item.key)
            self.latest[item.key] = item
            for alert in getattr(item, "owed", ()):
                assert self.owed.setdefault(alert.id, alert) == alert, "two transitions share an id"
            if (
                type(item) is Row
                and item.state is State.OPEN
                and (before is None or before.state is not State.OPEN)  # type: ignore[union-attr]
            ):
                self.openings[item.dedup_key] = self.openings.get(item.dedup_key, 0) + 1
