"""CodePipeline operations that moto lacks, for the local fleet and for unit tests.

`install()` adds them to moto's own response class; the other functions put a pipeline into the
state that a test needs.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from weakref import WeakKeyDictionary

from moto.codepipeline.exceptions import PipelineNotFoundException
from moto.codepipeline.models import CodePipeline, CodePipelineBackend, codepipeline_backends
from moto.codepipeline.responses import CodePipelineResponse
from moto.core.exceptions import JsonRESTError

from tools.sandbox import ACCOUNT, REGION

OPERATOR = f"arn:aws:iam::{ACCOUNT}:user/operator"
"""Whose name a transition has that a test changes."""

PAGE = 100
"""Pipelines in one answer of ListPipelines when the caller names no number."""


@dataclass(frozen=True, slots=True)
class Transition:
    """The way into a stage, as the last enable or disable left it."""

    enabled: bool
    changed_at: datetime
    changed_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Start:
    """One call of StartPipelineExecution; `execution` is None when it was throttled."""

    at: datetime
    execution: str | None
    token: str
    variables: dict[str, str]
    source_revisions: list[dict[str, str]]


@dataclass(slots=True)
class _State:
    transitions: dict[str, Transition] = field(default_factory=dict)
    executions: dict[str, str] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    throttled_attempts: int = 0
    throttled: bool = False


_states: WeakKeyDictionary[CodePipeline, _State] = WeakKeyDictionary()
"""What moto's pipelines do not hold; it goes when moto resets its own."""


def install() -> None:
    """Add the operations to moto; doing so twice does no harm."""
    for operation in (
        disable_stage_transition,
        enable_stage_transition,
        get_pipeline_state,
        list_pipelines,
        start_pipeline_execution,
    ):
        setattr(CodePipelineResponse, operation.__name__, operation)


def add_pipeline(
    name: str, stages: tuple[str, ...] = ("Source", "Build", "Deploy"), region: str = REGION
) -> None:
    """Create a pipeline of `stages`, without the role and actions that AWS asks for."""
    definition = {"name": name, "stages": [{"name": stage, "actions": []} for stage in stages]}
    _backend(region).pipelines[name] = CodePipeline(ACCOUNT, region, definition)


def pause(name: str, stage: str, reason: str, since: datetime, region: str = REGION) -> None:
    """Disable the transition into `stage` as though someone had done so at `since`."""
    transition = Transition(
        enabled=False,
        changed_at=since,
        changed_by=OPERATOR,
        reason=reason,
    )
    _change(_backend(region), name, stage, transition)


def resume(name: str, stage: str, region: str = REGION) -> None:
    """Enable the transition into `stage` again."""
    transition = Transition(
        enabled=True,
        changed_at=datetime.now(UTC),
        changed_by=OPERATOR,
        reason="",
    )
    _change(_backend(region), name, stage, transition)


def throttle(name: str, attempts: int, region: str = REGION) -> None:
    """Make the next attempts to start this pipeline, and all their retries, be throttled."""
    _state(_pipeline(_backend(region), name)).throttled_attempts = attempts


def starts(name: str, region: str = REGION) -> list[Start]:
    """Return every call of StartPipelineExecution for this pipeline, oldest first."""
    return list(_state(_pipeline(_backend(region), name)).starts)


def executions(name: str, region: str = REGION) -> list[Start]:
    """Return the call that began each execution; a repeated client token begins none."""
    begun = {start.execution: start for start in reversed(starts(name, region)) if start.execution}
    return list(reversed(begun.values()))


def get_pipeline_state(response: CodePipelineResponse) -> str:
    """Answer GetPipelineState."""
    pipeline = _pipeline(response.codepipeline_backend, _asked(response)["name"])
    transitions = _state(pipeline).transitions
    states: list[dict[str, Any]] = []
    for stage in pipeline.pipeline["stages"]:
        name = stage["name"]
        state = {"stageName": name, "actionStates": []}
        # Nothing leads into the first stage, so AWS shows no transition there.
        if states:
            state["inboundTransitionState"] = _shape(transitions.get(name))
        states.append(state)
    document = {
        "pipelineName": pipeline.pipeline["name"],
        "pipelineVersion": pipeline.pipeline["version"],
        "stageStates": states,
        "created": pipeline.metadata["created"],
        "updated": pipeline.metadata["updated"],
    }
    return json.dumps(document)


def disable_stage_transition(response: CodePipelineResponse) -> str:
    """Answer DisableStageTransition for inbound transitions."""
    _change_now(response, enabled=False)
    return ""


def enable_stage_transition(response: CodePipelineResponse) -> str:
    """Answer EnableStageTransition for inbound transitions."""
    _change_now(response, enabled=True)
    return ""


def start_pipeline_execution(response: CodePipelineResponse) -> str:
    """Answer StartPipelineExecution; the same client request token gives the same execution."""
    backend = response.codepipeline_backend
    asked = _asked(response)
    name = asked["name"]
    token = asked.get("clientRequestToken", "")
    variables = asked.get("variables", [])
    state = _state(_pipeline(backend, name))
    if _is_new_attempt(response):
        state.throttled = state.throttled_attempts > 0
        state.throttled_attempts = max(0, state.throttled_attempts - 1)
    execution = state.executions.get(token)
    if state.throttled:
        execution = None
    elif execution is None:
        execution = backend.start_pipeline_execution(name, variables)
    start = Start(
        at=datetime.now(UTC),
        execution=execution,
        token=token,
        variables={variable["name"]: variable["value"] for variable in variables},
        source_revisions=asked.get("sourceRevisions", []),
    )
    state.starts.append(start)
    if execution is None:
        raise JsonRESTError("ThrottlingException", "Rate exceeded")
    if token:
        state.executions[token] = execution
    return json.dumps({"pipelineExecutionId": execution})


def _is_new_attempt(response: CodePipelineResponse) -> bool:
    """Whether a call is no retry: botocore numbers the calls of one attempt.

    A call from anything else is an attempt by itself.
    """
    number = response.headers.get("amz-sdk-request", "attempt=1")
    return re.search(r"attempt=1\b", number) is not None


def list_pipelines(response: CodePipelineResponse) -> str:
    """Answer ListPipelines page by page; the token is the name of the last pipeline shown."""
    asked = _asked(response)
    after = asked.get("nextToken", "")
    size = asked.get("maxResults", PAGE)
    left = [
        pipeline
        for pipeline in response.codepipeline_backend.list_pipelines()
        if pipeline["name"] > after
    ]
    page = left[:size]
    more = {"nextToken": page[-1]["name"]} if len(left) > size else {}
    return json.dumps({"pipelines": page, **more})


def _asked(response: CodePipelineResponse) -> dict[str, Any]:
    asked: dict[str, Any] = json.loads(response.body)
    return asked


def _backend(region: str) -> CodePipelineBackend:
    return codepipeline_backends[ACCOUNT][region]


def _pipeline(backend: CodePipelineBackend, name: str) -> CodePipeline:
    pipeline = backend.pipelines.get(name)
    if pipeline is None:
        raise PipelineNotFoundException(
            f"Account '{ACCOUNT}' does not have a pipeline with name '{name}'"
        )
    return pipeline


def _state(pipeline: CodePipeline) -> _State:
    return _states.setdefault(pipeline, _State())


def _change_now(response: CodePipelineResponse, enabled: bool) -> None:
    asked = _asked(response)
    transition = Transition(
        enabled=enabled,
        changed_at=datetime.now(UTC),
        changed_by=f"arn:aws:iam::{ACCOUNT}:root",
        reason=asked.get("reason", ""),
    )
    _change(response.codepipeline_backend, asked["pipelineName"], asked["stageName"], transition)


def _change(backend: CodePipelineBackend, name: str, stage: str, transition: Transition) -> None:
    pipeline = _pipeline(backend, name)
    _, *later_stages = pipeline.pipeline["stages"]
    names = [later_stage["name"] for later_stage in later_stages]
    if stage not in names:
        raise JsonRESTError(
            "StageNotFoundException", f"Nothing leads into a stage '{stage}' of pipeline '{name}'"
        )
    _state(pipeline).transitions[stage] = transition


def _shape(transition: Transition | None) -> dict[str, Any]:
    if transition is None:
        return {"enabled": True}
    shape = {
        "enabled": transition.enabled,
        "lastChangedBy": transition.changed_by,
        "lastChangedAt": transition.changed_at.timestamp(),
    }
    return shape if transition.enabled else shape | {"disabledReason": transition.reason}
