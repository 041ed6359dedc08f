"""Waiting for as long as the fleet gets anywhere.

How long anything takes depends on the machine, so no wait ends after a fixed time. It ends when
nothing in the whole fleet has moved for a while and no message is on its way: then what is awaited
will never come.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

QUIET_SECONDS = 60.0
"""A fleet in which nothing has moved for so long has come to rest, unless messages are on their
way.
"""
LAST_RESORT_SECONDS = 3_600.0
"""Ends a wait for a fleet that moves for ever, such as one in which a message goes round in
circles.
"""
POLL_SECONDS = 0.2
LOOK_SECONDS = 1.0
PROCESSES = Path("/proc")


class Failed(Exception):
    """A job did not do what its scenario expects; the message says what happened instead."""


def expect(condition: object, otherwise: str) -> None:
    """Raise `Failed` with the message `otherwise` unless the condition holds."""
    if not condition:
        raise Failed(otherwise)


def retry(action: Callable[[], Any], otherwise: str, attempts: int = 30) -> Any:
    """Return the first true result of an action. Raises `Failed` when `attempts` gave none.

    For what makes the fleet move by itself, such as running a job: waiting for it would never end.
    """
    for _ in range(attempts):
        if result := action():
            return result
        time.sleep(LOOK_SECONDS)
    raise Failed(f"{otherwise} (in {attempts} attempts)")


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the fleet showed; times are in seconds of the monotonic clock."""

    at: float
    moved_at: float
    """When the fleet was first seen as it is now."""
    done: object
    """Differs whenever the fleet has done anything."""
    messages: Mapping[str, int]
    """How many messages are on their way, by queue; read only once the fleet has been quiet."""


class Progress:
    """Whether the fleet moves, for all who wait at once."""

    def __init__(
        self, done: Callable[[], object], messages: Callable[[], Mapping[str, int]]
    ) -> None:
        """Look by these functions, at most once a second; `Look` says what each returns."""
        self._done = done
        self._messages = messages
        self._lock = Lock()
        now = time.monotonic()
        self._last = Look(now, now, None, {})

    def wait_for(self, condition: Callable[[], Any], otherwise: str) -> Any:
        """Return the first true result of the condition.

        Raises `Failed`, whose message begins with `otherwise`, when the fleet rests without one.
        """
        began = time.monotonic()
        while not (result := condition()):
            look = self._look()
            quiet = look.at - max(look.moved_at, began)
            if quiet > QUIET_SECONDS and not look.messages:
                raise Failed(f"{otherwise} (nothing has moved for {QUIET_SECONDS:.0f} s)")
            if look.at - began > LAST_RESORT_SECONDS:
                raise Failed(f"{otherwise} ({_gave_up(look)})")
            time.sleep(POLL_SECONDS)
        return result

    def _look(self) -> Look:
        """Return the last look, which is at most `LOOK_SECONDS` old."""
        with self._lock:
            now = time.monotonic()
            last = self._last
            if now - last.at < LOOK_SECONDS:
                return last
            done = self._done()
            moved_at = now if done != last.done else last.moved_at
            is_quiet = now - moved_at > QUIET_SECONDS
            messages = self._messages() if is_quiet else {}
            self._last = Look(now, moved_at, done, messages)
            return self._last


def _gave_up(look: Look) -> str:
    minutes = LAST_RESORT_SECONDS / 60
    waited = f"gave up after {minutes:.0f} minutes"
    if look.messages:
        counts = [f"{count} in {queue}" for queue, count in look.messages.items()]
        return f"{waited}, with messages on their way: {', '.join(counts)}"
    load = os.getloadavg()[0]
    cores = os.cpu_count()
    return (
        f"{waited}, while the fleet was still working: "
        f"this machine is too slow (load {load:.0f} on {cores} cores), or something never ends"
    )


def cpu_ticks(group: int) -> int:
    """Return the CPU time of a process group without its leader, in clock ticks.

    Where there is no `/proc`, it is always 0.

    The fields are those of /proc/PID/stat in proc(5); the name in parentheses may hold anything.
    """
    ticks = 0
    for stat in PROCESSES.glob("[0-9]*/stat"):
        try:
            process, _, fields = stat.read_text().rpartition(")")
        except OSError:  # the process has ended
            continue
        values = fields.split()
        process_id, *_ = process.split()
        process_group = int(values[2])
        is_leader = int(process_id) == group
        if process_group == group and not is_leader:
            user, system = values[11:13]
            ticks += int(user) + int(system)
    return ticks
