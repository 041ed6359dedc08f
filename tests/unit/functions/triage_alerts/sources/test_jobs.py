from typing import Any

import pytest
from tests.unit.functions.triage_alerts import payloads
from tests.unit.functions.triage_alerts.payloads import observed

from fleet_triage.messages import from_message


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
