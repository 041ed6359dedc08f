"""A report that triage cannot read is parked and told of; it is mended and redriven, and that is told of too."""

import json
from datetime import UTC, datetime
from typing import Any

from fleet.dead_letters.causes import decoded
from fleet.dead_letters.letters import Letter
from fleet.dead_letters.looking import DeadLetters, Sweep
from fleet.dead_letters.redrive import Manner, Redrive, Selection, Step
from tools.local.alert_life import opened, resolved
from tools.local.destinations import SLACK
from tools.local.fleet import Fleet, eventually, expect

TRIGGER = "schedule"
JOB = "report_dead_letters"
UNREADABLE = {"source": "fleet", "detail-type": "Job Report", "id": "unreadable", "detail": {"note": "no report"}}
PATIENCE_SECONDS = 60.0


def seed(fleet: Fleet) -> None:
    """Send triage what it can never read; the dead letters of other jobs are beside it."""
    fleet.send(fleet.outputs["TriageAlertsQueue"], UNREADABLE)


def play(fleet: Fleet) -> str:
    """Expect a finding about the letter; then send it back mended, and expect to hear that it is over."""
    queue = DeadLetters(fleet.account.sqs, fleet.outputs["DeadLettersUrl"])
    letter: Letter = eventually(lambda: own(queue), "what triage cannot read was not parked")
    subject = f"triage_alerts/{letter.cause.id}"
    finding = eventually(lambda: reported(fleet, subject, there=True), f"{subject} was not reported", PATIENCE_SECONDS)
    expect(finding["detail"]["dead letters"] == 1, f"expected one letter of this cause: {finding['detail']}")
    expect("cannot be read" in finding["title"], f"the finding lacks the reason: {finding['title']}")
    opened(fleet, f"{JOB}/{subject}", SLACK)

    mended = {**UNREADABLE, "detail-type": "Sweep", "detail": {"scheduled_at": datetime.now(UTC).isoformat()}}
    manner = Manner(wait=0, body=json.dumps(mended))
    clients = {"sqs": fleet.account.sqs}.__getitem__

    def sent() -> list[str]:
        run = Redrive(queue, Selection(ids=(letter.id,)), manner, datetime.now(UTC), clients)
        return [outcome.detail for outcome in run if outcome.step is Step.SENT]

    (origin,) = eventually(sent, f"the letter {letter.id} was not redriven")
    expect(origin == letter.origin, f"it was sent to {origin}, and came from {letter.origin}")
    eventually(lambda: reported(fleet, subject, there=False), f"{subject} is still reported", PATIENCE_SECONDS)
    resolved(fleet, f"{JOB}/{subject}", SLACK)
    return f"{finding['title']}: opened at Slack and webhook; redriven with a mended body, and resolved at both"


def own(queue: DeadLetters) -> Letter | None:
    """Return the letter, unless somebody else is just looking at it."""
    letters = [held.letter for _, held in Sweep(queue)]
    return next((each for each in letters if decoded(each.body) == UNREADABLE), None)


def reported(fleet: Fleet, subject: str, there: bool) -> Any:
    """Report once; return the finding, or, when it should be gone, whether a report that saw all lacks it.

    Other scenarios look at the dead letters too, and hide them from this job for a second.
    """
    findings = {finding["subject"]: finding for finding in fleet.report(JOB)}
    if there:
        return findings.get(subject)
    return subject not in findings and "(unseen)" not in findings
