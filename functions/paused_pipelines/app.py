"""Report CodePipeline stages that someone paused and may have forgotten.

Trigger: schedule, every 12 hours. Reads: CodePipeline.
Reports: one finding per pipeline with forgotten stages, and one per pipeline that cannot be read.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.findings import Finding, Severity, span
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import load, within

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import StageStateTypeDef


@dataclass(frozen=True, slots=True)
class Settings:
    paused_hours: int = 24

    def __post_init__(self) -> None:
        within("paused_hours", self.paused_hours, 1, 8_760)


@dataclass(frozen=True, slots=True)
class PausedStage:
    """A stage whose inbound transition somebody disabled, so that no execution enters it."""

    name: str
    since: datetime
    by: str
    reason: str


def judge(
    pipeline: str, stages: Iterable[PausedStage], limit: timedelta, now: datetime
) -> Iterator[Finding]:
    """Yield a finding if a pipeline has forgotten stages."""
    forgotten = [stage for stage in stages if is_forgotten(stage, limit, now)]
    if forgotten:
        yield describe(pipeline, forgotten, now)


def is_forgotten(stage: PausedStage, limit: timedelta, now: datetime) -> bool:
    """Whether a stage has been paused for longer than `limit`."""
    return now - stage.since > limit


def is_paused(stage: "StageStateTypeDef") -> bool:
    """Whether the transition into a stage is disabled. The first stage has none."""
    transition = stage.get("inboundTransitionState", {})
    return not transition.get("enabled", True)


def describe(pipeline: str, stages: Iterable[PausedStage], now: datetime) -> Finding:
    """Return the finding about a pipeline. The stage that was paused longest comes first."""
    oldest_first = sorted(stages, key=attrgetter("since"))
    names = ", ".join(stage.name for stage in oldest_first)
    duration = span(now - oldest_first[0].since)
    return Finding(
        subject=pipeline,
        title=f"{pipeline} has been paused before {names} for {duration}",
        severity=Severity.WARNING,
        detail={stage.name: explain(stage) for stage in oldest_first},
        link=pipeline_url(pipeline),
    )


def explain(stage: PausedStage) -> str:
    """Say since when a stage is paused, by whom and why."""
    since = f"{stage.since.astimezone(UTC):%Y-%m-%d %H:%M %Z}"
    return f"since {since} by {stage.by}: {stage.reason or 'no reason'}"


def unreadable(pipeline: str, error: Exception) -> Finding:
    """Return the finding about a pipeline that cannot be read.

    It has the same subject as one about paused stages, so that an earlier one stays open.
    """
    return Finding(
        subject=pipeline,
        title=f"{pipeline} cannot be read, so nobody knows whether it is paused",
        severity=Severity.WARNING,
        detail={"error": str(error)},
        link=pipeline_url(pipeline),
    )


def pipeline_url(pipeline: str) -> str:
    """The pipeline's page in AWS's console."""
    name = quote(pipeline, safe="")
    return aws.console_url(f"codesuite/codepipeline/pipelines/{name}/view")


def read_pipeline_names(codepipeline: "CodePipelineClient") -> list[str]:
    """Return the names of all pipelines, each once though two pages may have it."""
    names = []
    for page in codepipeline.get_paginator("list_pipelines").paginate():
        names += [pipeline["name"] for pipeline in page["pipelines"]]
    return list(dict.fromkeys(names))


def read_paused_stages(codepipeline: "CodePipelineClient", pipeline: str) -> list[PausedStage]:
    """Return a pipeline's paused stages: none if it was deleted meanwhile."""
    try:
        state = codepipeline.get_pipeline_state(name=pipeline)
    except codepipeline.exceptions.PipelineNotFoundException:
        return []  # it was deleted after it was listed
    paused = []
    for stage in state["stageStates"]:
        if is_paused(stage):
            transition = stage["inboundTransitionState"]
            paused.append(
                PausedStage(
                    name=stage["stageName"],
                    since=transition["lastChangedAt"],
                    by=transition.get("lastChangedBy", "somebody"),
                    reason=transition.get("disabledReason", ""),
                )
            )
    return paused


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    limit = timedelta(hours=load(Settings).paused_hours)
    codepipeline = aws.client("codepipeline")
    for pipeline in read_pipeline_names(codepipeline):
        try:
            stages = read_paused_stages(codepipeline, pipeline)
        except (BotoCoreError, ClientError) as error:
            yield unreadable(pipeline, error)
        else:
            yield from judge(pipeline, stages, limit, run.scheduled_at)
