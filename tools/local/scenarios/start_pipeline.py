"""An image push that arrives twice, and requests for a pipeline that is free, one that is throttled
and none at all.
"""

from functools import partial
from typing import Any

from tools.local.fleet import Fleet, Tap, sample
from tools.local.moto_codepipeline import Start, add_pipeline, executions, starts, throttle
from tools.local.progress import expect

TRIGGER = "ECR push, event"
JOB = "start_pipeline"
ROUTES = """
- repository: shop-*
  tag: v*
  pipeline: deploy-shop
  variables: {IMAGE_URI: $image_uri, IMAGE_TAG: $tag, IMAGE_DIGEST: $digest}
  source_action: Image
- {repository: blog, pipeline: deploy-blog}
"""
LETTER = {"job", "reason", "error_type", "attempts", "first_seen", "source_arn"}


def seed(fleet: Fleet) -> None:
    """Create the pipelines, one of them busy, and route images to them."""
    for name in ("deploy-shop", "deploy-blog", "deploy-docs", "deploy-busy"):
        add_pipeline(name)
    throttle("deploy-busy", attempts=1)
    fleet.configure(JOB, "ROUTES_PARAMETER", ROUTES)


def play(fleet: Fleet) -> str:
    """Publish everything at once, then look at each."""
    push = sample(JOB)
    with fleet.tap(JOB, {"source": ["aws.ecr"]}) as tap:
        fleet.publish(request("deploy-busy"))
        fleet.publish(request("deploy-nowhere"))
        fleet.publish(request("deploy-docs", VERSION="7"))
        fleet.publish(push)
        redeliver(fleet, tap)
    docs = started(fleet, "deploy-docs")
    expect(docs.variables == {"VERSION": "7"}, f"deploy-docs was started with {docs.variables}")
    letter = fleet.wait_for(
        partial(parked, fleet, "deploy-nowhere"),
        "the request for an unknown pipeline was not parked",
    )
    expect(set(letter) >= LETTER, f"the dead letter lacks {LETTER - set(letter)}")
    fleet.wait_for(
        lambda: len(starts("deploy-shop")) > 1,
        "the second delivery of the push was not attended to",
    )
    check_push(push, started(fleet, "deploy-shop"))
    busy = started(fleet, "deploy-busy")
    waited = busy.at - starts("deploy-busy")[0].at
    return (
        "the push, delivered twice, started deploy-shop once; a request started deploy-docs; "
        "a request for an unknown pipeline was parked; "
        f"deploy-busy was throttled, and started {waited.total_seconds():.0f} s later"
    )


def request(pipeline: str, **variables: str) -> dict[str, Any]:
    """Return the event with which anyone asks for an execution."""
    detail = {"pipeline": pipeline, "variables": variables}
    return {"source": "fleet", "detail-type": "Start Pipeline", "detail": detail}


def redeliver(fleet: Fleet, tap: Tap) -> None:
    """Deliver the push once more, once it has had its effect."""
    event = tap.next("the push did not arrive on the bus")
    started(fleet, "deploy-shop")
    fleet.send(fleet.outputs["StartPipelineQueue"], event)


def parked(fleet: Fleet, pipeline: str) -> dict[str, str] | None:
    """Return the job's dead letter whose reason names the pipeline, if there is one."""
    letters = fleet.dead_letters(JOB)
    return next((letter for letter in letters if pipeline in letter["reason"]), None)


def started(fleet: Fleet, pipeline: str) -> Start:
    """Wait for the pipeline's execution, which must be the only one."""
    fleet.wait_for(lambda: executions(pipeline), f"{pipeline} was not started")
    begun = executions(pipeline)
    expect(len(begun) == 1, f"{pipeline} was started {len(begun)} times")
    return begun[0]


def check_push(push: dict[str, Any], start: Start) -> None:
    """Expect the execution to know which image was pushed."""
    tag, digest = push["detail"]["image-tag"], push["detail"]["image-digest"]
    expect(
        start.variables.get("IMAGE_TAG") == tag, f"deploy-shop was started with {start.variables}"
    )
    expect(
        start.variables.get("IMAGE_DIGEST") == digest,
        f"deploy-shop was started with {start.variables}",
    )
    expect(
        start.variables.get("IMAGE_URI", "").endswith(f":{tag}"),
        f"deploy-shop was started with {start.variables}",
    )
    revision = {"actionName": "Image", "revisionType": "IMAGE_DIGEST", "revisionValue": digest}
    expect(
        start.source_revisions == [revision],
        f"deploy-shop was started from {start.source_revisions}",
    )
