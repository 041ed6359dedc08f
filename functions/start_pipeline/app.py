"""Start CodePipeline executions when an image is pushed to ECR, or when an event asks for one.

Trigger: queue, fed by ECR image pushes and by `fleet` / `Start Pipeline` events. Reads: routes in SSM.
Writes: CodePipeline executions, one per event and pipeline.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from string import Template
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError, ParamValidationError

from fleet import aws
from fleet.errors import Permanent, Transient
from fleet.events import Event
from fleet.runtime.queued import Message, for_each, queued
from fleet.runtime.telemetry import logger
from fleet.settings import Entries, Fault, SettingsError, entries, load, structure

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import StartPipelineExecutionInputTypeDef

HOPELESS = ("PipelineNotFoundException", "ValidationException")
TOKENS = uuid.UUID("0f7b6f0c-6f9b-4d0e-9d2c-6a1f6a0c9f51")
FACTS = ("image_uri", "repository", "tag", "digest")


@dataclass(frozen=True, slots=True)
class Settings:
    routes_parameter: str


@dataclass(frozen=True, slots=True)
class Route:
    """Which pushes start which pipeline; the default tag is any but none, as a multi-platform image's parts have none.

    `variables` may use the facts, as $tag; `source_action` names the ECR source action that takes the pushed digest.
    """

    repository: str
    pipeline: str
    tag: str = "?*"
    variables: dict[str, str] = field(default_factory=dict)
    source_action: str = ""

    def __post_init__(self) -> None:
        for name, text in self.variables.items():
            if not (template := Template(text)).is_valid() or not set(
                template.get_identifiers()
            ) <= set(FACTS):
                raise ValueError(
                    f"the variable {name} may use {', '.join(f'${fact}' for fact in FACTS)}; got {text!r}"
                )


@dataclass(frozen=True, slots=True)
class Revision:
    action: str
    type: Literal["COMMIT_ID", "IMAGE_DIGEST", "S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"]
    value: str


@dataclass(frozen=True, slots=True)
class Start:
    """An execution to start: what a route makes of a push, or the detail of a `Start Pipeline` event."""

    pipeline: str
    variables: dict[str, str] = field(default_factory=dict)
    source_revisions: tuple[Revision, ...] = ()


def push_facts(event: Event) -> dict[str, str]:
    """What a route can match and use of a push. Raises `Permanent` for an event that lacks it."""
    match [
        event.detail.get(name) or "" for name in ("repository-name", "image-tag", "image-digest")
    ]:
        case [str(repository), str(tag), str(digest)] if repository and digest:
            registry = f"{event.account}.dkr.ecr.{event.region}.{aws.domain(event.region)}"
            uri = f"{registry}/{repository}" + (f":{tag}" if tag else f"@{digest}")
            return dict(zip(FACTS, (uri, repository, tag, digest), strict=True))
    raise Permanent(f"the ECR event names no repository and digest: {dict(event.detail)!r:.200}")


def fits(push: Mapping[str, str], repository: object, tag: object) -> bool:
    """Whether the globs match; one that is no text might have."""
    globs = {"repository": repository, "tag": tag}
    return all(
        fnmatchcase(push[fact], glob) for fact, glob in globs.items() if isinstance(glob, str)
    )


def routed(push: Mapping[str, str], routes: Iterable[Route]) -> Iterator[Start]:
    """Yield what the matching routes make of a push; of several routes to one pipeline, the first counts."""
    matching = [route for route in routes if fits(push, route.repository, route.tag)]
    for route in {route.pipeline: route for route in reversed(matching)}.values():
        variables = {
            name: Template(text).substitute(push) for name, text in route.variables.items()
        }
        revision = Revision(route.source_action, "IMAGE_DIGEST", push["digest"])
        yield Start(route.pipeline, variables, (revision,) if route.source_action else ())


def misrouted(push: Mapping[str, str], faults: Iterable[Fault]) -> list[str]:
    """Say what is wrong with each unusable route that this push might have been meant for."""
    entries = (
        (fault.reason, fault.entry if isinstance(fault.entry, dict) else {}) for fault in faults
    )
    return [
        reason for reason, entry in entries if fits(push, entry.get("repository"), entry.get("tag"))
    ]


def plan(event: Event, routes: Callable[[], Entries[Route]]) -> Iterator[Start]:
    """Yield what an event starts. Raises `Permanent`, at last, for what is wrong with it or with the routes for it."""
    match event.source, event.type:
        case "aws.ecr", "ECR Image Action":
            push, known = push_facts(event), routes()
            yield from routed(push, known.usable)
            if reasons := misrouted(push, known.faults):
                raise Permanent("; ".join(reasons))
        case "fleet", "Start Pipeline":
            try:
                yield structure(event.detail, Start, "the event's detail")
            except SettingsError as error:
                raise Permanent(str(error)) from error
        case _:
            raise Permanent(f"an event of {event.source} / {event.type} starts no pipeline")


def start(codepipeline: "CodePipelineClient", wanted: Start, event_id: str) -> None:
    """Start one execution, once: the same event and pipeline always bear the same token."""
    if not event_id:
        raise Permanent("the event has no id, and so could start its pipeline twice")
    request: StartPipelineExecutionInputTypeDef = {
        "name": wanted.pipeline,
        "clientRequestToken": str(uuid.uuid5(TOKENS, f"{event_id} {wanted.pipeline}")),
        "sourceRevisions": [
            {"actionName": r.action, "revisionType": r.type, "revisionValue": r.value}
            for r in wanted.source_revisions
        ],
    }
    if wanted.variables:
        request["variables"] = [
            {"name": name, "value": value} for name, value in wanted.variables.items()
        ]
    try:
        execution = codepipeline.start_pipeline_execution(**request)
    except (ParamValidationError, ClientError) as error:
        hopeless = isinstance(error, ParamValidationError) or aws.error_code(error) in HOPELESS
        raise (Permanent if hopeless else Transient)(
            f"{wanted.pipeline!r} was not started: {error}"
        ) from error
    logger.info(
        "started",
        pipeline=wanted.pipeline,
        execution=execution["pipelineExecutionId"],
        event_id=event_id,
    )


@queued
def handler(message: Message) -> None:
    routes = partial(entries, load(Settings).routes_parameter, Route)
    codepipeline = aws.client("codepipeline")

    def attend(event: Event) -> None:
        for_each(plan(event, routes), lambda wanted: start(codepipeline, wanted, event.id))

    for_each(message.events(), attend)
