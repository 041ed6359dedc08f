from typing import Any

import pytest
from tests.unit.functions.triage_alerts import payloads
from tests.unit.functions.triage_alerts.payloads import observed

from fleet.findings import Severity
from fleet_triage.messages import from_message


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
