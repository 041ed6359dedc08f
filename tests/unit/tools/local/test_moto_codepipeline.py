"""The operations that moto lacks answer as CodePipeline does."""

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tools.local import moto_codepipeline as codepipeline
from tools.sandbox import session

SINCE = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture
def client(moto: None) -> Any:
    codepipeline.install()
    codepipeline.add_pipeline("web", stages=("Source", "Deploy"))
    return session().client("codepipeline")


def test_pipelines_are_listed_page_by_page(client: Any) -> None:
    for name in ("a", "b", "zoo"):
        codepipeline.add_pipeline(name)

    first = client.list_pipelines(maxResults=3)
    last = client.list_pipelines(maxResults=3, nextToken=first["nextToken"])

    pipelines = [*first["pipelines"], *last["pipelines"]]
    assert [pipeline["name"] for pipeline in pipelines] == ["a", "b", "web", "zoo"]
    assert "nextToken" not in last


def test_a_paused_stage_says_since_when_and_why(client: Any) -> None:
    codepipeline.pause("web", "Deploy", "freeze", SINCE)

    source, deploy = client.get_pipeline_state(name="web")["stageStates"]

    assert "inboundTransitionState" not in source
    transition = deploy["inboundTransitionState"]
    assert (transition["enabled"], transition["disabledReason"]) == (False, "freeze")
    assert transition["lastChangedAt"] == SINCE


def test_a_resumed_stage_has_no_reason_to_be_paused(client: Any) -> None:
    codepipeline.pause("web", "Deploy", "freeze", SINCE)
    codepipeline.resume("web", "Deploy")

    _, deploy = client.get_pipeline_state(name="web")["stageStates"]

    assert deploy["inboundTransitionState"]["enabled"]
    assert "disabledReason" not in deploy["inboundTransitionState"]


@pytest.mark.parametrize("stage", ["Source", "Test"], ids=["the first stage", "no stage"])
def test_only_a_way_into_a_stage_can_be_paused(client: Any, stage: str) -> None:
    with pytest.raises(ClientError, match="StageNotFoundException"):
        client.disable_stage_transition(
            pipelineName="web", stageName=stage, transitionType="Inbound", reason="freeze"
        )


def test_the_same_token_starts_the_same_execution(client: Any) -> None:
    ids = [
        client.start_pipeline_execution(name="web", clientRequestToken=token)["pipelineExecutionId"]
        for token in ("a", "a", "b")
    ]

    assert ids[0] == ids[1] != ids[2]
    assert [start.token for start in codepipeline.executions("web")] == ["a", "b"]
