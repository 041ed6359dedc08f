"""A value is kept for as long as its kind says, for each value of the arguments."""

import pytest

from fleet_console.reading.memory import Kept, Memory, Reader, kept
from fleet_console.settings import Places, Settings


class Counter(Reader):
    calls = 0

    @kept(Kept.BRIEFLY)
    def briefly(self, name: str) -> str:
        return self._count(name)

    @kept(Kept.AS_LOOK)
    def as_look(self) -> str:
        return self._count("look")

    @kept(Kept.LONGER)
    def longer(self) -> str:
        return self._count("longer")

    def _count(self, name: str) -> str:
        self.calls += 1
        return f"{name} {self.calls}"


@pytest.fixture
def counter() -> Counter:
    return Counter(Places(Settings()), Memory())


def test_a_value_is_read_once_for_each_argument(counter: Counter) -> None:
    assert [counter.briefly("a"), counter.briefly("a"), counter.briefly("b")] == [
        "a 1",
        "a 1",
        "b 2",
    ]


def test_only_what_may_have_changed_is_forgotten(counter: Counter) -> None:
    def values() -> list[str]:
        return [counter.briefly("a"), counter.as_look(), counter.longer()]

    assert values() == ["a 1", "look 2", "longer 3"]
    counter.memory.forget(letters=False)
    assert values() == ["a 4", "look 2", "longer 3"]
    counter.memory.forget(letters=True)
    assert values() == ["a 5", "look 6", "longer 3"]


def test_each_kind_is_kept_for_its_seconds(counter: Counter) -> None:
    assert {kind: values.ttl for kind, values in counter.memory.values.items()} == {
        Kept.BRIEFLY: 5,
        Kept.AS_LOOK: 20,
        Kept.LONGER: 60,
    }
