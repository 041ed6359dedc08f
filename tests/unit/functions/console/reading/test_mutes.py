from datetime import timedelta

import pytest
from tests.unit.functions.console.samples import NOW
from tests.unit.shared.ledger.memory import Memory as LedgerInMemory

from fleet.ledger.mutes import Mute
from fleet.ledger.rows import Row
from fleet_console.problems import Missing
from fleet_console.reading import Reading
from fleet_console.reading.mutes import MuteReader, in_force
from fleet_console.settings import Places, Settings


def mute(id: str, *, hours: int, ended: bool = False) -> Mute:
    """A mute of all findings of `look`, that ends so many hours from now."""
    return Mute(id, "look/*", "known", "me", NOW + timedelta(hours=hours), ended=ended)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> MuteReader:
    """A reader of three mutes: one has ended, and two last for one and for two hours more."""
    ledger = LedgerInMemory()
    ledger.commit([mute("short", hours=1), mute("long", hours=2), mute("over", hours=-1)])
    monkeypatch.setattr(Places, "ledger", ledger)
    return Reading(Settings("fleet-test", "ledger", "https://queue")).mutes


def test_the_mute_that_ends_last_comes_first(reader: MuteReader) -> None:
    assert [mute.id for mute in reader.all()] == ["long", "short", "over"]


def test_a_mute_is_read_by_its_id(reader: MuteReader) -> None:
    assert reader.mute("short").until == NOW + timedelta(hours=1)


def test_an_unknown_mute_is_missing(reader: MuteReader) -> None:
    with pytest.raises(Missing, match="there is no mute 'x'"):
        reader.mute("x")


@pytest.mark.parametrize(("source", "muted"), [("look", True), ("other", False)])
def test_a_finding_has_a_mute_whose_pattern_fits(
    reader: MuteReader, source: str, muted: bool
) -> None:
    found = reader.mute_of(Row(source, "web"), NOW)

    assert (found is not None) is muted


@pytest.mark.parametrize(
    ("hours", "ended", "expected"), [(1, False, True), (0, False, False), (1, True, False)]
)
def test_a_mute_is_in_force_until_its_time_or_its_end(
    hours: int, ended: bool, expected: bool
) -> None:
    assert in_force(mute("a", hours=hours, ended=ended), NOW) is expected
