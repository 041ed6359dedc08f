"""Three pipelines: one that someone paused days ago and resumes, one paused just now, and one that
runs.
"""

from datetime import UTC, datetime, timedelta

from tools.local.alert_waits import wait_until_opened, wait_until_resolved
from tools.local.destinations import SLACK
from tools.local.fleet import Fleet
from tools.local.moto_codepipeline import add_pipeline, pause, resume
from tools.local.progress import expect

TRIGGER = "schedule"
FORGOTTEN = "billing-api"
KEY = f"paused_pipelines/{FORGOTTEN}"


def seed(_: Fleet) -> None:
    """Create the pipelines."""
    now = datetime.now(UTC)
    for name in (FORGOTTEN, "shop-web", "search"):
        add_pipeline(name)
    pause(
        FORGOTTEN,
        "Deploy",
        reason="incident 4711, wait for the fix",
        since=now - timedelta(days=6, hours=3),
    )
    pause("shop-web", "Deploy", reason="release at noon", since=now - timedelta(hours=1))


def play(fleet: Fleet) -> str:
    """Expect one finding, about the forgotten pipeline, until that is resumed."""
    findings = fleet.report("paused_pipelines")
    subjects = [finding["subject"] for finding in findings]
    expect(
        subjects == [FORGOTTEN], f"expected one finding, about {FORGOTTEN}; reported: {subjects}"
    )
    expect(
        "incident 4711" in str(findings[0]["detail"]),
        f"the finding lacks the reason: {findings[0]['detail']}",
    )
    wait_until_opened(fleet, KEY, SLACK)
    resume(FORGOTTEN, "Deploy")
    fleet.report_nothing("paused_pipelines", "nothing is paused for long any more")
    wait_until_resolved(fleet, KEY, SLACK)
    return (
        f"{findings[0]['title']}: opened at Slack and webhook; "
        "resumed, and resolved at both (a warning pages nobody)"
    )
