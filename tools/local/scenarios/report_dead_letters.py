"""A report that triage cannot read is parked and told of; it is mended and redriven, and that is told of too."""

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tools.local.alert_waits import opened, resolved
from tools.local.destinations import SLACK
from tools.local.fleet import Fleet, eventually, expect
from tools.local.stack import STACK
from tools.paths import ROOT
from tools.sandbox import isolated

TRIGGER = "schedule"
JOB = "report_dead_letters"
MARK = "Unreadable!"
REPORT: dict[str, object] = {
    "job": MARK,
    "scheduled_at": "2026-11-20T08:00:00Z",
    "findings": [],
    "after": None,
    "through": None,
}
UNREADABLE = {"source": "fleet", "detail-type": "Job Report", "id": "unreadable", "detail": REPORT}


def seed(_: Fleet) -> None:
    """Send nothing yet: others still seed the settings of triage, which ends its processes amid a message."""


def play(fleet: Fleet) -> str:
    """Send triage what it can never read, and expect a finding; then send it back mended, and expect its end."""
    fleet.send(fleet.outputs["TriageAlertsQueue"], UNREADABLE)
    letter = eventually(lambda: own(fleet), "what triage cannot read was not parked")
    subject = f"letters/triage_alerts/{letter['cause']}"
    finding = eventually(lambda: reported(fleet, subject), f"{subject} was not reported")
    expect(MARK in finding["title"], f"the finding lacks the reason: {finding['title']}")
    opened(fleet, f"{JOB}/{subject}", SLACK)
    while letter := own(fleet):  # one more for each time that this fleet was asked for the scenario
        (outcome,) = mended(fleet, letter["id"])
        expect(
            outcome["step"] == "sent",
            f"the letter was not redriven: {outcome['step']}: {outcome['detail']}",
        )
        expect(outcome["detail"] == letter["origin"], f"the letter was sent to {outcome['detail']}")
    eventually(lambda: gone(fleet, subject), f"{subject} is still reported")
    resolved(fleet, f"{JOB}/{subject}", SLACK)
    return (
        "a message that triage parked: opened at Slack and webhook; `make dead-letters` sent it back with a mended "
        "body, and it was resolved at both"
    )


def own(fleet: Fleet) -> dict[str, Any] | None:
    """Return the letter, unless somebody else is just looking at it: other scenarios do, and hide it for a second."""
    letters = tool(fleet, "list", "--job", "triage_alerts")["letters"]
    return next((letter for letter in letters if MARK in letter["reason"]), None)


def mended(fleet: Fleet, letter: str) -> list[dict[str, Any]]:
    """Send the letter back with a body that triage can read, as an operator does."""
    sweep = {
        **UNREADABLE,
        "detail-type": "Sweep",
        "detail": {"scheduled_at": datetime.now(UTC).isoformat()},
    }
    with tempfile.NamedTemporaryFile("w") as file:
        Path(file.name).write_text(json.dumps(sweep))

        def outcomes() -> list[dict[str, Any]]:
            done = tool(fleet, "redrive", "--id", letter, "--body", file.name, "--wait", "0s")
            return list(done.get("outcomes", []))

        found: list[dict[str, Any]] = eventually(outcomes, f"the letter {letter} was not found")
        return found


def reported(fleet: Fleet, subject: str) -> dict[str, Any] | None:
    """Report once, and return the finding."""
    return next((finding for finding in fleet.report(JOB) if finding["subject"] == subject), None)


def gone(fleet: Fleet, subject: str) -> bool:
    """Report once; say whether a report that saw all letters lacks the finding."""
    return not {subject, "letters"} & {finding["subject"] for finding in fleet.report(JOB)}


def tool(fleet: Fleet, *words: str) -> dict[str, Any]:
    """Run `make dead-letters` for this fleet and return the document that it prints, or nothing when it could not."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.operate.dead_letters", *words, "--stack", STACK, "--json"],
        cwd=ROOT,
        env={**isolated(os.environ), **fleet.account.environment, "PYTHONPATH": "shared"},
        capture_output=True,
        text=True,
        check=False,
    )
    expect(
        "Traceback" not in done.stderr,
        f"`make dead-letters {words[0]}` broke: {done.stderr[-500:]}",
    )
    document: dict[str, Any] = json.loads(done.stdout or "{}")
    return document
