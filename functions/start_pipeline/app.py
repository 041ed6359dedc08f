"""Start CodePipeline executions when an image is pushed to ECR, or when an event asks for one.

Trigger: queue, fed by ECR image pushes and by `fleet` / `Start Pipeline` events. Reads: routes in
SSM. Writes: CodePipeline executions, one per event and pipeline.
"""

import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from functools import partial
from string import Template
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError, ParamValidationError

from fleet import aws
from fleet.errors import Permanent, Transient
from fleet.events import Event
from fleet.lists import Entries, entries
from fleet.mappings import structure
from fleet.runtime.queued import Message, for_each, queued
from fleet.runtime.telemetry import logger
from fleet.settings import SettingsError, load

if TYPE_CHECKING:
    from mypy_boto3_codepipeline.type_defs import StartPipelineExecutionInputTypeDef

# Errors that another attempt cannot change:
# https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_StartPipelineExecution.html
PERMANENT_CODES = ("PipelineNotFoundException", "ValidationException")
TOKENS = uuid.UUID("0f7b6f0c-6f9b-4d0e-9d2c-6a1f6a0c9f51")


@dataclass(frozen=True, slots=True)
class Settings:
    """`routes_parameter` names the list of routes from pushes to pipelines."""

    routes_parameter: str


@dataclass(frozen=True, slots=True)
class Push:
    """An image that was pushed to ECR. `tag` is empty for an image without one."""

    image_uri: str
    repository: str
    tag: str
    digest: str


@dataclass(frozen=True, slots=True)
class Route:
    """Which pushes start which pipeline.

    `repository` and `tag` are globs; the default takes any tag, but no image without one, as the
    parts of a multi-platform image are. `variables` may use the fields of the push, such as $tag.
    `source_action` names the ECR source action that takes the pushed digest.
    """

    repository: str
    pipeline: str
    tag: str = "?*"
    variables: dict[str, str] = field(default_factory=dict)
    source_action: str = ""

    def __post_init__(self) -> None:
        facts = [fact.name for fact in fields(Push)]
        for name, text in self.variables.items():
            template = Template(text)
            unknown = set(template.get_identifiers()).difference(facts)
            if unknown or not template.is_valid():
                allowed = ", ".join(f"${fact}" for fact in facts)
                raise ValueError(f"the variable {name} may use {allowed}; got {text!r}")

    def takes(self, push: Push) -> bool:
        """Whether the push starts the route's pipeline."""
        of_repository = fnmatchcase(push.repository, self.repository)
        return of_repository and fnmatchcase(push.tag, self.tag)


@dataclass(frozen=True, slots=True)
class Revision:
    """The version of a source that an execution uses, for one source action of the pipeline."""

    action: str
    type: Literal["COMMIT_ID", "IMAGE_DIGEST", "S3_OBJECT_VERSION_ID", "S3_OBJECT_KEY"]
    value: str


@dataclass(frozen=True, slots=True)
class Start:
    """An execution to start: what a route makes of a push, or what an event asks for."""

    pipeline: str
    variables: dict[str, str] = field(default_factory=dict)
    source_revisions: tuple[Revision, ...] = ()


def read_push(event: Event) -> Push:
    """Read an ECR event. Raises `Permanent` when it lacks what a route matches and uses."""
    repository = event.detail.get("repository-name")
    digest = event.detail.get("image-digest")
    tag = event.detail.get("image-tag") or ""
    facts = (repository, digest, tag)
    are_texts = all(isinstance(fact, str) for fact in facts)
    if not are_texts or not repository or not digest:
        shown = repr(dict(event.detail))[:200]
        raise Permanent(f"the ECR event names no repository and digest: {shown}")
    domain = aws.domain(event.region)
    registry = f"{event.account}.dkr.ecr.{event.region}.{domain}"
    image = f"{registry}/{repository}"
    return Push(
        image_uri=f"{image}:{tag}" if tag else f"{image}@{digest}",
        repository=repository,
        tag=tag,
        digest=digest,
    )


def read_request(event: Event) -> Start:
    """Read a `Start Pipeline` event. Raises `Permanent` when it does not say what to start."""
    try:
        return structure(event.detail, Start, "the event's detail")
    except SettingsError as error:
        raise Permanent(str(error)) from error


def fill(route: Route, push: Push) -> Start:
    """Return the execution that a route makes of a push."""
    facts = asdict(push)
    variables = {}
    for name, text in route.variables.items():
        template = Template(text)
        variables[name] = template.substitute(facts)
    if not route.source_action:
        return Start(route.pipeline, variables)
    revision = Revision(
        action=route.source_action,
        type="IMAGE_DIGEST",
        value=push.digest,
    )
    return Start(route.pipeline, variables, (revision,))


def starts_for(push: Push, routes: Entries[Route]) -> Iterator[Start]:
    """Yield what a push starts; of several routes to one pipeline, the first counts.

    Raises `Permanent`, at last, for routes that cannot be used and might take the push.
    """
    pipelines = set()
    for route in routes.usable:
        if route.takes(push) and route.pipeline not in pipelines:
            pipelines.add(route.pipeline)
            yield fill(route, push)
    faults = [fault for fault in routes.faults if might_take(fault.entry, push)]
    if faults:
        raise Permanent("; ".join(fault.reason for fault in faults))


def might_take(entry: Any, push: Push) -> bool:
    """Whether an unusable route may be meant for the push: no glob in it says otherwise."""
    if not isinstance(entry, dict):
        return True
    for name, text in (("repository", push.repository), ("tag", push.tag)):
        glob = entry.get(name)
        if isinstance(glob, str) and not fnmatchcase(text, glob):
            return False
    return True


def request_for(execution: Start, event_id: str) -> "StartPipelineExecutionInputTypeDef":
    """Return the arguments of the call; the same event and pipeline always have the same token."""
    identity = f"{event_id} {execution.pipeline}"
    token = uuid.uuid5(TOKENS, identity)
    request: StartPipelineExecutionInputTypeDef = {
        "name": execution.pipeline,
        "clientRequestToken": str(token),
        "sourceRevisions": [
            {
                "actionName": revision.action,
                "revisionType": revision.type,
                "revisionValue": revision.value,
            }
            for revision in execution.source_revisions
        ],
    }
    if execution.variables:
        request["variables"] = [
            {"name": name, "value": value} for name, value in execution.variables.items()
        ]
    return request


def is_permanent(error: ClientError | ParamValidationError) -> bool:
    """Whether CodePipeline would refuse the same call again."""
    if isinstance(error, ParamValidationError):
        return True
    return aws.error_code(error) in PERMANENT_CODES


def start(event_id: str, execution: Start) -> None:
    """Start an execution, once for each event and pipeline. Raises `Permanent` and `Transient`."""
    if not event_id:
        raise Permanent("the event has no id, and so could start its pipeline twice")
    request = request_for(execution, event_id)
    try:
        answer = aws.client("codepipeline").start_pipeline_execution(**request)
    except (ClientError, ParamValidationError) as error:
        text = f"{execution.pipeline!r} was not started: {aws.trouble(error)}"
        if is_permanent(error):
            raise Permanent(text) from error
        raise Transient(text) from error
    logger.info(
        "started",
        pipeline=execution.pipeline,
        execution=answer["pipelineExecutionId"],
        event_id=event_id,
    )


def react(settings: Settings, event: Event) -> None:
    """Start what an event asks for. Raises `Permanent` for an event that asks for nothing."""
    match event.source, event.type:
        case "aws.ecr", "ECR Image Action":
            push = read_push(event)
            routes = entries(settings.routes_parameter, Route)
            starts = starts_for(push, routes)
            for_each(starts, partial(start, event.id))
        case "fleet", "Start Pipeline":
            requested = read_request(event)
            start(event.id, requested)
        case _:
            raise Permanent(f"an event of {event.source} / {event.type} starts no pipeline")


# {"source": "aws.ecr", "detail-type": "ECR Image Action", "id": "13cde686-...",
#  "account": "123456789012", "region": "eu-west-2",
#  "detail": {"action-type": "PUSH", "result": "SUCCESS", "repository-name": "shop-web",
#             "image-tag": "v1.4.2", "image-digest": "sha256:7f5b2640..."}}
# or
# {"source": "fleet", "detail-type": "Start Pipeline", "id": "5b0f19c2-...",
#  "detail": {"pipeline": "deploy-shop", "variables": {"IMAGE_TAG": "v1.4.2"},
#             "source_revisions": [{"action": "Source", "type": "COMMIT_ID", "value": "5e1f..."}]}}
@queued
def handler(message: Message) -> None:
    settings = load(Settings)
    for_each(message.events(), partial(react, settings))
