"""The storm of a source, as the ledger stores it."""

from dataclasses import dataclass
from datetime import datetime

from fleet.ledger.rows import KEPT, LONG_AGO, Key, Row, State, next_look

STORMS = "storms"


@dataclass(frozen=True, slots=True)
class Storm(Row):
    """The storm of a source, open or not. `openings` counts those since `since`, within one window.

    A finding is folded into a storm without writing to it, so a storm does not end at once: it is `ending` first, which
    every folding takes back, and a second look finds whatever was folded before.
    """

    since: datetime = LONG_AGO
    openings: int = 0
    ending: bool = False

    @property
    def key(self) -> Key:
        return STORMS, self.source

    @property
    def due(self) -> datetime | None:
        """An open storm is looked at by each sweep."""
        return self.opened_at if self.state is State.OPEN else next_look(self)

    @property
    def expires(self) -> datetime | None:
        return None if self.due else max(self.at, self.since) + KEPT

    @property
    def episode(self) -> str:
        return self.opened_at.isoformat()
