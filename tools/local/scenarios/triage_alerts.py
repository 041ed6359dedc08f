"""A job's finding that comes, stays and goes, an alarm that does so, and plain text; each told
once, and one again.
"""

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from tools.local.alert_waits import wait_until_opened, wait_until_resolved
from tools.local.destinations import PAGERDUTY, SLACK
from tools.local.fleet import Fleet, Tap
from tools.local.progress import expect
from tools.paths import ROOT

TRIGGER = "report, event, topic"
JOB = "triage_alerts"
SOURCE = "played_job"
NEGLECTED = "neglected_job"
SUBJECTS = ("disk", "lease")
ALARM = ROOT / "tests" / "events" / "alerts" / "cloudwatch" / "sns_metric_math.json"
OWNERS = f"""
- {{pattern: "source:{SOURCE}", owner: web}}
- {{pattern: "source:paused_pipelines", owner: operations}}
- {{pattern: "source:prune_objects", owner: operations}}
- {{pattern: "source:aws.cloudwatch", owner: operations}}
- {{pattern: "source:expiring_certificates", owner: security}}
- {{pattern: "source:stale_credentials", owner: security}}
- {{pattern: "source:stale_secrets", owner: security}}
- {{pattern: "source:failing_endpoints", owner: web}}
- {{pattern: "source:stale_backups", owner: data}}
"""


def seed(fleet: Fleet) -> None:
    """Say who owns what the job finds."""
    fleet.configure(JOB, "OWNERS_PARAMETER", OWNERS)


def play(fleet: Fleet) -> str:
    """Report twice, the second time less; repeat the first report; send plain text."""
    now = datetime.now(UTC)
    alarm = alarmed(fleet, "ALARM", "OK")
    first = report(now - timedelta(minutes=2), *SUBJECTS)
    alerts = {
        "source": ["fleet"],
        "detail-type": ["Alert"],
        "detail": {"source": [SOURCE, "aws.sns"]},
    }
    with fleet.tap(JOB, alerts) as tap:
        fleet.publish(first)
        opened = [next_alert(tap, "opened") for _ in SUBJECTS]
        fleet.publish(first)
        fleet.publish(report(now - timedelta(minutes=1), "lease"))
        resolved = next_alert(tap, "resolved")
        queue = fleet.outputs["TriageAlertsQueue"]
        fleet.account.sqs.send_message(QueueUrl=queue, MessageBody="the disk of db-7 is odd")
        told = next_alert(tap, "opened")
    reminded(fleet, now)
    wait_until_opened(fleet, alarm, SLACK, PAGERDUTY)
    alarmed(fleet, "OK", "ALARM")
    wait_until_resolved(fleet, alarm, SLACK, PAGERDUTY)
    expect({each["subject"] for each in opened} == set(SUBJECTS), f"opened: {opened}")
    expect(
        {each["owner"] for each in opened} == {"web"}, f"the owner is not in the alerts: {opened}"
    )
    expect((resolved["subject"], resolved["count"]) == ("disk", 1), f"resolved: {resolved}")
    expect(told["source"] != SOURCE, f"expected an alert about the text, and got: {told}")
    expect("db-7" in f"{told['title']} {told['detail']}", f"the text is not in its alert: {told}")
    return (
        "a critical CloudWatch alarm by way of SNS opened, and its OK resolved, "
        "at Slack, PagerDuty and webhook; "
        "two findings, reported twice, opened once each, and one resolved; plain text was told; "
        "a sweep reminded of a finding two days old"
    )


def reminded(fleet: Fleet, now: datetime) -> None:
    """Report what has been wrong for two days, and let a sweep find it as its schedule would."""
    subject = uuid.uuid4().hex
    (sweep,) = (
        each["Target"] for each in fleet.account.schedules() if each["Name"].endswith(f"-{JOB}")
    )
    message = sweep["Input"].replace("<aws.scheduler.scheduled-time>", f"{now:%Y-%m-%dT%H:%M:%SZ}")
    alerts = {"source": ["fleet"], "detail-type": ["Alert"], "detail": {"subject": [subject]}}
    with fleet.tap(f"{JOB}-sweep", alerts) as tap:
        fleet.publish(report(now - timedelta(days=2), subject, job=NEGLECTED, severity="warning"))
        next_alert(tap, "opened")
        fleet.account.sqs.send_message(
            QueueUrl=fleet.outputs["TriageAlertsQueue"], MessageBody=message
        )
        next_alert(tap, "reminded")


def alarmed(fleet: Fleet, state: str, before: str) -> str:
    """Publish a change of an alarm as CloudWatch does; return the key of its alerts."""
    message = json.loads(json.loads(ALARM.read_text())["Message"])
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "+0000"
    message |= {"NewStateValue": state, "OldStateValue": before, "StateChangeTime": at}
    name, region = message["AlarmName"], message["Region"]
    fleet.account.sns.publish(
        TopicArn=fleet.outputs["AlertsTopicArn"],
        Subject=f'{state}: "{name}" in {region}',
        Message=json.dumps(message),
    )
    _, _, _, region, account, *_ = message["AlarmArn"].split(":")
    return f"aws.cloudwatch/{account}/{region}/{name}"


def report(
    at: datetime, *subjects: str, job: str = SOURCE, severity: str = "info"
) -> dict[str, Any]:
    """Return the event by which a job reports that something is wrong with these."""
    findings = [
        {
            "subject": each,
            "title": f"{each} is wrong",
            "severity": severity,
            "detail": {},
            "link": "",
        }
        for each in subjects
    ]
    detail = {
        "job": job,
        "scheduled_at": at.isoformat(),
        "findings": findings,
        "after": None,
        "through": None,
    }
    return {"source": "fleet", "detail-type": "Job Report", "detail": detail}


def next_alert(tap: Tap, status: str) -> dict[str, Any]:
    """Return the next alert, which must be about this transition."""
    alert: dict[str, Any] = tap.next(f"no alert came that something {status}")["detail"]
    expect(alert["status"] == status, f"expected something {status}; the alert says: {alert}")
    return alert
