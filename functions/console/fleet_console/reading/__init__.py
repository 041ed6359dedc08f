"""What the console reads of the fleet, each thing from where the fleet keeps it."""

from fleet_console.reading.findings import FindingReader
from fleet_console.reading.health import HealthReader
from fleet_console.reading.jobs import JobReader
from fleet_console.reading.letters import LetterReader
from fleet_console.reading.logs import LogReader
from fleet_console.reading.memory import Memory
from fleet_console.reading.mutes import MuteReader
from fleet_console.settings import Places, Settings


class Reading:
    """The fleet as it is, or was seconds ago. One for all threads of a process."""

    def __init__(self, settings: Settings) -> None:
        places, memory = Places(settings), Memory()
        self.places = places
        self.memory = memory
        self.jobs = JobReader(places, memory)
        self.mutes = MuteReader(places, memory)
        self.findings = FindingReader(places, memory, self.mutes)
        self.letters = LetterReader(places, memory)
        self.logs = LogReader(places, memory)
        self.health = HealthReader(places, memory)

    def forget(self, *, letters: bool = False) -> None:
        """Read everything again: somebody has changed something, perhaps the dead letters."""
        self.memory.forget(letters=letters)
