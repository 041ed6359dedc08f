"""A job's finding that comes, stays and goes, and plain text; each told once."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tools.local.fleet import Fleet, Tap, expect

TRIGGER = "report, event, topic"
JOB = "triage_alerts"
SOURCE = "played_job"
SUBJECTS = ("disk", "lease")
OWNERS = f"""
- {{pattern: "source:{SOURCE}", owner: web}}
"""


def seed(fleet: Fleet) -> None:
    """Say who owns what the job finds."""
    fleet.configure(fleet.setting(JOB, "OWNERS_PARAMETER"), OWNERS)


def play(fleet: Fleet) -> str:
    """Report twice, the second time less; deliver the first report again; send text that nobody knows."""
    now = datetime.now(UTC)
    first = report(now - timedelta(minutes=2), *SUBJECTS)
    alerts = {"source": ["fleet"], "detail-type": ["Alert"], "detail": {"source": [SOURCE, "aws.sns"]}}
    with fleet.tap(JOB, alerts) as tap:
        fleet.publish(first)
        opened = [next_alert(tap, "opened") for _ in SUBJECTS]
        fleet.publish(first)
        fleet.publish(report(now - timedelta(minutes=1), "lease"))
        resolved = next_alert(tap, "resolved")
        queue = fleet.outputs["TriageAlertsQueue"]
        fleet.account.sqs.send_message(QueueUrl=queue, MessageBody="the disk of db-7 is odd")
        told = next_alert(tap, "opened")
    expect({each["subject"] for each in opened} == set(SUBJECTS), f"opened: {opened}")
    expect({each["owner"] for each in opened} == {"web"}, f"the owner is not in the alerts: {opened}")
    expect((resolved["subject"], resolved["count"]) == ("disk", 1), f"resolved: {resolved}")
    expect(told["source"] != SOURCE, f"expected an alert about the text, and got: {told}")
    expect("db-7" in f"{told['title']} {told['detail']}", f"the text is not in its alert: {told}")
    return "two findings, reported twice, opened once each; one was reported no more and resolved; plain text was told"


def report(at: datetime, *subjects: str) -> dict[str, Any]:
    """Return the event by which a job reports that something is wrong with these."""
    findings = [
        {"subject": each, "title": f"{each} is wrong", "severity": "warning", "detail": {}, "link": ""}
        for each in subjects
    ]
    detail = {"job": SOURCE, "scheduled_at": at.isoformat(), "findings": findings, "after": None, "through": None}
    return {"source": "fleet", "detail-type": "Job Report", "detail": detail}


def next_alert(tap: Tap, status: str) -> dict[str, Any]:
    """Return the next alert, which must tell of this transition."""
    alert: dict[str, Any] = tap.next(f"no alert came that something {status}")["detail"]
    expect(alert["status"] == status, f"expected something {status}; the alert says: {alert}")
    return alert
