import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.functions.triage_alerts import payloads
from tools.errors import FleetError
from tools.manifest import template
from tools.operate import deployed, explain
from tools.paths import ROOT

from fleet import aws
from fleet_triage.messages import from_message

ALERTS = ROOT / "tests" / "events" / "alerts"
EVENTS = sorted(path for path in ALERTS.parent.rglob("*") if path.is_file())
ALARM = str(ALERTS / "cloudwatch" / "event_alarm.json")
REPORT = str(ALERTS / "fleet" / "report.json")
FIELDS = [
    *("source", "subject", "status", "severity", "title", "detail", "link", "at", "event_id"),
]

# Numbers, depths and halves of surrogate pairs as they stand in JSON, which no writer would write.
HOSTILE = [
    *(
        "NaN",
        "1e999",
        "-Infinity",
        "9" * 5_000,
        '"\\ud800"',
        '"\\udc00\\ud83d"',
        '"\\u0000\\u202e"',
    ),
    *(
        "[" * 900 + "]" * 900,
        "[" * 100_000,
        '{"a":' * 2_000 + "1" + "}" * 2_000,
        "null",
        "{}",
        '""',
    ),
]
NAMES = [
    *("source", "detail-type", "detail", "id", "time", "resources", "account", "region"),
    *("Records", "eventSource", "body", "Sns", "Type", "Message", "TopicArn", "Subject"),
    *("job", "findings", "subject", "title", "severity", "scheduled_at", "link"),
]
TEXTS = [
    "fleet",
    "Job Report",
    "Alert",
    "Sweep",
    "aws:sqs",
    "aws:sns",
    "Notification",
    "aws.health",
]


def as_object(members: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {raw}" for name, raw in members.items()) + "}"


DOCUMENTS = st.recursive(
    st.sampled_from([*HOSTILE, *map(json.dumps, TEXTS)]) | st.text(max_size=20).map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: "[" + ", ".join(items) + "]")
        | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8).map(as_object)
        | inner.map(json.dumps)
    ),
    max_leaves=12,
)


def lines(printed: str) -> Iterator[Any]:
    """Yield each line's document; JSON has neither NaN nor Infinity."""
    for line in printed.splitlines():
        yield json.loads(line, parse_constant=pytest.fail)


def test_every_file_of_events_has_its_observations(capsys: pytest.CaptureFixture[str]) -> None:
    names = [str(path) for path in EVENTS]
    assert explain.main(["--json", *names]) == 0
    explained = list(lines(capsys.readouterr().out))
    assert [document["file"] for document in explained] == names
    counts = [len(document["observations"]) for document in explained]
    assert counts == [len(from_message(path.read_text())) for path in EVENTS]


@pytest.mark.parametrize(
    "folder", sorted(path for path in ALERTS.iterdir()), ids=lambda path: path.name
)
def test_every_alert_is_explained_as_expected(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = payloads.expected(folder)
    explain.main(["--json", *(str(folder / name) for name in expected)])
    for document in lines(capsys.readouterr().out):
        statuses = [
            f"{each['status']} {each['severity']}" for each in document["observations"]
        ] or ["nothing"]
        name = Path(document["file"]).name
        assert statuses == [" ".join(line.split(" | ")[0].split()) for line in expected[name]]


def test_an_observation_has_these_fields(capsys: pytest.CaptureFixture[str]) -> None:
    explain.main(["--json", ALARM])
    (document,) = lines(capsys.readouterr().out)
    (observation,) = document["observations"]
    assert list(observation) == FIELDS
    assert observation["source"] == "aws.cloudwatch"
    assert observation["status"] == "failing"
    assert observation["at"] == "2026-11-20T01:54:33.496000+00:00"


def test_a_job_report_has_an_observation_for_each_finding(
    capsys: pytest.CaptureFixture[str],
) -> None:
    explain.main(["--json", REPORT])
    (document,) = lines(capsys.readouterr().out)
    subjects = [(each["status"], each["subject"]) for each in document["observations"]]
    assert subjects == [("failing", "web"), ("failing", "api")]


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_no_bytes_are_too_much(message: bytes) -> None:
    assert_explained(message)


@given(DOCUMENTS)
def test_no_document_is_too_much(message: str) -> None:
    assert_explained(message.encode())


def assert_explained(message: bytes) -> None:
    text = explain.decode(message)
    (document,) = lines(explain.as_json("-", from_message(text)))
    for observation in document["observations"]:
        assert observation["status"] in {"failing", "ok", "occurred"}
    assert all(explain.describe(text, explain.Fleet({}, explain.nobody))) or not text


def test_a_file_that_cannot_be_read_is_an_error_and_the_others_are_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "missing")
    assert explain.main(["--json", missing, str(tmp_path), ALARM]) == 2
    printed = capsys.readouterr()
    assert [document["file"] for document in lines(printed.out)] == [ALARM]
    assert printed.err.splitlines() == [
        f"{missing} cannot be read: No such file or directory",
        f"{tmp_path} cannot be read: Is a directory",
    ]


def test_a_dash_is_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"the disk is full")))
    assert explain.main(["--json", "-"]) == 0
    (document,) = lines(capsys.readouterr().out)
    assert document["file"] == "-"
    assert [each["title"] for each in document["observations"]] == ["the disk is full"]


def test_it_starts_without_any_settings() -> None:
    command = [sys.executable, "-m", "tools.operate.explain", "--json", ALARM]
    bare = {name: value for name, value in os.environ.items() if name == "PATH"}
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(list(lines(done.stdout))) == 1


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No fleet runs on this machine."""

    def enter(_: Any) -> None:
        raise FleetError("no fleet is running")

    monkeypatch.setattr(deployed, "enter", enter)


@pytest.mark.usefixtures("alone")
def test_people_read_what_is_observed_and_what_slack_shows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert explain.main([ALARM]) == 0
    printed = capsys.readouterr().out
    assert "failing (warning): web-5xx is in alarm" in printed
    assert "Routes unknown: give --stack" in printed
    assert "As Slack shows it:\n  web-5xx is in alarm\n  Severity: warning\n" in printed


@pytest.mark.usefixtures("alone")
def test_people_read_that_a_report_resolves_what_it_leaves_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    explain.main([str(ALERTS / "fleet" / "empty_report.json")])
    assert "other findings of the job" in capsys.readouterr().out


@pytest.mark.usefixtures("alone")
def test_a_stack_that_cannot_be_found_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain.main(["--stack", "fleet-dev", ALARM]) == 1
    assert capsys.readouterr().err == "no fleet is running\n"


def written(tmp_path: Path, job: str, text: str) -> list[str]:
    path = tmp_path / job
    path.write_text(text)
    return ["--routes", f"{job}={path}"]


def test_people_read_where_each_sink_delivers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        *written(tmp_path, "notify_slack", "[{token: /t, channel: C1}, {webhook: /w}]"),
        *written(
            tmp_path,
            "notify_webhook",
            "[{url: 'https://a.example/hunter2', keys: /k}, {url: 'https://b.example', keys: /k}]",
        ),
    ]
    assert explain.main([*words, ALARM]) == 0
    printed = capsys.readouterr().out
    assert "notify_slack: C1\n" in printed
    assert "notify_pagerduty: gets no alerts of severity warning\n" in printed
    assert "notify_webhook: a.example; b.example\n" in printed
    assert "hunter2" not in printed


@pytest.mark.usefixtures("moto")
def test_a_stack_has_its_own_routes_and_owners(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = deployed.Stack("fleet-dev", {})
    monkeypatch.setattr(deployed, "enter", lambda _: stack)
    lists = {
        "triage_alerts/owners": "[{pattern: 'source:aws.cloudwatch', owner: web}]",
        "notify_slack/routes": "[{owner: web, webhook: /w}]",
    }
    for name, text in lists.items():
        parameter = f"/fleet-dev/{name}"
        aws.client("ssm").put_parameter(Name=parameter, Type="String", Value=text)
    assert explain.main(["--stack", "fleet-dev", ALARM]) == 0
    printed = capsys.readouterr().out
    assert "owner: web\n" in printed
    assert "notify_slack: /w\n" in printed
    assert "notify_webhook: not in use, since it has no routes\n" in printed


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ("[]", "not in use, since it has no routes"),
        ("[{owner: payments, webhook: /w}]", "no route matches owner '', severity warning"),
        ("[{webhook: /w}, {channel: C1}]", "/w; entry 2 of"),
    ],
)
def test_people_read_why_a_sink_delivers_nothing(
    routes: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explain.main([*written(tmp_path, "notify_slack", routes), ALARM])
    assert f"notify_slack: {expected}" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["notify_slack", "notify_teams=x", "notify_slack=/no/such/file"])
def test_routes_that_cannot_be_read_are_an_error(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        explain.main(["--routes", text, ALARM])
    assert "--routes" in capsys.readouterr().err


def test_the_severities_of_each_sink_are_those_of_its_rule() -> None:
    rules = {
        name: resource["Properties"]["EventPattern"]
        for name, resource in template()["Resources"].items()
        if resource["Type"] == "AWS::Events::Rule"
    }
    for sink in explain.SINKS:
        prefix = sink.job.title().replace("_", "")
        (pattern,) = [rule for name, rule in rules.items() if name.startswith(prefix)]
        severities = pattern.get("detail", {}).get("severity", ["info", "warning", "critical"])
        assert [severity.value for severity in sink.severities] == severities
