import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sample_alerts import SAMPLE, alert, event

from fleet import sinks
from fleet.alerts import Alert
from fleet.errors import Permanent
from fleet.events import Event, unwrap
from fleet.findings import LEFT_OUT, Severity
from fleet.lists import Entries, Fault, parse_entries
from fleet.runtime.queued import Message
from fleet.sinks import Route


def routes(text: str) -> Entries[Route]:
    return parse_entries(text, Route, "here")


def test_an_alert_survives_its_way() -> None:
    assert list(sinks.alerts(unwrap(event(SAMPLE)))) == [SAMPLE]


@pytest.mark.parametrize(
    "found",
    [
        Event("aws.s3", "Alert", "e1"),
        Event("fleet", "Job Report", "e1"),
        Event("fleet", "Alert", "e1", detail={}),
        Event("fleet", "Alert", "e1", detail={**json.loads(SAMPLE.as_json()), "severity": "grave"}),
        Event("fleet", "Alert", "e1", detail={**json.loads(SAMPLE.as_json()), "first_seen": 7}),
        Event("fleet", "Alert", "e1", detail={**json.loads(SAMPLE.as_json()), "extra": 7}),
    ],
)
def test_what_is_not_an_alert_is_permanent(found: Event) -> None:
    with pytest.raises(Permanent):
        list(sinks.alerts([found]))


def test_the_first_route_that_takes_an_alert_counts() -> None:
    known = routes("[{owner: search-*}, {severities: [critical]}, {owner: payments}]")
    assert sinks.first_route(known, SAMPLE) == known.usable[1]
    assert sinks.first_route(known, alert(severity=Severity.WARNING)) == known.usable[2]


def test_without_routes_a_sink_is_not_in_use() -> None:
    assert sinks.first_route(routes("[]"), SAMPLE) is None


def test_an_alert_that_no_route_takes_is_permanent_and_names_the_unusable_ones() -> None:
    known = Entries((Route(owner="search"),), (Fault(2, "entry 2 is wrong", {}),))
    with pytest.raises(
        Permanent, match="no route matches owner 'payments', severity critical; entry 2 is wrong"
    ):
        sinks.first_route(known, SAMPLE)


def test_each_alert_goes_to_its_first_route(monkeypatch: pytest.MonkeyPatch) -> None:
    known = routes("[{severities: [critical]}, {owner: payments}]")
    monkeypatch.setattr(sinks, "entries", lambda *_, **__: known)
    counted: list[dict[str, int]] = []
    monkeypatch.setattr(sinks, "count", lambda **metrics: counted.append(metrics))
    delivered: list[tuple[str, Route]] = []

    def deliver(about: Alert, route: Route) -> bool:
        delivered.append((about.id, route))
        return about.id == "a1"

    bodies = [event(SAMPLE), event(alert(id="a2", severity=Severity.WARNING))]
    records = [{"eventSource": "aws:sqs", "body": body} for body in bodies]
    message = Message("m1", json.dumps({"Records": records}), 1, SAMPLE.first_seen, "arn")
    sinks.to_first_route(message, "/routes", Route, deliver)
    assert delivered == [("a1", known.usable[0]), ("a2", known.usable[1])]
    assert counted == [{"Delivered": 1}, {"Repeated": 1}]


def written(about: Alert) -> bytes:
    return about.as_json().encode()


@given(
    st.dictionaries(st.text(max_size=30), st.text(max_size=300), max_size=60),
    st.integers(700, 8_000),
)
def test_an_alert_keeps_the_facts_that_there_is_room_for(facts: dict[str, str], limit: int) -> None:
    made = alert(detail=facts)
    try:
        body = sinks.fit_alert(made, written, limit)
    except Permanent:
        assert len(written(alert(detail={LEFT_OUT: f"{len(facts)} of {len(facts)} facts"}))) > limit
        return
    assert len(body) <= limit
    detail = json.loads(body)["detail"]
    if len(written(made)) <= limit:
        assert detail == facts
    else:
        left = len(facts) - len(detail) + 1
        assert detail[LEFT_OUT] == f"{left} of {len(facts)} facts"
