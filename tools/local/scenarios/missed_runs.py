"""Two schedules of last week: one whose job has reported, and one whose job does so at last."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tools.local.alert_waits import wait_until_opened, wait_until_resolved
from tools.local.destinations import SLACK
from tools.local.fleet import Fleet
from tools.local.progress import expect
from tools.local.stack import STACK

TRIGGER = "schedule"
SILENT, WELL = "nightly_invoices", "nightly_rates"
KEY = f"missed_runs/{SILENT}"


def seed(fleet: Fleet) -> None:
    """Create the schedules, which are not due for half a day."""
    now = datetime.now(UTC)
    daily = now - timedelta(hours=12)
    target = fleet.account.lambda_.get_function_configuration(FunctionName=f"{STACK}-missed_runs")
    for job in (SILENT, WELL):
        fleet.account.scheduler.create_schedule(
            Name=f"{STACK}-{job}",
            ScheduleExpression=f"cron({daily.minute} {daily.hour} * * ? *)",
            StartDate=now - timedelta(days=7),
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": target["FunctionArn"].replace(f"{STACK}-missed_runs", f"{STACK}-{job}"),
                "RoleArn": target["Role"],
            },
        )


def play(fleet: Fleet) -> str:
    """Expect one finding, about the silent job, until that reports."""
    report(fleet, WELL)
    (finding, *others) = fleet.report("missed_runs") or [{}]
    subjects = [each.get("subject") for each in (finding, *others)]
    expect(subjects == [SILENT], f"expected one finding, about {SILENT}; reported: {subjects}")
    expect(
        finding["detail"]["last report"] == "never",
        f"{SILENT} never reported, and the finding says: {finding}",
    )
    wait_until_opened(fleet, KEY, SLACK)
    report(fleet, SILENT)
    fleet.report_nothing("missed_runs", "every job has reported")
    wait_until_resolved(fleet, KEY, SLACK)
    return (
        f"{finding['title']}: opened at Slack and webhook; "
        "it reported, and that resolved it at both; "
        f"{WELL}, which had reported, and the jobs that were just deployed were left alone"
    )


def report(fleet: Fleet, job: str) -> None:
    """Report in the name of a job, and wait until the ledger knows."""
    now = datetime.now(UTC)
    detail: dict[str, Any] = {"job": job, "scheduled_at": now.isoformat(), "findings": []}
    fleet.publish({"source": "fleet", "detail-type": "Job Report", "detail": detail})
    key = {"pk": {"S": "reports"}, "sk": {"S": job}}
    fleet.wait_for(
        lambda: (
            "Item"
            in fleet.account.dynamodb.get_item(TableName=fleet.outputs["LedgerTable"], Key=key)
        ),
        f"triage did not note the report of {job}",
    )
