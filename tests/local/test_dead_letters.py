"""`make dead-letters` beside the running fleet."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tools.local.fleet import Fleet
from tools.local.progress import LAST_RESORT_SECONDS
from tools.operate import dead_letters

pytestmark = pytest.mark.usefixtures("no_dead_letters")
HOPELESS = {
    "source": "fleet",
    "detail-type": "Start Pipeline",
    "id": "e1",
    "detail": {"pipeline": "deploy-never"},
}


@pytest.fixture
def tool(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the tool with --json in this process, which is quicker, and return its document."""
    monkeypatch.setattr("fleet.dead_letters.looking.POLL_SECONDS", 0)

    def run(*words: str) -> Any:
        capsys.readouterr()
        with mock.patch.dict(os.environ):
            dead_letters.main([*words, "--json"])
        return json.loads(capsys.readouterr().out)

    return run


def test_a_letter_is_listed_redriven_and_after_it_failed_again_discarded(
    fleet: Fleet, tool: Any, clone: Path, registered: Path
) -> None:
    def listed(redrives: int) -> dict[str, Any] | None:
        letters = tool("list", "--job", "start_pipeline")["letters"]
        return next((letter for letter in letters if letter["redrives"] == redrives), None)

    fleet.send(fleet.outputs["StartPipelineQueue"], HOPELESS)
    letter = fleet.wait_for(lambda: listed(0), "nothing was parked")
    assert (letter["error_type"], letter["attempts"], letter["given_up_by"]) == (
        "Permanent",
        1,
        "job",
    )

    outcomes = tool("redrive", "--cause", letter["cause"], "--wait", "0s")["outcomes"]
    assert (outcomes[0]["id"], outcomes[0]["step"]) == (letter["id"], "sent")
    again = fleet.wait_for(lambda: listed(1), "what was redriven did not come back")
    assert (again["cause"], again["id"] != letter["id"]) == (letter["cause"], True)

    tool("discard", "--id", again["id"], "--reason", "there is no such pipeline", "--author", "ada")
    logged = fleet.account.logs.filter_log_events(
        logGroupName="/fleet/fleet-local", logStreamNames=["operators"]
    )
    (line,) = [
        json.loads(event["message"])
        for event in logged["events"]
        if again["id"] in event["message"]
    ]
    assert (line["message"], line["why"]) == ("discarded", "there is no such pipeline")

    done = subprocess.run(
        [sys.executable, "-m", "tools.operate.dead_letters"],
        cwd=clone,
        env={**os.environ, "FLEETS_DIRECTORY": str(registered), "PYTHONPATH": "shared"},
        capture_output=True,
        text=True,
        timeout=LAST_RESORT_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "there are no dead letters\n")
