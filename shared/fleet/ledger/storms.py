"""The storm of a source, as the ledger stores it."""

from dataclasses import dataclass
from datetime import datetime

from fleet.ledger.rows import KEPT, LONG_AGO, Key, Row, next_look

STORMS = "storms"


@dataclass(frozen=True, slots=True)
class Storm(Row):
    """The storm of a source, itself a finding. It is stored before it opens, to count openings."""

    since: datetime = LONG_AGO
    """When the window began in which `openings` are counted."""
    openings: int = 0
    """How many findings of the source have opened since then."""
    ending: bool = False
    """Whether one look found that all its findings have ended.

    Folding a finding into an open storm does not write the storm, so one look may miss it. The
    storm therefore ends at a second look, and every folding in between takes `ending` back.
    """

    @property
    def key(self) -> Key:
        """Where the storm is stored."""
        return STORMS, self.source

    @property
    def due(self) -> datetime | None:
        """When a sweep has something to do with it: each sweep looks at an open storm."""
        return self.opened_at if self.is_open else next_look(self)

    @property
    def expires(self) -> datetime | None:
        """When DynamoDB may delete it; None while it is open or due."""
        return None if self.due else max(self.at, self.since) + KEPT

    @property
    def episode(self) -> str:
        """What findings that are folded into it have as `storm`: another text for each episode."""
        return self.opened_at.isoformat()
