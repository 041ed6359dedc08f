"""Report CodePipeline stages that someone paused and may have forgotten.

Trigger: schedule, every 12 hours. Reads: CodePipeline. Reports: one finding per forgotten pipeline.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import ClientError

from fleet import aws
from fleet.findings import Finding, Severity
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import load

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient


@dataclass(frozen=True, slots=True)
class Settings:
    paused_hours: int = 24


@dataclass(frozen=True, slots=True)
class PausedStage:
    pipeline: str
    stage: str
    since: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    pipeline: str
    error: str


def forgotten(stages: Iterable[PausedStage], now: datetime, limit: timedelta) -> Iterator[Finding]:
    """Yield one finding for each pipeline with stages paused for longer than `limit`, naming those stages."""
    overdue = sorted((stage for stage in stages if now - stage.since > limit), key=lambda stage: stage.pipeline)
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


def unread(pipeline: Unreadable) -> Finding:
    """Say that nobody knows; the subject is the pipeline's, so that this never resolves what was found before."""
    return Finding(
        subject=pipeline.pipeline,
        title=f"{pipeline.pipeline} cannot be read, so nobody knows whether it is paused",
        detail={"error": pipeline.error},
        link=console(pipeline.pipeline),
    )


def console(pipeline: str) -> str:
    return aws.console_url(f"codesuite/codepipeline/pipelines/{quote(pipeline, safe='')}/view")


def paused_stages(codepipeline: "CodePipelineClient") -> Iterator[PausedStage | Unreadable]:
    """Read every pipeline's paused stages, page by page."""
    for page in codepipeline.get_paginator("list_pipelines").paginate():
        for pipeline in page["pipelines"]:
            name = pipeline["name"]
            try:
                state = codepipeline.get_pipeline_state(name=name)
            except codepipeline.exceptions.PipelineNotFoundException:
                continue  # it was deleted meanwhile, and is not paused
            except ClientError as error:
                yield Unreadable(name, str(error))
                continue
            for stage in state["stageStates"]:
                transition = stage.get("inboundTransitionState", {})
                if not transition.get("enabled", True):
                    yield PausedStage(
                        pipeline=name,
                        stage=stage["stageName"],
                        since=transition["lastChangedAt"],
                        by=transition.get("lastChangedBy", "somebody"),
                        reason=transition.get("disabledReason", ""),
                    )


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    limit = timedelta(hours=load(Settings).paused_hours)
    read = list(paused_stages(aws.client("codepipeline")))
    yield from forgotten((stage for stage in read if isinstance(stage, PausedStage)), run.scheduled_at, limit)
    yield from (unread(pipeline) for pipeline in read if isinstance(pipeline, Unreadable))
