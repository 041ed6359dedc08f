from datetime import timedelta

import pytest
from functions.notify_slack.app import Channel, order_in_life
from tests.sample_alerts import SAMPLE, alert

from fleet.alerts import AlertStatus
from fleet.findings import Severity
from fleet.lists import parse_entries

LATER = SAMPLE.last_seen + timedelta(hours=1)


def test_the_alerts_of_a_finding_are_in_order() -> None:
    life = [
        alert(),
        alert(status=AlertStatus.REMINDED),
        alert(status=AlertStatus.ESCALATED, last_seen=LATER),
        alert(status=AlertStatus.REMINDED, last_seen=LATER + timedelta(microseconds=1)),
        alert(status=AlertStatus.RESOLVED),
    ]
    places = [order_in_life(each) for each in life]
    assert places == sorted(places)
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    "text",
    [
        "{token: /t, channel: C1}",
        "{webhook: /w}",
        "{owner: a-*, severities: [critical], webhook: /w}",
    ],
)
def test_a_route_names_a_channel_or_a_webhook(text: str) -> None:
    assert len(parse_entries(f"[{text}]", Channel, "here").usable) == 1


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{token: /t}",
        "{channel: C1}",
        "{token: /t, channel: C1, webhook: /w}",
        "{channel: C1, webhook: /w}",
        "{severities: [grave], webhook: /w}",
    ],
)
def test_any_other_is_a_fault(text: str) -> None:
    assert len(parse_entries(f"[{text}]", Channel, "here").faults) == 1


def test_a_route_takes_owners_and_severities() -> None:
    (route,) = parse_entries(
        "[{owner: pay*, severities: [critical], webhook: /w}]", Channel, "here"
    ).usable
    assert route.takes(SAMPLE)
    assert not route.takes(alert(owner="search"))
    assert not route.takes(alert(severity=Severity.WARNING))
