"""What is read of mutes, from the ledger."""

from datetime import datetime
from operator import attrgetter

from fleet.ledger.mutes import MUTES, Mute, find_mute
from fleet.ledger.rows import Row
from fleet_console.problems import Missing
from fleet_console.reading.memory import Kept, Reader, kept


class MuteReader(Reader):
    """Reads mutes."""

    def all(self) -> list[Mute]:
        """Return all mutes; the one that ends last comes first."""
        mutes = self.places.ledger.query(Mute, MUTES)
        mutes.sort(key=attrgetter("until"), reverse=True)
        return mutes

    def mute(self, id: str) -> Mute:
        """Return one mute. Raises `Missing`."""
        mute = self.places.ledger.get(Mute, (MUTES, id))
        if mute is None:
            raise Missing(f"there is no mute {id!r:.100}; ended mutes are forgotten after 30 days")
        return mute

    def mute_of(self, row: Row, now: datetime) -> Mute | None:
        """Return the mute that withholds alerts about a finding, or None."""
        return find_mute(self._recent(), row, now)

    @kept(Kept.BRIEFLY)
    def _recent(self) -> list[Mute]:
        return self.all()


def in_force(mute: Mute, now: datetime) -> bool:
    """Whether a mute withholds alerts now."""
    if mute.ended:
        return False
    return now < mute.until
