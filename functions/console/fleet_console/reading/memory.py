"""What was read from AWS is kept for seconds, so that many who look cost no more calls than one."""

import threading
from collections.abc import Callable, Hashable
from enum import Enum
from typing import Any, TypeVar, cast

from cachetools import TTLCache, cachedmethod

from fleet_console.settings import Places

MOST_VALUES = 512
Method = TypeVar("Method", bound=Callable[..., Any])


class Kept(Enum):
    """For how many seconds a value is kept."""

    BRIEFLY = 5  # nobody notices
    AS_LOOK = 20  # a look at the dead letters hides them from others for a moment
    LONGER = 60  # what changes with a deployment only


class Memory:
    """The values that were read. One for all threads; it lives as long as the process."""

    def __init__(self) -> None:
        # Threads that need the same value at once wait for the first of them.
        self.condition = threading.Condition()
        self.values: dict[Kept, TTLCache[Any, Any]] = {
            kept: TTLCache(MOST_VALUES, ttl=kept.value) for kept in Kept
        }

    def forget(self, *, letters: bool) -> None:
        """Forget what somebody may just have changed: not the dead letters unless `letters`."""
        with self.condition:
            self.values[Kept.BRIEFLY].clear()
            if letters:
                self.values[Kept.AS_LOOK].clear()


class Reader:
    """Something that reads one kind of thing from AWS, and keeps it in the memory."""

    def __init__(self, places: Places, memory: Memory) -> None:
        self.places = places
        self.memory = memory


def kept(how_long: Kept) -> Callable[[Method], Method]:
    """Keep what a method of a `Reader` returns, for each value of its arguments."""

    def values_of(reader: Reader) -> TTLCache[Any, Any]:
        return reader.memory.values[how_long]

    def condition_of(reader: Reader) -> threading.Condition:
        return reader.memory.condition

    def decorate(method: Method) -> Method:
        def key_of(_reader: Reader, *arguments: Hashable) -> Hashable:
            return method.__qualname__, *arguments

        keep = cachedmethod(values_of, key=key_of, condition=condition_of)
        return cast("Method", keep(method))

    return decorate
