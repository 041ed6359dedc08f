import json
from datetime import timedelta

import pytest
from functions.notify_pagerduty.app import EVENT_BYTES, event, is_overtaken
from tests.sample_alerts import SAMPLE, alert

from fleet.alerts import Alert, AlertStatus
from fleet.findings import Severity
from fleet.sinks import fit_alert

LATER = SAMPLE.first_seen + timedelta(hours=1)
BEGAN = SAMPLE.first_seen.isoformat()


def test_an_opening_triggers() -> None:
    sent = event(SAMPLE, "key")
    assert (sent["event_action"], sent["routing_key"], sent["dedup_key"]) == (
        "trigger",
        "key",
        SAMPLE.dedup_key,
    )
    assert sent["payload"]["summary"] == SAMPLE.title
    assert sent["payload"]["severity"] == "critical"
    assert sent["payload"]["custom_details"]["facts"] == SAMPLE.detail
    assert [link["text"] for link in sent["links"]] == ["Console", "Runbook"]


@pytest.mark.parametrize("severity", Severity)
def test_every_severity_is_one_of_pagerduty(severity: Severity) -> None:
    assert event(alert(severity=severity), "key")["payload"]["severity"] in {
        "info",
        "warning",
        "critical",
    }


@pytest.mark.parametrize("status", [AlertStatus.ESCALATED, AlertStatus.REMINDED])
def test_what_follows_adds_to_the_incident(status: AlertStatus) -> None:
    assert event(alert(status=status), "key")["event_action"] == "trigger"


def test_a_resolution_resolves_and_says_no_more() -> None:
    assert event(alert(status=AlertStatus.RESOLVED), "key") == {
        "routing_key": "key",
        "dedup_key": SAMPLE.dedup_key,
        "event_action": "resolve",
    }


def written(about: Alert) -> bytes:
    return json.dumps(event(about, "key")).encode()


def test_a_large_alert_fits() -> None:
    large = alert(
        title="x" * 5_000, detail={f"fact {number}": "é" * 2_000 for number in range(200)}
    )
    body = fit_alert(large, written, EVENT_BYTES)
    assert 400_000 < len(body) <= 512_000
    assert len(json.loads(body)["payload"]["summary"]) == 1_024


@pytest.mark.parametrize(
    ("status", "memory", "late"),
    [
        (AlertStatus.OPENED, {}, False),
        (AlertStatus.OPENED, {"opened": BEGAN}, False),
        (AlertStatus.OPENED, {"resolved": BEGAN}, True),
        (AlertStatus.REMINDED, {"opened": BEGAN, "resolved": LATER.isoformat()}, True),
        (AlertStatus.RESOLVED, {}, False),
        (AlertStatus.RESOLVED, {"opened": BEGAN}, False),
        (AlertStatus.RESOLVED, {"opened": LATER.isoformat()}, True),
    ],
)
def test_a_late_alert_is_known(status: AlertStatus, memory: dict[str, str], late: bool) -> None:
    assert is_overtaken(alert(status=status), memory) is late


def test_a_new_opening_after_a_resolution_is_not_late() -> None:
    assert not is_overtaken(alert(first_seen=LATER), {"opened": BEGAN, "resolved": BEGAN})
