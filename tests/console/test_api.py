"""The API over a small fleet."""

import io
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from flask.testing import FlaskClient
from functions.console.app import create_app
from moto.scheduler.models import scheduler_backends
from tests.console.conftest import QUEUED, SCHEDULED, STACK, WRITE, Account, ago, failing
from tools.sandbox import ACCOUNT, REGION

from fleet import aws
from fleet.alerts import Status
from fleet.dead_letters.journal import NotRecorded
from fleet.dead_letters.letters import Letter
from fleet.findings import Finding, Severity
from fleet_console import operations
from fleet_console.reading.logs import _Batch


def items(client: FlaskClient, path: str) -> list[Any]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return list(answer.json["items"])  # type: ignore[index]


def job(client: FlaskClient, name: str) -> Any:
    return next(each for each in items(client, "/v1/jobs") if each["name"] == name)


def test_a_job_that_has_reported_says_when_and_what(client: FlaskClient, account: Account) -> None:
    at = ago(hours=1)
    account.report(SCHEDULED, at=ago(hours=13))
    account.report(SCHEDULED, Finding("a", "A"), Finding("b", "B", Severity.CRITICAL), at=at)

    shown = job(client, SCHEDULED)

    assert shown["state"] == "findings"
    assert shown["last_report"] == at.isoformat()
    assert [run["findings"] for run in shown["runs"]] == [0, 2]
    assert shown["findings_open"] == {"info": 0, "warning": 1, "critical": 1}
    assert shown["schedule"]["expression"] == "cron(0 8,20 * * ? *)"
    assert shown["schedule"]["next_due"] > at.isoformat()
    assert shown["trigger"] == "schedule, every 12 hours"


def test_a_job_that_missed_two_runs_is_late(client: FlaskClient, account: Account) -> None:
    assert job(client, SCHEDULED)["state"] == "waiting"
    account.report(SCHEDULED, at=ago(hours=25))
    restarted = create_app().test_client()
    assert job(restarted, SCHEDULED)["state"] == "ok", "its schedule has just been made"
    schedule_of(SCHEDULED).last_modified_date -= 2 * 24 * 3_600

    assert job(create_app().test_client(), SCHEDULED)["state"] == "late"


def schedule_of(name: str) -> Any:
    """The schedule of a job where moto keeps it: Scheduler itself refuses wrong expressions."""
    return (
        scheduler_backends[ACCOUNT][REGION].schedule_groups["default"].schedules[f"{STACK}-{name}"]
    )


def test_a_schedule_that_cannot_be_read_is_said_and_the_rest_is_shown(
    client: FlaskClient, account: Account
) -> None:
    schedule_of(SCHEDULED).schedule_expression = "cron(0 8 L-3 * ? *)"

    shown = job(client, SCHEDULED)

    assert (shown["state"], shown["schedule"]["next_due"]) == ("unknown", None)
    assert "L-3" in shown["schedule"]["fault"]
    for path in ("/", f"/jobs/{SCHEDULED}", f"/v1/jobs/{SCHEDULED}"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert "L-3" in answer.text, path


def test_a_job_that_is_not_deployed_is_missing(client: FlaskClient) -> None:
    assert {job(client, "prune_objects")["state"], job(client, "triage_alerts")["state"]} == {
        "missing"
    }


def test_a_disabled_schedule_is_never_due(client: FlaskClient) -> None:
    scheduler = aws.client("scheduler")
    known = scheduler.get_schedule(Name=f"{STACK}-{SCHEDULED}")
    scheduler.update_schedule(
        Name=f"{STACK}-{SCHEDULED}",
        State="DISABLED",
        ScheduleExpression=known["ScheduleExpression"],
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=known["Target"],
    )

    shown = job(client, SCHEDULED)

    assert (shown["state"], shown["schedule"]["next_due"]) == ("disabled", None)


def test_one_job_shows_what_it_may_and_how_it_is_set(client: FlaskClient, function: None) -> None:
    lines = [
        {
            "level": "INFO",
            "service": SCHEDULED,
            "message": "reported",
            "findings": 3,
            "function_request_id": "7",
        },
        {"level": "INFO", "service": "other", "message": "not its own"},
    ]
    put_lines(*map(json.dumps, lines), f'{{"_aws": {{}}, "service": "{SCHEDULED}"}}')

    shown: Any = client.get(f"/v1/jobs/{SCHEDULED}").json

    assert shown["settings"] == {"PAUSED_HOURS": "24"}
    assert any("codepipeline:ListPipelines" in each["actions"] for each in shown["permissions"])
    assert "**Tells you**" in shown["runbook"]
    told = next(line for line in shown["log"] if line["level"] == "INFO")
    assert (told["message"], told["fields"]) == (
        "reported",
        {"findings": 3, "function_request_id": "7"},
    )


def test_the_last_lines_are_the_last_however_long_the_log(
    client: FlaskClient, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minutes in (50, 30, 3, 1):
        put_lines(json.dumps({"service": SCHEDULED, "message": str(minutes)}), minutes=minutes)
    reading = client.application.extensions["reading"]
    asked: list[Any] = []
    aws.client("logs").meta.events.register(
        "provide-client-params.logs.*", lambda params, **_: asked.append(params)
    )

    def told(count: int) -> list[str]:
        asked.clear()
        return [
            line.message
            for line in reading.logs.last_lines(SCHEDULED, datetime.now(UTC), count).lines
        ]

    assert (told(2), len(asked)) == (["3", "1"], 1)
    assert (told(3), len(asked)) == (["30", "3", "1"], 2)
    assert told(9) == ["50", "30", "3", "1"]
    endless = [_Batch([], "more")] * 99
    monkeypatch.setattr(reading.logs, "_batches", lambda *_, **__: iter(endless))
    assert client.get(f"/v1/jobs/{SCHEDULED}").json["log_cut"]  # type: ignore[index]
    assert "these lines may not be the last" in client.get(f"/jobs/{SCHEDULED}").text


def put_lines(*texts: str, minutes: int = 1) -> None:
    logs = aws.client("logs")
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=f"/fleet/{STACK}", logStreamName="s")
    at = round(ago(minutes=minutes).timestamp() * 1000)
    events: Any = [{"timestamp": at + number, "message": text} for number, text in enumerate(texts)]
    logs.put_log_events(logGroupName=f"/fleet/{STACK}", logStreamName="s", logEvents=events)


def test_a_job_runs_as_its_schedule_would(client: FlaskClient, function: None) -> None:
    sent: list[Any] = []
    aws.client("lambda").meta.events.register(
        "before-call.lambda.Invoke", lambda params, **_: sent.append(params)
    )

    answer = client.post(f"/v1/jobs/{SCHEDULED}/runs", json={}, headers=WRITE)

    assert (answer.status_code, answer.json["by"]) == (202, "invocation")  # type: ignore[index]
    assert list(json.loads(sent[0]["body"])) == ["scheduled_at"]
    assert "<aws" not in str(sent[0]["body"])
    assert sent[0]["headers"]["X-Amz-Invocation-Type"] == "Event"


def test_a_queue_job_runs_with_the_event_that_is_given(
    client: FlaskClient, account: Account
) -> None:
    assert client.post(f"/v1/jobs/{QUEUED}/runs", json={}, headers=WRITE).status_code == 400

    answer = client.post(
        f"/v1/jobs/{QUEUED}/runs", json={"event": {"source": "fleet"}}, headers=WRITE
    )

    assert answer.json["by"] == "message"  # type: ignore[index]
    assert account.messages() == ['{"source": "fleet"}']


def test_what_is_not_deployed_cannot_run(client: FlaskClient) -> None:
    answer = client.post("/v1/jobs/notify_slack/runs", json={"event": {}}, headers=WRITE)

    assert answer.status_code == 404
    assert answer.get_json()["detail"] == "notify_slack is not deployed"


def test_findings_are_paged_newest_first_and_filtered(
    client: FlaskClient, account: Account
) -> None:
    for number in range(5):
        account.observe(
            failing(f"alarm-{number}", ago(hours=number), owner="shop" if number % 2 else "")
        )
    account.observe(failing("over", ago(hours=9)))
    account.observe(failing("over", ago(hours=8), status=Status.OK))
    account.report(SCHEDULED, Finding("web", "paused", Severity.CRITICAL), at=ago(days=2))

    first: Any = client.get("/v1/findings?limit=2").json
    second: Any = client.get(f"/v1/findings?limit=4&cursor={first['next']}").json

    assert [each["subject"] for each in first["items"]] == ["alarm-0", "alarm-1"]
    assert [each["subject"] for each in second["items"]] == ["alarm-2", "alarm-3", "alarm-4", "web"]
    for query, subjects in {
        "severity=critical": ["web"],
        f"source={SCHEDULED}": ["web"],
        "owner=shop": ["alarm-1", "alarm-3"],
        "state=closed": ["over"],
        "older_than=24h": ["web"],
        "newer_than=90m": ["alarm-0", "alarm-1"],
        "state=all&older_than=6h": ["web", "over"],
    }.items():
        assert [each["subject"] for each in items(client, f"/v1/findings?{query}")] == subjects, (
            query
        )
    assert walked(client, "/v1/findings?state=all&limit=1") == 7


def walked(client: FlaskClient, path: str) -> int:
    page: Any = client.get(path).json
    count = len(page["items"])
    while page["next"]:
        page = client.get(f"{path}&cursor={page['next']}").json
        count += len(page["items"])
    return count


def test_a_finding_has_its_history(client: FlaskClient, account: Account) -> None:
    account.observe(failing("web*", ago(hours=3)))
    account.observe(failing("web*", ago(hours=2), Severity.CRITICAL))
    account.observe(failing("web*", ago(hours=1), status=Status.OK))

    (found,) = items(client, "/v1/findings?state=closed")
    one: Any = client.get(f"/v1/findings/{found['id']}").json

    assert [moment["status"] for moment in one["history"]] == ["opened", "escalated", "resolved"]
    assert one["mute_pattern"] == "aws.cloudwatch/web[*]"


def test_a_mute_withholds_and_ends(client: FlaskClient, account: Account) -> None:
    account.observe(failing("web", ago(hours=3)))
    wanted = {"pattern": "aws.cloudwatch/*", "reason": "upgrade", "until": "4h"}

    made = client.post("/v1/mutes", json=wanted, headers=WRITE)

    assert made.status_code == 201
    mute: Any = made.json
    assert client.get(made.headers["Location"]).json == mute
    assert items(client, "/v1/findings")[0]["muted_by"] == mute["id"]
    ended: Any = client.delete(f"/v1/mutes/{mute['id']}", headers=WRITE).json
    assert not ended["active"]
    assert items(client, "/v1/findings")[0]["muted_by"] is None


def test_dead_letters_are_grouped_shown_redriven_and_discarded(
    client: FlaskClient, account: Account
) -> None:
    for number in range(3):
        account.park(
            json.dumps({"number": number, "password": "hunter2hunter2"}),
            f"no pipeline 'web' {number}",
        )
    (cause,) = items(client, "/v1/causes")
    first: Any = client.get("/v1/letters?limit=2").json
    last: Any = client.get(f"/v1/letters?limit=2&cursor={first['next']}").json
    letters = [each["id"] for each in first["items"] + last["items"]]

    assert (cause["job"], cause["count"], cause["can_be_redriven"]) == (QUEUED, 3, 3)
    assert len(set(letters)) == 3
    assert "hunter2" not in client.get(f"/v1/letters/{letters[0]}").text
    assert job(client, QUEUED)["last_failure"]["error_type"] == "Permanent"

    tried = client.post(
        "/v1/redrives", json={"causes": [cause["id"]], "dry_run": True}, headers=WRITE
    )
    assert [each["step"] for each in tried.json["outcomes"]] == ["would"] * 3  # type: ignore[index]
    sent = client.post("/v1/redrives", json={"ids": letters[:2]}, headers=WRITE)
    assert [each["step"] for each in sent.json["outcomes"]] == ["sent"] * 2  # type: ignore[index]
    assert len(account.messages()) == 2
    gone = client.post("/v1/discards", json={"ids": letters, "reason": "old"}, headers=WRITE)
    outcomes = gone.get_json()["outcomes"]
    assert [(each["letter"], each["step"]) for each in outcomes] == [(letters[2], "discarded")]
    assert items(client, "/v1/letters") == []
    kept = aws.client("logs").filter_log_events(logGroupName=f"/fleet/{STACK}")["events"]
    assert ['"why": "old"' in line["message"] for line in kept] == [True]


def test_no_letter_is_meant_by_mistake(client: FlaskClient, account: Account) -> None:
    account.park("{}")

    nobodys: list[dict[str, list[str]]] = [
        {},
        {"ids": []},
        {"ids": [""]},
        {"ids": ["a"]},
        {"jobs": [""]},
        {"jobs": ["*"]},
    ]
    for selection in (*nobodys, {"causes": ["", "x"]}):
        assert client.post("/v1/redrives", json=selection, headers=WRITE).status_code == 400, (
            selection
        )
        assert (
            client.post(
                "/v1/discards", json={**selection, "reason": "old"}, headers=WRITE
            ).status_code
            == 400
        )
    assert len(items(client, "/v1/letters")) == 1


def test_what_ends_early_tells_what_was_done_before(
    client: FlaskClient, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keep(after: int) -> Callable[..., Callable[[Letter], None]]:
        kept: list[Letter] = []

        def record(letter: Letter) -> None:
            if len(kept) == after:
                raise NotRecorded("the log group did not take the line")
            kept.append(letter)

        return lambda *_: record

    for number in range(3):
        account.park(str(number))
    wanted = {"jobs": [QUEUED], "reason": "old"}
    assert len(items(client, "/v1/letters")) == 3

    monkeypatch.setattr(operations, "recorder", keep(after=1))
    ended: Any = client.post("/v1/discards", json=wanted, headers=WRITE).json
    assert [each["step"] for each in ended["outcomes"]] == ["discarded"]
    assert ended["unseen"] == "it ended early: the log group did not take the line"
    assert len(items(client, "/v1/letters")) == 2, "it was looked at again"

    monkeypatch.setattr(operations, "recorder", keep(after=0))
    answer = client.post("/v1/discards", json=wanted, headers=WRITE)
    assert answer.status_code == 503
    assert answer.get_json()["detail"] == "the log group did not take the line"
    page = client.post("/letters/discard", data={"job": QUEUED, "reason": "old"}, headers=WRITE)
    assert page.status_code == 503
    assert "look before you repeat it" in page.text
    assert "Nothing has been changed" not in page.text


def test_a_redrive_that_finds_nothing_ends_in_time(
    client: FlaskClient, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.park("{}")
    received: list[Any] = []
    aws.client("sqs").meta.events.register(
        "before-call.sqs.ReceiveMessage", lambda **_: received.append(1)
    )
    monkeypatch.setattr(operations, "ACTING_SECONDS", -1.0)

    ended: Any = client.post("/v1/redrives", json={"jobs": ["nobody"]}, headers=WRITE).json

    assert (ended["outcomes"], len(received)) == ([], 1)
    assert "the look ended after 0 letters" in ended["unseen"]


def test_what_operators_do_is_logged_by_whom(
    client: FlaskClient, account: Account, function: None, log: io.StringIO
) -> None:
    account.park("{}")
    (letter,) = items(client, "/v1/letters")
    selection = {"ids": [letter["id"]]}

    ran: Any = client.post(f"/v1/jobs/{SCHEDULED}/runs", json={}, headers=WRITE).json
    muted: Any = client.post(
        "/v1/mutes", json={"pattern": "a", "reason": "b", "until": "4h"}, headers=WRITE
    ).json
    client.post("/v1/redrives", json={**selection, "dry_run": True}, headers=WRITE)
    client.post("/v1/redrives", json=selection, headers=WRITE)

    lines = {line["message"]: line for line in map(json.loads, log.getvalue().splitlines())}
    assert lines["asked to run"]["id"] == ran["id"]
    assert lines["muted"]["id"] == muted["id"]
    redriven = lines["redriven"]
    assert redriven["selection"]["ids"] == selection["ids"]
    assert (redriven["counts"], redriven["ids"]) == ({"sent": 1}, {"sent": [letter["id"]]})
    assert redriven["who"] == muted["author"]


def test_a_reason_is_masked_wherever_it_is_shown(client: FlaskClient, account: Account) -> None:
    secret = "password=hunter2hunter2"
    refused = ClientError({"Error": {"Code": "Refused", "Message": secret}}, "SendMessage")

    def refuse(**_: Any) -> None:
        raise refused

    account.park("{}")
    aws.client("sqs").meta.events.register("before-call.sqs.SendMessage", refuse)

    answer = client.post("/v1/redrives", json={"jobs": [QUEUED]}, headers=WRITE)
    page = client.post("/letters/redrive", data={"job": QUEUED}, headers=WRITE)

    assert answer.json["outcomes"][0]["step"] == "kept"  # type: ignore[index]
    assert "did not take it" in answer.text
    assert "hunter2" not in answer.text + client.get(page.headers["Location"]).text


DEEP = "[" * 100_000
WRONG = {
    "/v1/findings?limit=0": "limit must be 1 to 100, got 0",
    "/v1/findings?severity=bad&limit=x": (
        "severity: expected one of info, warning, critical, got 'bad'; limit: exp"
    ),
    "/v1/findings?sort=title": "unknown: sort",
    "/v1/findings?cursor=%00": "not a cursor of this list",
    "/v1/findings?cursor=WzFd": "the cursor belongs to another list",
    "/v1/findings?owner=a&owner=b": "owner is given more than once",
    f"/v1/jobs/{SCHEDULED}/log?since=8d": "since must be at most 7d",
    "/v1/letters?cursor=WzFd": "the cursor belongs to another list",
}
REFUSED: list[tuple[dict[str, Any], int, str]] = [
    ({"data": "x", "content_type": "text/plain"}, 415, "application/json"),
    ({"data": "{", "content_type": "application/json"}, 400, ""),
    ({"json": [1]}, 400, "expected a mapping"),
    ({"data": DEEP, "content_type": "application/json"}, 400, ""),
    ({"json": {"pattern": "a", "reason": " ", "until": "4h"}}, 400, "a mute needs reason"),
    ({"json": {"pattern": "a", "reason": "b", "until": "400d"}}, 400, "until must be"),
    (
        {"json": {"pattern": "\ud800", "reason": "b", "until": "4h"}},
        400,
        "pattern must be whole text",
    ),
    ({"json": {"pattern": "a", "reason": "b", "until": 5}}, 400, "until: expected a duration"),
]
NOWHERE = (
    "/v1/jobs/nope",
    "/v1/findings/WzFd",
    "/v1/findings/x",
    "/v1/mutes/x",
    "/v1/letters/x",
    "/v1/nope",
)


def test_what_is_wrong_is_refused_with_every_fault(client: FlaskClient) -> None:
    answers = [(client.get(path), 400, said) for path, said in WRONG.items()]
    answers += [
        (client.post("/v1/mutes", **body, headers=WRITE), status, said)
        for body, status, said in REFUSED
    ]
    answers += [(client.get(path), 404, "") for path in NOWHERE]

    for answer, status, said in answers:
        assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), said
        assert said in answer.json["detail"]  # type: ignore[index]
        assert answer.json["status"] == status  # type: ignore[index]


def test_health_names_the_dependency_that_does_not_answer(client: FlaskClient) -> None:
    assert client.get("/v1/health").status_code == 200
    aws.client("logs").delete_log_group(logGroupName=f"/fleet/{STACK}")
    assert client.get("/v1/health").status_code == 200, (
        "it is kept for seconds, for anybody may ask"
    )
    client.application.extensions["reading"].forget()

    answer = client.get("/v1/health")

    assert answer.status_code == 503
    assert answer.json["checks"] == {  # type: ignore[index]
        "ledger": "pass",
        "queues": "pass",
        "scheduler": "pass",
        "logs": "refused: ResourceNotFoundException",
    }


def test_live_touches_nothing_and_a_missing_setting_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = create_app().test_client()

    assert client.get("/v1/live").json == {"status": "pass"}
    answer = client.get("/v1/findings")
    assert answer.status_code == 503
    assert "set STACK" in answer.json["detail"]  # type: ignore[index]
    assert aws.client.cache_info().currsize == 0  # type: ignore[attr-defined]


def test_a_fault_is_logged_and_not_shown(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    monkeypatch.setattr(client.application.extensions["reading"].mutes, "all", lambda: 1 / 0)

    answer = client.get("/v1/mutes")

    assert answer.status_code == 500
    assert "division" not in answer.text
    assert "ZeroDivisionError" in log.getvalue()
