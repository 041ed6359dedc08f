"""What becomes JSON has the fields that openapi.yaml requires."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.functions.console.samples import NOW, SCHEDULED, letter, schedule

import fleet_console
from fleet.dead_letters.letters import Letter, Route
from fleet.ledger.mutes import Mute
from fleet.ledger.rows import Row
from fleet_console import serialise
from fleet_console.operations import LetterOutcomes, RequestedRun
from fleet_console.reading.findings import KnownFinding
from fleet_console.reading.letters import DeadLetterGroup
from fleet_console.reading.logs import LogLine
from fleet_console.status import JobStatus

MUTE = Mute("1", "look/*", "known", "ada", NOW)
FINDING = KnownFinding(Row("look", "web*"), MUTE)
WHOLE = Letter("1", Route.JOB, "react", "r", "E", 1, NOW, "", "", '{"password": "hunter2"}')
DOCUMENTS = {
    "Begun": serialise.run_as_json(RequestedRun("look", "invocation", "1")),
    "Cause": serialise.cause_as_json(DeadLetterGroup(letter().cause, (letter(),))),
    "Done": serialise.outcomes_as_json(LetterOutcomes(())),
    "Finding": serialise.finding_as_json(FINDING),
    "Job": serialise.job_as_json(JobStatus(SCHEDULED, NOW, schedule=schedule())),
    "Letter": serialise.letter_as_json(letter()),
    "Line": serialise.log_line_as_json(LogLine(NOW, "INFO", "reported", {})),
    "Mute": serialise.mute_as_json(MUTE, NOW),
}


@pytest.fixture(scope="module")
def schemas() -> Any:
    description = Path(str(fleet_console.__file__)).parent / "openapi.yaml"
    return yaml.safe_load(description.read_text())["components"]["schemas"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_it_has_the_fields_of_its_schema(schemas: Any, name: str) -> None:
    assert sorted(DOCUMENTS[name]) == sorted(schemas[name]["required"])


def test_a_finding_names_its_mute_and_how_to_mute_it_alone() -> None:
    document = DOCUMENTS["Finding"]

    assert (document["muted_by"], document["mute_pattern"]) == ("1", "look/web[*]")


def test_a_whole_letter_shows_no_secret() -> None:
    assert "hunter2" not in serialise.whole_letter_as_json(WHOLE)["body"]


def test_a_mute_ends_at_its_time() -> None:
    assert not DOCUMENTS["Mute"]["active"]
