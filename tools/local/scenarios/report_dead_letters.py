"""A report that triage cannot read is parked and reported; it is repaired and redriven, and its
finding ends.
"""

import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tools.local.alert_waits import wait_until_opened, wait_until_resolved
from tools.local.destinations import SLACK
from tools.local.fleet import Finding, Fleet, by_subject
from tools.local.progress import expect, retry
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
UNREADABLE = {
    "source": "fleet",
    "detail-type": "Job Report",
    "id": "unreadable",
    "detail": REPORT,
}


def seed(_: Fleet) -> None:
    """Send nothing yet: what others seed may end the processes of triage amid a message."""


def play(fleet: Fleet) -> str:
    """Send triage what it can never read, and expect a finding until it is repaired."""
    fleet.send(fleet.outputs["TriageAlertsQueue"], UNREADABLE)
    fleet.wait_for(partial(is_parked, fleet), "what triage cannot read was not parked")
    letter = retry(partial(find_own_letter, fleet), "`make dead-letters` does not list the letter")
    cause = letter["cause"]
    subject = f"letters/triage_alerts/{cause}"
    finding = retry(partial(report_subject, fleet, subject), f"{subject} was not reported")
    title = finding["title"]
    expect(MARK in title, f"the finding lacks the reason: {title}")
    wait_until_opened(fleet, f"{JOB}/{subject}", SLACK)

    while letter := find_own_letter(fleet):  # this fleet may have played the scenario before
        redrive_repaired(fleet, letter)
    retry(partial(is_resolved, fleet, subject), f"{subject} is still reported")
    wait_until_resolved(fleet, f"{JOB}/{subject}", SLACK)
    return (
        "a message that triage parked: opened at Slack and webhook; `make dead-letters` sent it "
        "back with a repaired body, and it was resolved at both"
    )


def is_parked(fleet: Fleet) -> bool:
    """Whether triage has parked the report."""
    letters = fleet.dead_letters("triage_alerts")
    return any(MARK in letter["reason"] for letter in letters)


def find_own_letter(fleet: Fleet) -> dict[str, Any] | None:
    """Return the scenario's letter, unless somebody looks at it and so hides it just now."""
    document = run_tool(fleet, "list", "--job", "triage_alerts")
    for letter in document["letters"]:
        if MARK in letter["reason"]:
            own: dict[str, Any] = letter
            return own
    return None


def redrive_repaired(fleet: Fleet, letter: dict[str, Any]) -> None:
    """Send the letter back with a body that triage can read, as an operator does."""
    letter_id = letter["id"]
    now = datetime.now(UTC)
    sweep = {
        **UNREADABLE,
        "detail-type": "Sweep",
        "detail": {"scheduled_at": now.isoformat()},
    }
    with tempfile.NamedTemporaryFile("w") as body:
        json.dump(sweep, body)
        body.flush()

        def redrive() -> Any:
            words = ("--id", letter_id, "--body", body.name, "--wait", "0s")
            document = run_tool(fleet, "redrive", *words)
            return document.get("outcomes")

        (outcome,) = fleet.wait_for(redrive, f"the letter {letter_id} was not found")
    expect(outcome["step"] == "sent", f"the letter was not redriven: {outcome}")
    queue = outcome["detail"]
    expect(queue == letter["origin"], f"the letter was sent to {queue}")


def report_subject(fleet: Fleet, subject: str) -> Finding | None:
    """Run the job once; return its finding about the subject, or None if it has none."""
    for finding in fleet.report(JOB):
        if finding["subject"] == subject:
            return finding
    return None


def is_resolved(fleet: Fleet, subject: str) -> bool:
    """Run the job once; return whether its report, which saw all letters, lacks the subject."""
    findings = fleet.report(JOB)
    subjects = by_subject(findings, "title")
    return subject not in subjects and "letters" not in subjects


def run_tool(fleet: Fleet, *words: str) -> dict[str, Any]:
    """Run `make dead-letters` for this fleet; return the document that it prints, if any."""
    tool = [sys.executable, "-m", "tools.operate.dead_letters"]
    environment = {
        **isolated(os.environ),
        **fleet.account.environment,
        "PYTHONPATH": "shared",
    }
    process = subprocess.run(
        [*tool, *words, "--stack", STACK, "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    errors = process.stderr[-500:]
    expect("Traceback" not in errors, f"`make dead-letters {words[0]}` broke: {errors}")
    document: dict[str, Any] = json.loads(process.stdout or "{}")
    return document
