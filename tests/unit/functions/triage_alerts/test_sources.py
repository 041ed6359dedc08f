"""What holds for the messages of every service; what one of them says is tested beside it."""

import pytest
from tests.unit.functions.triage_alerts.payloads import observed


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


def test_subjects_that_are_too_long_stay_distinct() -> None:
    first, second = (
        observed("backup/failed", resourceArn=f"arn:{'x' * 2_000}{end}") for end in "ab"
    )
    assert first.subject != second.subject
    assert first.dedup_key != second.dedup_key
