"""Alerts for tests."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fleet.alerts import Alert, AlertStatus
from fleet.findings import Severity

SAMPLE = Alert(
    id="a1",
    dedup_key="paused_pipelines/billing-api",
    status=AlertStatus.OPENED,
    severity=Severity.CRITICAL,
    title="billing-api has been paused before Deploy for 6 d 3 h",
    subject="billing-api",
    source="paused_pipelines",
    owner="payments",
    count=1,
    first_seen=datetime(2026, 11, 21, 8, 0, tzinfo=UTC),
    last_seen=datetime(2026, 11, 21, 8, 0, tzinfo=UTC),
    detail={"Deploy": "since 2026-11-15 by alice: incident 4711"},
    link="https://eu-west-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/billing-api/view?a=1&b=2",
    runbook="https://example.com/operations.md#paused_pipelines",
)


def alert(**changes: Any) -> Alert:
    """Return the sample with something else about it."""
    return replace(SAMPLE, **changes)


def event(about: Alert) -> str:
    """Return the body of the message by which a sink gets the alert."""
    detail = json.loads(about.as_json())
    return json.dumps(
        {"source": "fleet", "detail-type": "Alert", "id": f"e-{about.id}", "detail": detail}
    )
