from typing import Any

import pytest
from tests.unit.functions.triage_alerts import payloads

from fleet.alerts import Observation
from fleet.findings import Severity
from fleet_triage.messages import from_message


def observed(name: str, **changes: Any) -> Observation:
    """The one observation of an event, with changes to its detail."""
    event = payloads.document(name)
    if changes:
        event["detail"] |= changes
    (observation,) = from_message(event)
    return observation


@pytest.mark.parametrize(
    ("event", "notification"),
    [
        ("rds/failover", "rds/sns_failover"),
        ("autoscaling/launch", "autoscaling/sns_launch_error"),
        ("config/non_compliant", "config/sns"),
        ("costs/anomaly", "costs/sns_anomaly"),
        ("codepipeline/action_failed", "codepipeline/notification_rule"),
        ("ses/event_bounce", "ses/published_bounce"),
        ("ses/event_bounce", "ses/bounce"),
    ],
)
def test_a_trouble_has_one_key_over_sns_and_over_eventbridge(event: str, notification: str) -> None:
    one, other = observed(event), observed(notification)
    assert (one.dedup_key, one.status, one.severity) == (
        other.dedup_key,
        other.status,
        other.severity,
    )


@pytest.mark.parametrize(
    ("score", "title", "severity"),
    [
        (0.1, "Low", Severity.INFO),
        (3.9, "Low", Severity.INFO),
        (4, "Medium", Severity.WARNING),
        (6.9, "Medium", Severity.WARNING),
        (7, "High", Severity.CRITICAL),
        (8.9, "High", Severity.CRITICAL),
        (9, "Critical", Severity.CRITICAL),
        (10, "Critical", Severity.CRITICAL),
        ("9.0", "Critical", Severity.CRITICAL),
        (None, "Unknown", Severity.WARNING),
    ],
)
def test_guardduty_has_bands(score: Any, title: str, severity: Severity) -> None:
    finding = observed("guardduty/high", severity=score)
    assert (finding.title.split(":")[0], finding.severity) == (title, severity)


def test_an_update_of_a_guardduty_finding_is_another_message_of_the_same() -> None:
    event = payloads.document("guardduty/high")
    (first,), (update,) = from_message(event), from_message({**event, "id": "another"})
    assert first.dedup_key == update.dedup_key
    assert first.event_id != update.event_id
    assert update.detail["seen"] == 3


def test_only_the_pipeline_as_a_whole_succeeds() -> None:
    keys = {observed(f"codepipeline/{part}failed").dedup_key for part in ("", "stage_", "action_")}
    assert keys == {observed("codepipeline/succeeded").dedup_key}
    assert from_message(payloads.text("codepipeline/action_succeeded")) == []


def test_a_build_says_where_it_failed() -> None:
    build = observed("codebuild/failed")
    assert build.detail["phase"] == "BUILD"
    assert str(build.detail["reason"]).startswith("COMMAND_EXECUTION_ERROR: ")


def test_a_task_says_how_its_containers_ended() -> None:
    task = observed("ecs/task_out_of_memory")
    assert (
        task.detail["container c0"]
        == "exit 137, OutOfMemoryError: Container killed due to memory usage"
    )
    assert task.detail["task definition"] == "web:5"
    assert observed("ecs/task_crashed").detail["container app"] == "exit 1"


def test_a_steady_service_does_not_resolve_its_failed_deployment() -> None:
    assert observed("ecs/service_steady").dedup_key == observed("ecs/service_impaired").dedup_key
    assert observed("ecs/service_steady").dedup_key != observed("ecs/deployment_failed").dedup_key


def test_mail_says_how_many_bounced_and_where_but_not_who() -> None:
    bounce = observed("ses/bounce")
    assert (bounce.detail["recipients"], bounce.detail["domains"]) == (1, "example.net")
    assert "jane" not in str(bounce)


@pytest.mark.parametrize("name", ["sns_actual", "raw_delivery", "sns_json"])
def test_a_budget_is_read_from_text_and_from_json(name: str) -> None:
    (budget,) = from_message(payloads.text(f"budgets/{name}"))
    assert str(budget.detail["actual amount"]).strip("$").startswith("85.12")
    assert str(budget.detail["alert threshold"]).startswith("> ")
    assert budget.detail["account"] == "123456789012"


def test_a_report_keeps_its_findings_facts_and_its_jobs_time() -> None:
    finding, _ = from_message(payloads.text("fleet/report"))
    assert finding.detail == {"Deploy": "since 2026-11-17", "hours": 77}
    assert finding.at.isoformat() == "2026-11-20T01:50:00+00:00"


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "http://example.com", "https://example.com/a b", "", 7, None]
)
def test_a_link_of_another_kind_is_left_out(link: Any) -> None:
    finding = {"subject": "web", "title": "web", "severity": "warning", "detail": {}, "link": link}
    assert observed("fleet/report", findings=[finding]).link == ""


def test_subjects_that_are_too_long_stay_distinct() -> None:
    first, second = (
        observed("backup/failed", resourceArn=f"arn:{'x' * 2_000}{end}") for end in "ab"
    )
    assert first.subject != second.subject
    assert first.dedup_key != second.dedup_key
