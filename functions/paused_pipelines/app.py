"""Report CodePipeline stages that someone paused and may have forgotten.

Trigger: schedule, every 12 hours. Reads: CodePipeline. Reports: one finding per forgotten pipeline.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.findings import Finding, Severity
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import load, within

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient


@dataclass(frozen=True, slots=True)
class Settings:
    paused_hours: int = 24

    def __post_init__(self) -> None:
        within("paused_hours", self.paused_hours, 1, 8_760)


@dataclass(frozen=True, slots=True)
class PausedStage:
    pipeline: str
    stage: str
    since: datetime
    by: str
    reason: str


def forgotten(stages: Iterable[PausedStage], now: datetime, limit: timedelta) -> Iterator[Finding]:
    """Yield one finding for each pipeline with stages paused for longer than `limit`, naming those stages."""
    overdue = sorted(
        (stage for stage in stages if now - stage.since > limit), key=lambda stage: stage.pipeline
    )
    for pipeline, group in groupby(overdue, key=lambda stage: stage.pipeline):
        paused = sorted(group, key=lambda stage: stage.since)
        days, rest = divmod(now - paused[0].since, timedelta(days=1))
        names = ", ".join(stage.stage for stage in paused)
        yield Finding(
            subject=pipeline,
            title=f"{pipeline} has been paused before {names} for {days} d {rest // timedelta(hours=1)} h",
            severity=Severity.WARNING,
            detail={stage.stage: told(stage) for stage in paused},
            link=console(pipeline),
        )


def told(stage: PausedStage) -> str:
    return f"since {stage.since.astimezone(UTC):%Y-%m-%d %H:%M %Z} by {stage.by}: {stage.reason or 'no reason'}"


def unread(pipeline: str, error: Exception) -> Finding:
    """Say that nobody knows; the subject is the pipeline's, so that this never resolves what was found before."""
    title = f"{pipeline} cannot be read, so nobody knows whether it is paused"
    return Finding(pipeline, title, Severity.WARNING, {"error": str(error)}, console(pipeline))


def console(pipeline: str) -> str:
    return aws.console_url(f"codesuite/codepipeline/pipelines/{quote(pipeline, safe='')}/view")


def names(codepipeline: "CodePipelineClient") -> Iterable[str]:
    """Read the names of all pipelines, page by page; one that comes on two pages counts once."""
    pages = codepipeline.get_paginator("list_pipelines").paginate()
    return dict.fromkeys(pipeline["name"] for page in pages for pipeline in page["pipelines"])


def paused_stages(codepipeline: "CodePipelineClient", pipeline: str) -> Iterator[PausedStage]:
    """Read a pipeline's paused stages."""
    try:
        state = codepipeline.get_pipeline_state(name=pipeline)
    except codepipeline.exceptions.PipelineNotFoundException:
        return  # it was deleted meanwhile, and is not paused
    for stage in state["stageStates"]:
        transition = stage.get("inboundTransitionState", {})
        if not transition.get("enabled", True):
            yield PausedStage(
                pipeline=pipeline,
                stage=stage["stageName"],
                since=transition["lastChangedAt"],
                by=transition.get("lastChangedBy", "somebody"),
                reason=transition.get("disabledReason", ""),
            )


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    limit = timedelta(hours=load(Settings).paused_hours)
    codepipeline = aws.client("codepipeline")
    paused: list[PausedStage] = []
    for pipeline in names(codepipeline):
        try:
            paused += paused_stages(codepipeline, pipeline)
        except (BotoCoreError, ClientError) as error:
            yield unread(pipeline, error)
    yield from forgotten(paused, run.scheduled_at, limit)
