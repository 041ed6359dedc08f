import pytest
from tests.unit.functions.triage_alerts import payloads

from fleet.alerts import Observation
from fleet.findings import Severity
from fleet_triage.messages import from_message


def observed(name: str) -> Observation:
    (observation,) = from_message(payloads.text(f"cloudwatch/{name}"))
    return observation


@pytest.mark.parametrize(
    "name", ["sns_alarm", "sns_raw_delivery", "sns_no_description", "sns_no_arn", "event_in_sns"]
)
def test_an_alarm_has_one_key_and_one_id_however_it_comes(name: str) -> None:
    alarm, event = observed(name), observed("event_alarm")
    if name == "sns_no_arn":
        assert "EU (Ireland)" in payloads.text("cloudwatch/sns_no_arn"), (
            "the region is a name for people"
        )
    assert alarm.dedup_key == event.dedup_key == "aws.cloudwatch/123456789012/eu-west-1/web-5xx"
    assert (alarm.at, alarm.event_id) == (event.at, event.event_id)
    assert (alarm.status, alarm.severity, alarm.title) == (
        event.status,
        event.severity,
        event.title,
    )


def test_its_states_are_told_apart() -> None:
    assert observed("sns_alarm").event_id != observed("sns_ok").event_id
    assert observed("sns_ok").event_id == observed("event_ok").event_id


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        pytest.param(
            "sns_alarm", {"metric": "AWS/ApplicationELB/HTTPCode_Target_5XX_Count"}, id="metric"
        ),
        pytest.param(
            "event_alarm",
            {"metric": "AWS/ApplicationELB/HTTPCode_Target_5XX_Count"},
            id="metric, event",
        ),
        pytest.param(
            "sns_metric_math",
            {"metric": "100 * errors / requests, AWS/ApplicationELB/HTTPCode_Target_5XX_Count"},
            id="expression",
        ),
        pytest.param(
            "sns_anomaly",
            {"metric": "AWS/ApplicationELB/TargetResponseTime, ANOMALY_DETECTION_BAND(m1, 2)"},
            id="anomaly",
        ),
        pytest.param(
            "sns_composite",
            {
                "rule": "ALARM(web-5xx) OR ALARM(web-latency)",
                "triggered by": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:web-5xx",
            },
            id="composite",
        ),
        pytest.param(
            "event_composite",
            {"rule": "ALARM(web-5xx) OR ALARM(web-latency)", "suppressed by": "WaitPeriod"},
            id="composite, event",
        ),
    ],
)
def test_it_says_what_it_watches(name: str, detail: dict[str, str]) -> None:
    assert detail.items() <= dict(observed(name).detail).items()


def test_its_link_leads_to_it() -> None:
    assert observed("sns_anomaly").link == (
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/web%20latency"
    )


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("web-5xx-critical", Severity.CRITICAL),
        ("[Critical] web", Severity.CRITICAL),
        ("web_info", Severity.INFO),
        ("information desk", Severity.WARNING),
        ("criticality", Severity.WARNING),
    ],
)
def test_its_name_may_say_how_severe_it_is(name: str, severity: Severity) -> None:
    body = {**payloads.document("cloudwatch/sns_raw_delivery"), "AlarmName": name, "AlarmArn": ""}
    assert [observation.severity for observation in from_message(body)] == [severity]
