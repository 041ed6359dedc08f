import pytest
from tests.unit.functions.console.samples import NOW

from fleet.findings import Severity
from fleet.ledger.rows import Row, State
from fleet_console import paging
from fleet_console.problems import Invalid, Missing
from fleet_console.reading import Reading
from fleet_console.reading.findings import FindingFilter, KnownFinding, StateFilter
from fleet_console.settings import Places, Settings

ROW = Row("look", "web", severity=Severity.WARNING, owner="shop")


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (FindingFilter(), True),
        (FindingFilter(source="look", severity=Severity.WARNING, owner="shop"), True),
        (FindingFilter(source="loo"), False),
        (FindingFilter(severity=Severity.INFO), False),
        (FindingFilter(owner="web"), False),
    ],
)
def test_a_finding_must_fit_all_that_is_wanted(wanted: FindingFilter, fits: bool) -> None:
    assert wanted.fits(ROW) is fits


def test_all_states_are_those_of_the_ledger() -> None:
    assert StateFilter.ALL.states == list(State)
    assert StateFilter.CLOSED.states == [State.CLOSED]


def test_a_finding_is_found_by_its_id_alone() -> None:
    known = KnownFinding(Row("look", "web*"))

    assert paging.decode(known.id) == ["finding#look", "look/web*"]
    assert known.mute_pattern == "look/web[*]"


@pytest.mark.parametrize(
    "key", [["mutes", "1"], ["finding#x", ""], ["finding#x"], 1, ["storms", 1]]
)
def test_an_id_leads_to_nothing_but_findings(monkeypatch: pytest.MonkeyPatch, key: object) -> None:
    monkeypatch.setattr(Places, "ledger", object())
    reading = Reading(Settings("fleet-test", "ledger", "https://queue"))

    with pytest.raises(Missing):
        reading.findings.finding(paging.encode(key), NOW)


def test_a_cursor_of_another_state_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Places, "ledger", object())
    reading = Reading(Settings("fleet-test", "ledger", "https://queue"))
    place = {"pk": "finding#x", "sk": "x", "listed": "closed", "opened": "2026"}

    with pytest.raises(Invalid, match="belongs to another list"):
        reading.findings.rows(FindingFilter(), 1, paging.encode(place))
