import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError
from functions.paused_pipelines.app import (
    PausedStage,
    Settings,
    handler,
    judge,
    pipeline_url,
    read_paused_stages,
    read_pipeline_names,
    unreadable,
)
from tests.conftest import Context
from tools.local import moto_codepipeline as codepipeline

from fleet import aws
from fleet.findings import Finding, Severity
from fleet.settings import SettingsError, load

EVENT = json.loads((Path(__file__).parents[2] / "events" / "paused_pipelines.json").read_text())
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
LIMIT = timedelta(hours=24)
Published = Callable[[], list[dict[str, Any]]]


def paused(name: str = "Deploy", for_: timedelta = timedelta(days=3), **facts: str) -> PausedStage:
    return PausedStage(name, NOW - for_, **{"by": "ann", "reason": "freeze", **facts})


def judged(*stages: PausedStage) -> list[Finding]:
    return list(judge("web", stages, LIMIT, NOW))


@pytest.mark.parametrize(
    ("beyond", "found"),
    [(-timedelta(seconds=1), 0), (timedelta(0), 0), (timedelta(seconds=1), 1)],
    ids=["a second less", "exactly", "a second more"],
)
def test_a_stage_is_forgotten_when_paused_for_longer_than_the_limit(
    beyond: timedelta, found: int
) -> None:
    assert len(judged(paused(for_=LIMIT + beyond))) == found


def test_a_forgotten_pipeline_is_a_finding_that_tells_people_what_to_decide() -> None:
    assert judged(paused(for_=timedelta(days=3, hours=5, minutes=59))) == [
        Finding(
            subject="web",
            title="web has been paused before Deploy for 3 d 5 h",
            severity=Severity.WARNING,
            detail={"Deploy": "since 2026-11-17 02:01 UTC by ann: freeze"},
            link="https://eu-west-1.console.aws.amazon.com/codesuite/codepipeline/pipelines/web/view",
        )
    ]


def test_a_pause_without_a_reason_says_so() -> None:
    (finding,) = judged(paused(reason=""))
    assert str(finding.detail["Deploy"]).endswith("by ann: no reason")


def test_stages_of_one_pipeline_are_one_finding_oldest_first() -> None:
    days = {"Deploy": 2, "Test": 4, "Approve": 3}
    stages = [paused(name, timedelta(days=count)) for name, count in days.items()]
    (finding,) = judged(*stages)
    assert finding.title == "web has been paused before Test, Approve, Deploy for 4 d"
    assert list(finding.detail) == ["Test", "Approve", "Deploy"]


def test_only_the_forgotten_stages_are_named() -> None:
    (finding,) = judged(paused("Test"), paused("Deploy", timedelta(hours=1)))
    assert list(finding.detail) == ["Test"]


def test_a_pipeline_without_forgotten_stages_is_no_finding() -> None:
    assert judged() == []
    assert judged(paused(for_=LIMIT), paused("Test", timedelta(hours=1))) == []


def test_a_time_is_shown_in_utc_whatever_zone_it_came_in() -> None:
    since = (NOW - timedelta(days=3)).astimezone(timezone(timedelta(hours=9), "JST"))
    (finding,) = judged(PausedStage("Deploy", since, "ann", "freeze"))
    assert finding.detail["Deploy"] == "since 2026-11-17 08:00 UTC by ann: freeze"


def test_a_pipeline_that_cannot_be_read_has_the_subject_of_its_other_findings() -> None:
    finding = unreadable("web", ValueError("AccessDenied"))
    assert finding.subject == judged(paused())[0].subject
    assert (finding.severity, finding.detail) == (Severity.WARNING, {"error": "AccessDenied"})
    assert "cannot be read" in finding.title


@pytest.mark.parametrize(
    ("region", "name", "address"),
    [
        ("eu-west-1", "web-1.2_x", "https://eu-west-1.console.aws.amazon.com/.../web-1.2_x/view"),
        ("eu-west-1", "team@web", "https://eu-west-1.console.aws.amazon.com/.../team%40web/view"),
        (
            "eu-west-1",
            "a/b?c#d e",
            "https://eu-west-1.console.aws.amazon.com/.../a%2Fb%3Fc%23d%20e/view",
        ),
        ("eu-west-1", "übung", "https://eu-west-1.console.aws.amazon.com/.../%C3%BCbung/view"),
        ("cn-north-1", "web", "https://cn-north-1.console.amazonaws.cn/.../web/view"),
        ("us-gov-east-1", "web", "https://us-gov-east-1.console.amazonaws-us-gov.com/.../web/view"),
    ],
    ids=["plain", "at sign", "reserved", "not ASCII", "China", "GovCloud"],
)
def test_the_link_leads_to_the_pipeline(
    region: str, name: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    assert pipeline_url(name) == address.replace("...", "codesuite/codepipeline/pipelines")


@pytest.fixture
def pipelines(moto: None) -> None:
    codepipeline.install()


def failing(code: str) -> Exception:
    kind: Any = aws.client("codepipeline").exceptions.from_code(code)
    error: Exception = kind({"Error": {"Code": code, "Message": "no"}}, "GetPipelineState")
    return error


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, error: Exception) -> None:
    """Let GetPipelineState of one pipeline fail."""
    client = aws.client("codepipeline")
    read = client.get_pipeline_state

    def get_pipeline_state(**request: str) -> Any:
        if request["name"] == name:
            raise error
        return read(name=request["name"])

    monkeypatch.setattr(client, "get_pipeline_state", get_pipeline_state)


@pytest.mark.usefixtures("pipelines")
def test_paused_stages_are_read_with_who_paused_them_and_why() -> None:
    codepipeline.add_pipeline("web")
    codepipeline.pause("web", "Deploy", "release freeze", NOW)
    (stage,) = read_paused_stages(aws.client("codepipeline"), "web")
    assert (stage.name, stage.since, stage.reason) == ("Deploy", NOW, "release freeze")
    assert stage.by.endswith(":user/operator")


@pytest.mark.usefixtures("pipelines")
def test_a_pipeline_that_runs_has_no_paused_stages() -> None:
    codepipeline.add_pipeline("web")
    client = aws.client("codepipeline")
    change = {"pipelineName": "web", "stageName": "Deploy"}
    client.disable_stage_transition(**change, transitionType="Inbound", reason="x")
    client.enable_stage_transition(**change, transitionType="Inbound")
    assert read_paused_stages(client, "web") == []


@pytest.mark.usefixtures("pipelines")
def test_a_pipeline_that_was_deleted_meanwhile_has_no_paused_stages() -> None:
    assert read_paused_stages(aws.client("codepipeline"), "gone") == []


@pytest.mark.usefixtures("pipelines")
def test_every_page_of_pipelines_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codepipeline, "PAGE", 2)
    existing = [f"p{number}" for number in range(5)]
    for name in existing:
        codepipeline.add_pipeline(name)
    assert read_pipeline_names(aws.client("codepipeline")) == existing


class Pages:
    """A CodePipeline whose pipelines come on these pages."""

    def __init__(self, *pages: list[str]) -> None:
        self.pages = pages

    def get_paginator(self, _: str) -> "Pages":
        return self

    def paginate(self) -> list[dict[str, Any]]:
        return [{"pipelines": [{"name": name} for name in page]} for page in self.pages]


def test_a_pipeline_that_comes_on_two_pages_counts_once() -> None:
    pages = cast(Any, Pages(["a", "b"], ["b", "c"], [], ["a"]))
    assert read_pipeline_names(pages) == ["a", "b", "c"]


@pytest.fixture
def job(pipelines: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "paused_pipelines")


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(
            lambda: failing("AccessDeniedException"), "AccessDeniedException", id="denied"
        ),
        pytest.param(
            lambda: ReadTimeoutError(endpoint_url="https://x"), "Read timeout", id="read timeout"
        ),
        pytest.param(
            lambda: ConnectTimeoutError(endpoint_url="https://x"),
            "Connect timeout",
            id="connect timeout",
        ),
    ],
)
def test_the_job_reports_forgotten_pipelines_and_those_it_cannot_read(
    error: Callable[[], Exception],
    reason: str,
    context: Context,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("forgotten", "fresh", "running", "secret", "zombie"):
        codepipeline.add_pipeline(name)
    for name in ("forgotten", "zombie"):
        codepipeline.pause(name, "Deploy", "", NOW - timedelta(days=2))
    codepipeline.pause("fresh", "Deploy", "", NOW - timedelta(hours=2))
    refuse(monkeypatch, "secret", error())
    assert handler(EVENT, context)["findings"] == 3
    (event,) = published()
    assert event["detail"]["job"] == "paused_pipelines"
    titles = {finding["subject"]: finding["title"] for finding in event["detail"]["findings"]}
    assert list(titles) == ["forgotten", "secret", "zombie"]
    assert titles["secret"] == "secret cannot be read, so nobody knows whether it is paused"
    assert reason in event["detail"]["findings"][1]["detail"]["error"]


@pytest.mark.usefixtures("job")
def test_a_pipeline_deleted_while_the_job_reads_is_no_finding(
    context: Context, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        codepipeline.add_pipeline(name)
        codepipeline.pause(name, "Deploy", "", NOW - timedelta(days=2))
    refuse(monkeypatch, "b", failing("PipelineNotFoundException"))
    handler(EVENT, context)
    (event,) = published()
    assert [finding["subject"] for finding in event["detail"]["findings"]] == ["a", "c"]


@pytest.mark.usefixtures("job")
def test_a_pipeline_on_two_pages_is_one_finding(
    context: Context, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    codepipeline.add_pipeline("web")
    codepipeline.pause("web", "Deploy", "", NOW - timedelta(days=2))
    monkeypatch.setattr(
        aws.client("codepipeline"), "get_paginator", lambda _: Pages(["web"], ["web"])
    )
    handler(EVENT, context)
    (event,) = published()
    (finding,) = event["detail"]["findings"]
    assert list(finding["detail"]) == ["Deploy"]
    assert finding["title"] == "web has been paused before Deploy for 2 d"


@pytest.mark.usefixtures("job")
def test_the_limit_is_a_setting(
    context: Context, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    codepipeline.add_pipeline("fresh")
    codepipeline.pause("fresh", "Deploy", "", NOW - timedelta(hours=2))
    monkeypatch.setenv("PAUSED_HOURS", "1")
    assert handler(EVENT, context)["findings"] == 1
    monkeypatch.setenv("PAUSED_HOURS", "3")
    assert handler(EVENT, context)["findings"] == 0


@pytest.mark.usefixtures("job")
def test_a_malformed_limit_stops_the_job(
    context: Context, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAUSED_HOURS", "a day")
    with pytest.raises(ValueError, match="PAUSED_HOURS: expected a whole number, got 'a day'"):
        handler(EVENT, context)
    assert published() == []


@pytest.mark.parametrize("hours", [1, 24, 8_760])
def test_a_limit_is_an_hour_to_a_year(hours: int) -> None:
    assert load(Settings, {"PAUSED_HOURS": str(hours)}).paused_hours == hours


@pytest.mark.parametrize("hours", [-1, 0, 8_761, 10**12])
def test_a_limit_beyond_that_stops_the_job(hours: int) -> None:
    with pytest.raises(
        SettingsError, match=f"the environment: PAUSED_HOURS must be 1 to 8760, got {hours}"
    ):
        load(Settings, {"PAUSED_HOURS": str(hours)})


@pytest.mark.usefixtures("job")
def test_an_account_whose_pipelines_cannot_be_listed_fails_the_run(
    context: Context, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(operation: str) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListPipelines")

    monkeypatch.setattr(aws.client("codepipeline"), "get_paginator", denied)
    with pytest.raises(ClientError, match="AccessDenied"):
        handler(EVENT, context)
    assert published() == []
