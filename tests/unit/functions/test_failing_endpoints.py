import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from functions.failing_endpoints import app
from functions.failing_endpoints.app import (
    Settings,
    check_list,
    find_failing,
    handler,
    write_metrics,
)
from tests.conftest import Context

from fleet import aws, secrets
from fleet.findings import Finding, Severity
from fleet.lists import parse_entries
from fleet.mappings import structure
from fleet.probes.target import Phase
from fleet.settings import SettingsError, load
from fleet_endpoints.checks import Check, Pacing
from fleet_endpoints.endpoints import Endpoint
from fleet_endpoints.facts import Facts
from fleet_endpoints.failures import Failure
from fleet_endpoints.probe import ProbeResult

EVENT = json.loads((Path(__file__).parents[2] / "events" / "failing_endpoints.json").read_text())
LIST = "/fleet/failing_endpoints/endpoints"
TOOK = {Phase.RESOLVE: 0.001, Phase.CONNECT: 0.0021, Phase.TLS: 0.03, Phase.EXCHANGE: 0.1}
FACTS = Facts(connected=True, status=500, ip="192.0.2.1", response_time=133.1)
DOWN = Failure("condition", "[STATUS] is 500", "[STATUS] == 200")
Published = Callable[[], list[dict[str, Any]]]


def endpoint(name: str = "web", **entry: Any) -> Endpoint:
    usual = {
        "name": name,
        "url": "https://example.org/health?key=1",
        "conditions": ["[STATUS] == 200"],
    }
    return structure(usual | entry, Endpoint, "the entry")


def failed(asked: Endpoint, *_: Any) -> Check:
    return Check(asked, 3, ProbeResult(FACTS, TOOK), DOWN)


def healthy(asked: Endpoint) -> Check:
    return Check(asked, 1, ProbeResult(FACTS, TOOK))


def test_an_endpoint_that_fails_is_a_finding_that_says_where_and_how() -> None:
    assert list(find_failing([failed(endpoint(group="shop", severity="critical"))])) == [
        Finding(
            subject="shop/web",
            title="shop/web fails (condition): [STATUS] is 500",
            severity=Severity.CRITICAL,
            detail={
                "url": "https://example.org/health",
                "attempts": 3,
                "phase": "condition",
                "got": "[STATUS] is 500",
                "expected": "[STATUS] == 200",
                "address": "192.0.2.1",
                "took": "resolve 1 ms, connect 2 ms, tls 30 ms, exchange 100 ms",
            },
            link="https://example.org/health",
        )
    ]


def test_what_is_healthy_or_flaky_is_not_a_finding() -> None:
    assert (
        list(find_failing([healthy(endpoint()), Check(endpoint(), 2, ProbeResult(FACTS, TOOK))]))
        == []
    )


def test_what_nobody_looked_at_is_a_finding_under_the_same_subject() -> None:
    (late,) = find_failing([Check(endpoint())])
    assert (late.subject, late.title) == (
        "web",
        "web was not probed, so nobody knows whether it fails: the run had no time left",
    )
    (unread,) = find_failing(
        [Check(endpoint(), 1, None, Failure("preparation", "no such secret", "a probe"))]
    )
    assert (unread.subject, unread.title) == ("web", "web fails (preparation): no such secret")


def test_a_secret_that_an_endpoint_repeats_is_not_shown_even_where_the_text_is_cut() -> None:
    secrets._fetched.add("hunter2-hunter2-hunter2")
    said = Failure(
        "condition", f"[BODY] is {'x' * 140} hunter2-hunter2-hunter2 and more", "[STATUS] == 200"
    )
    (finding,) = find_failing([Check(endpoint(), 1, ProbeResult(FACTS, TOOK), said)])
    assert "hunter2" not in str(finding)
    assert "[secret]" in str(finding.detail["got"])


def test_what_an_endpoint_says_is_shown_in_one_line_and_cut() -> None:
    said = Failure("condition", "a\n  b" + "x" * 10_000, "[BODY] == y")
    (finding,) = find_failing([Check(endpoint(), 1, ProbeResult(FACTS, TOOK), said)])
    assert str(finding.detail["got"]).startswith("a bxx")
    assert len(str(finding.detail["got"])) == 200


def test_only_http_has_a_link() -> None:
    (finding,) = find_failing([failed(endpoint(url="tcp://example.org:5432"))])
    assert finding.link == ""


def test_what_of_the_list_cannot_be_used_is_found_and_what_has_no_effect_is_noted() -> None:
    text = """
endpoints:
  - name: web
    url: "https://example.org"
    conditions: ["[STATUS] == 200"]
    alerts: [{type: slack}]
    interval: 1m
  - {name: api, url: "https://example.org", conditions: ["[STATUS] == 200"], interval: 1m}
  - {name: ping, url: "icmp://example.org", conditions: ["[CONNECTED] == true"]}
alerting: {}
"""
    found = list(
        check_list(
            parse_entries(text, Endpoint, f"the SSM parameter {LIST}", str, under="endpoints"), LIST
        )
    )
    assert [(each.subject, each.severity) for each in found] == [
        (f"entry 3 of {LIST}", Severity.WARNING),
        (f"what is ignored of {LIST}", Severity.INFO),
    ]
    assert "icmp://example.org" in str(found[0].detail["reason"])
    beside = f"the SSM parameter {LIST}: alerting has no effect here: only the list counts"
    assert dict(found[1].detail) == {
        "beside list 1": beside,
        "interval": "web, api",
        "alerts": "web",
    }


@pytest.mark.parametrize(
    ("extent", "expected"),
    [
        ("none", []),
        ("up", ["Up"]),
        ("phases", ["Up", "ResolveTime", "ConnectTime", "TlsTime", "ExchangeTime", "ResponseTime"]),
    ],
)
def test_an_endpoint_has_metrics_of_its_own(
    extent: Any,
    expected: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "failing_endpoints")
    write_metrics(failed(endpoint("größe")), extent)
    written = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for blob in written:
        (definition,) = blob["_aws"]["CloudWatchMetrics"]
        assert [metric["Name"] for metric in definition["Metrics"]] == expected
        assert sorted(definition["Dimensions"][0]) == ["endpoint", "service", "stage"]
        assert (blob["endpoint"], blob["service"], blob["Up"]) == (
            "gr\\xf6\\xdfe",
            "failing_endpoints",
            [0],
        )
        assert extent == "up" or blob["TlsTime"] == [30]
    assert len(written) == bool(expected)


@pytest.fixture
def listed(moto: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[list[str]]]:
    """Call it to write the list's parameters; it returns what is probed, run by run."""
    probed: list[list[str]] = []

    def check_all(endpoints: Iterable[Endpoint], _: Pacing, deadline: float) -> list[Check]:
        probed.append([str(each) for each in endpoints])
        made = [
            structure({"name": name, "url": "tcp://x:1", "conditions": ["1 == 1"]}, Endpoint, "")
            for name in probed[-1]
        ]
        return [failed(each) if each.name.endswith("5") else healthy(each) for each in made]

    def write(*texts: str) -> list[list[str]]:
        for number, text in enumerate(texts, start=1):
            name = LIST if number == 1 else f"{LIST}-{number}"
            aws.client("ssm").put_parameter(Name=name, Value=text, Type="String", Overwrite=True)
        return probed

    monkeypatch.setattr(app, "check_all", check_all)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "failing_endpoints")
    monkeypatch.setenv("ENDPOINTS_PARAMETER", LIST)
    monkeypatch.setenv("METRICS", "none")
    monkeypatch.setenv(
        "PARTS_QUEUE_URL", aws.client("sqs").create_queue(QueueName="failing_endpoints")["QueueUrl"]
    )
    return write


def entry(number: int, more: str = "") -> str:
    return (
        f'- {{name: "{number:02}", url: "tcp://x:1", conditions: ["[CONNECTED] == true"]{more}}}\n'
    )


def test_a_run_probes_the_list_wherever_it_goes_on(
    listed: Callable[..., list[list[str]]], context: Context, published: Published
) -> None:
    probed = listed(entry(1) + entry(2, ", enabled: false"), "endpoints:\n" + entry(5) + entry(1))
    handler(EVENT, context)
    (event,) = published()
    assert probed == [["01", "05"]]
    assert [finding["subject"] for finding in event["detail"]["findings"]] == [
        "05",
        f"entry 4 of {LIST}",
    ]
    assert "repeats entry 1: 01" in event["detail"]["findings"][1]["detail"]["reason"]


def test_a_long_list_is_probed_in_parts_that_report_all_of_it(
    listed: Callable[..., list[list[str]]],
    context: Context,
    published: Published,
    sqs_event: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENDPOINTS_PER_RUN", "10")
    probed = listed("".join(entry(number) for number in range(25)) + "- {name: odd}\n")
    assert handler(EVENT, context)["parts"] == 3
    queue = load(Settings).parts_queue_url
    messages = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    bodies = [message["Body"] for message in messages]
    for body in (*reversed(bodies), bodies[0]):
        assert handler(sqs_event(body), context) == {"batchItemFailures": []}
    details = [event["detail"] for event in published()]
    assert sorted(name for names in probed[:3] for name in names) == [
        f"{number:02}" for number in range(25)
    ]
    subjects = {finding["subject"] for detail in details for finding in detail["findings"]}
    assert subjects == {"05", "15", f"entry 26 of {LIST}"}
    assert {(detail["after"], detail["through"]) for detail in details} == {
        (None, "09"),
        ("09", "19"),
        ("19", None),
    }
    assert (
        details[3]["findings"]
        == next(d for d in details if d["after"] == details[3]["after"])["findings"]
    )


@pytest.mark.usefixtures("listed")
def test_without_a_list_there_is_nothing_to_find(context: Context, published: Published) -> None:
    handler(EVENT, context)
    assert [event["detail"]["findings"] for event in published()] == [[]]


def test_settings_out_of_range_are_named() -> None:
    environment = {"ENDPOINTS_PARAMETER": LIST, "PARTS_QUEUE_URL": "x", "RETRIES": "11"}
    with pytest.raises(SettingsError, match="RETRIES must be 0 to 10, got 11"):
        load(Settings, environment)
    with pytest.raises(SettingsError, match="METRICS: expected one of phases, up, none, got"):
        load(Settings, environment | {"RETRIES": "1", "METRICS": "all"})
