import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient
from functions.triage_alerts.app import handler, read_report, report_or_sweep
from tests.conftest import Context
from tests.ledger_table import make_table

from fleet import aws
from fleet.alerts import Alert
from fleet.errors import Permanent
from fleet.events import Event
from fleet.findings import Finding, Unread, reports
from fleet.ledger.mutes import Mute, Withheld, withheld_by
from fleet.ledger.rows import Row, State, findings_of
from fleet.ledger.table import Table

Json = dict[str, Any]
NOW = datetime.now(UTC)
OWNERS = "/fleet/triage_alerts/owners"
SAMPLE = json.loads((Path(__file__).parents[2] / "events" / "triage_alerts.json").read_text())
SWEEP = json.dumps({"source": "fleet", "detail-type": "Sweep", "detail": {}})


class Killed(BaseException):
    """The process died."""


def report(
    *subjects: str, minutes_ago: int = 10, severity: str = "warning", job: str = "paused_pipelines"
) -> str:
    at = NOW - timedelta(minutes=minutes_ago)
    findings = [
        {
            "subject": each,
            "title": f"{each} is wrong",
            "severity": severity,
            "detail": {},
            "link": "",
        }
        for each in subjects
    ]
    detail = {
        "job": job,
        "scheduled_at": at.isoformat(),
        "findings": findings,
        "after": None,
        "through": None,
    }
    event = {
        "id": f"e{minutes_ago}",
        "source": "fleet",
        "detail-type": "Job Report",
        "detail": detail,
    }
    return json.dumps(event)


@pytest.fixture(autouse=True)
def table(dead_letters: Any, monkeypatch: pytest.MonkeyPatch) -> Table:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "triage_alerts")
    monkeypatch.setenv("LEDGER_TABLE", "ledger")
    monkeypatch.setenv("OWNERS_PARAMETER", OWNERS)
    aws.client("ssm").put_parameter(
        Name=OWNERS, Type="String", Value='[{pattern: "subject:web*", owner: web}, {}]'
    )
    return make_table("ledger")


@pytest.fixture
def alerts(published: Callable[[], list[Json]]) -> Callable[[], list[Alert]]:
    """Call it to read the alerts on the bus."""

    def read() -> list[Alert]:
        return [
            Alert.from_json(event["detail"])
            for event in published()
            if event["detail-type"] == "Alert"
        ]

    return read


@pytest.fixture
def triage(context: Context, sqs_event: Callable[..., Json]) -> Callable[..., Json]:
    """Hand these bodies to the job, and return its answer."""
    return lambda *bodies, **options: dict(handler(sqs_event(*bodies, **options), context))


def told(alerts: list[Alert]) -> list[tuple[str, str, str]]:
    return [(alert.status, alert.severity, alert.subject) for alert in alerts]


def test_a_finding_is_told_of_when_it_comes_and_when_it_has_gone(triage: Any, alerts: Any) -> None:
    assert triage(report("web", minutes_ago=30)) == {"batchItemFailures": []}
    (opened,) = alerts()
    assert (opened.status, opened.owner, opened.count, opened.source) == (
        "opened",
        "web",
        1,
        "paused_pipelines",
    )
    triage(
        report("web", minutes_ago=20), report("web", minutes_ago=20), report("web", minutes_ago=30)
    )
    assert alerts() == []
    triage(report(minutes_ago=10))
    (resolved,) = alerts()
    assert (resolved.status, resolved.dedup_key, resolved.count) == (
        "resolved",
        opened.dedup_key,
        2,
    )
    assert resolved.last_seen == NOW - timedelta(minutes=20)
    triage(report("web", minutes_ago=15))
    assert alerts() == []


def test_what_a_job_could_not_read_stays_as_it_was(triage: Any, alerts: Any) -> None:
    def told_of(minutes_ago: int, *findings: Finding) -> list[tuple[str, str, str]]:
        made = reports("stale_secrets", NOW - timedelta(minutes=minutes_ago), findings)
        for number, each in enumerate(made):
            event = {
                "id": f"{minutes_ago}-{number}",
                "source": "fleet",
                "detail-type": "Job Report",
            }
            triage(json.dumps({**event, "detail": json.loads(each.as_json())}))
        return sorted(told(alerts()))

    both = [Finding("secret/crm", "is late"), Finding("parameter/crm", "has expired")]
    assert told_of(30, *both) == [
        ("opened", "warning", "parameter/crm"),
        ("opened", "warning", "secret/crm"),
    ]
    denied = Unread("secret", "cannot be read")
    assert told_of(20, denied) == [
        ("opened", "warning", "secret"),
        ("resolved", "warning", "parameter/crm"),
    ]
    assert told_of(10) == [("resolved", "warning", "secret"), ("resolved", "warning", "secret/crm")]


def test_the_sample_report_opens_its_finding(context: Context, alerts: Any) -> None:
    assert handler(SAMPLE, context) == {"batchItemFailures": []}
    assert told(alerts()) == [("opened", "warning", "billing-api")]


def test_what_nobody_knows_is_told_as_it_is_and_reaches_no_dead_letter(
    triage: Any, alerts: Any, dead_letters: Any
) -> None:
    assert triage("the disk of db-7 is odd", "{}") == {"batchItemFailures": []}
    seen = alerts()
    assert {alert.status for alert in seen} == {"opened"}
    assert any("db-7" in alert.as_json() for alert in seen)
    assert dead_letters() == []


@pytest.mark.parametrize(
    "change",
    [
        {"job": "No Job"},
        {"job": 5},
        {"scheduled_at": "soon"},
        {"scheduled_at": "2026-11-20T08:00:00"},
        {"scheduled_at": "2999-01-01T00:00:00+00:00"},
        {"findings": [{"subject": ""}]},
        {"findings": [{"subject": "a", "title": "b", "severity": "fatal"}]},
        {"findings": None},
        {"after": 5},
    ],
    ids=str,
)
def test_a_report_that_is_none_is_parked(triage: Any, dead_letters: Any, change: Json) -> None:
    event = json.loads(report("web"))
    event["detail"] |= change
    assert triage(json.dumps(event)) == {"batchItemFailures": []}
    (letter,) = dead_letters()
    assert "the Job Report" in letter["MessageAttributes"]["reason"]["StringValue"]


def test_a_report_is_read_whole() -> None:
    read = read_report(report_or_sweep(report("a", "b")) or Event("", "", ""), NOW)
    assert [finding.subject for finding in read.findings] == ["a", "b"]
    with pytest.raises(Permanent, match="cannot be read"):
        read_report(Event("fleet", "Job Report", "e1"), NOW)


@pytest.mark.parametrize(
    "body", ["text", "[]", "5", '{"source": "aws.ecr", "detail-type": "Sweep", "detail": {}}']
)
def test_only_the_fleets_report_or_sweeps_are_its_own(body: str) -> None:
    assert report_or_sweep(body) is None


def test_a_sweep_pays_what_is_owed_and_reminds(
    triage: Any, alerts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    triage(report("web", minutes_ago=60 * 26))
    assert told(alerts()) == [("opened", "warning", "web")]
    triage(SWEEP)
    assert told(alerts()) == [("reminded", "warning", "web")]
    triage(SWEEP)
    assert alerts() == []


def test_a_mute_withholds_and_its_end_tells(triage: Any, alerts: Any, table: Table) -> None:
    mute = Mute("m1", "owner:web", "upgrade", "ada", NOW + timedelta(hours=1))
    table.commit([mute])
    triage(report("web", "db"))
    assert told(alerts()) == [("opened", "warning", "db")]
    assert [each.alert.subject for each in table.query(Withheld, withheld_by("m1"))] == ["web"]
    stored = table.get(Mute, mute.key)
    assert stored
    table.commit(
        [
            Mute(
                **{name: getattr(stored, name) for name in Mute.__dataclass_fields__}
                | {"until": NOW}
            )
        ]
    )
    triage(SWEEP)
    (end,) = alerts()
    assert end.title == "The mute of owner:web has ended: it withheld 1 alerts about 1 findings"
    assert end.detail["paused_pipelines/web"] == "opened (1 alerts): web is wrong"
    triage(SWEEP)
    assert alerts() == []


def test_a_storm_is_one_alert(triage: Any, alerts: Any, table: Table) -> None:
    subjects = [f"s{number:03}" for number in range(120)]
    triage(report(*subjects, minutes_ago=20))
    (storm,) = alerts()
    assert (storm.subject, storm.count, storm.status) == ("(storm)", 120, "opened")
    assert storm.detail["s000"] == "warning: s000 is wrong"
    assert storm.detail["and more"] == "70 findings that are not listed here"
    triage(report(*subjects[:119], minutes_ago=10))
    assert alerts() == []
    rows = table.query(Row, findings_of("paused_pipelines"))
    assert [row.subject for row in rows if row.state is State.CLOSED] == ["s119"]


def test_an_owners_list_that_cannot_be_read_delays_no_alert(
    triage: Any, alerts: Any, log: StringIO
) -> None:
    aws.client("ssm").put_parameter(Name=OWNERS, Type="String", Value="{", Overwrite=True)
    triage(report("web"))
    assert [alert.owner for alert in alerts()] == [""]
    assert "owners not read" in log.getvalue()


def test_an_alert_that_eventbridge_does_not_take_is_owed(
    triage: Any, alerts: Any, monkeypatch: pytest.MonkeyPatch, table: Table
) -> None:
    bus = aws.client("events")
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure"}]}
    with monkeypatch.context() as patched:
        patched.setattr(bus, "put_events", lambda **_: refused)
        assert triage(report("web")) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert alerts() == []
    triage(report("web"))
    assert told(alerts()) == [("opened", "warning", "web")]
    assert not any(row.owed for row in table.query(Row, findings_of("paused_pipelines")))


def die(monkeypatch: pytest.MonkeyPatch, fatal: int, when: str) -> None:
    """Die before or after the call to AWS of this number."""
    made: list[str] = []
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def counted(self: BaseClient, name: str, arguments: Json) -> Any:
        made.append(name)
        if len(made) - 1 == fatal and when == "before":
            raise Killed
        answer = call(self, name, arguments)
        if len(made) - 1 == fatal:
            raise Killed
        return answer

    monkeypatch.setattr(BaseClient, "_make_api_call", counted)


STORY = [
    report("web", "db", minutes_ago=40),
    report("web", "db", minutes_ago=30, severity="critical"),
    report("db", minutes_ago=20),
]
KNOWN = ["opened", "opened", "escalated", "escalated", "resolved"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(len(STORY)))
def test_killed_at_any_call_it_loses_nothing(
    triage: Any,
    published: Any,
    monkeypatch: pytest.MonkeyPatch,
    table: Table,
    number: int,
    when: str,
) -> None:
    wanted: set[str] = set()
    died = 0
    for fatal in range(100):
        _empty(table)
        for body in STORY[:number]:
            triage(body)
        with monkeypatch.context() as patched:
            die(patched, fatal, when)
            try:
                triage(STORY[number])
                survived = True
            except Killed:
                survived = False
        died += not survived
        for body in STORY[number:]:
            triage(body)
        triage(SWEEP)
        found: dict[str, str] = {}
        while events := published():
            for event in events:
                assert found.setdefault(
                    event["detail"]["id"], json.dumps(event["detail"])
                ) == json.dumps(event["detail"])
        assert sorted(json.loads(text)["status"] for text in found.values()) == sorted(KNOWN)
        assert not any(row.owed for row in table.query(Row, findings_of("paused_pipelines")))
        wanted = wanted or set(found)
        assert set(found) == wanted, "a transition had another id"
        if survived:
            break
    assert died >= 5


def _empty(table: Table) -> None:
    for item in table.dynamodb.scan(TableName=table.name)["Items"]:
        table.dynamodb.delete_item(TableName=table.name, Key={"pk": item["pk"], "sk": item["sk"]})


def test_a_report_with_an_id_that_is_too_long_for_the_ledger_is_refused() -> None:
    event = report_or_sweep(SAMPLE["Records"][0]["body"])
    assert event
    with pytest.raises(Permanent, match="id has 256 characters"):
        read_report(replace(event, id="x" * 256), NOW)
