"""Three pipelines: one that someone paused days ago, one paused just now, and one that runs."""

from datetime import UTC, datetime, timedelta

from tools.local.codepipeline import add_pipeline, pause
from tools.local.fleet import Fleet, expect

TRIGGER = "schedule"
FORGOTTEN = "billing-api"


def seed(_: Fleet) -> None:
    """Create the pipelines."""
    now = datetime.now(UTC)
    for name in (FORGOTTEN, "shop-web", "search"):
        add_pipeline(name)
    pause(FORGOTTEN, "Deploy", reason="incident 4711, wait for the fix", since=now - timedelta(days=6, hours=3))
    pause("shop-web", "Deploy", reason="release at noon", since=now - timedelta(hours=1))


def play(fleet: Fleet) -> str:
    """Expect one finding, about the forgotten pipeline."""
    findings = fleet.report("paused_pipelines")
    subjects = [finding["subject"] for finding in findings]
    expect(subjects == [FORGOTTEN], f"expected one finding, about {FORGOTTEN}; reported: {subjects}")
    expect("incident 4711" in str(findings[0]["detail"]), f"the finding lacks the reason: {findings[0]['detail']}")
    return str(findings[0]["title"])
