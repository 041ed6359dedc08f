from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.unit.functions.triage_alerts import payloads

from fleet.alerts import Observation
from fleet_triage.messages import from_message
from fleet_triage.sources import EVENTS

NOW = datetime(2026, 11, 20, 2, 30, tzinfo=UTC)


def told(one: Observation) -> str:
    return f"{one.status} {one.severity} | {one.source} {one.subject} | {one.title}"


@pytest.mark.parametrize("path", payloads.FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_real_message_says_what_stands_beside_it(path: Path) -> None:
    observed = [told(one) for one in from_message(path.read_text(), now=NOW)]
    assert (observed or ["nothing"]) == payloads.expected(path.parent)[path.name]


@pytest.mark.parametrize("path", payloads.FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_no_source_fails_on_a_real_message_and_none_lacks_what_people_need(path: Path) -> None:
    for one in from_message(path.read_text(), now=NOW):
        assert "not understood" not in one.detail
        assert one.event_id
        assert one.link or path.parent.name == "generic" or path.stem == "raw_delivery", (
            "there is nowhere to click"
        )


def test_every_expectation_has_its_message() -> None:
    files = {(path.parent.name, path.name) for path in payloads.FILES}
    folders = {path.parent for path in payloads.FILES}
    assert {
        (folder.name, name) for folder in folders for name in payloads.expected(folder)
    } == files


def test_every_kind_of_event_has_a_message() -> None:
    written = "".join(path.read_text() for path in payloads.FILES)
    kinds = [kind for _, kind in EVENTS if kind != "*"]
    assert [kind for kind in kinds if f'"{kind}"' not in written] == []
