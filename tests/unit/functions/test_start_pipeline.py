import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber
from functions.start_pipeline.app import (
    Push,
    Revision,
    Route,
    Settings,
    Start,
    handler,
    might_take,
    react,
    read_push,
    read_request,
    start,
    starts_for,
)
from tests.conftest import Context
from tools.local import moto_codepipeline as codepipeline

from fleet import aws
from fleet.errors import Permanent, Transient
from fleet.events import Event
from fleet.lists import Entries, parse_entries

DIGEST = "sha256:7f5b2640fe6fb4f46592dfd3410c4a797f5b2640fe6fb4f46592dfd3410c4a79"
IMAGE = "123456789012.dkr.ecr.eu-west-2.amazonaws.com/shop-web"
PUSHED = Path(__file__).parents[2] / "events" / "start_pipeline.json"
ROUTES = "/fleet/start_pipeline/routes"
Json = dict[str, Any]


def push(
    tag: str | None = "v1",
    repository: str = "shop-web",
    region: str = "eu-west-2",
    event_id: str = "e1",
) -> Event:
    tagged = {} if tag is None else {"image-tag": tag}
    detail = {
        "result": "SUCCESS",
        "repository-name": repository,
        "image-digest": DIGEST,
        "action-type": "PUSH",
        **tagged,
    }
    return Event("aws.ecr", "ECR Image Action", event_id, "123456789012", region, detail=detail)


def request(**detail: Any) -> Event:
    return Event("fleet", "Start Pipeline", "e1", detail=detail)


def started_by(event: Event, *routes: Route) -> list[Start]:
    return list(starts_for(read_push(event), Entries(routes, ())))


@pytest.mark.parametrize(
    ("event", "uri", "tag"),
    [
        pytest.param(push("v1"), f"{IMAGE}:v1", "v1", id="tagged"),
        pytest.param(push(None), f"{IMAGE}@{DIGEST}", "", id="untagged"),
        pytest.param(push(""), f"{IMAGE}@{DIGEST}", "", id="empty tag"),
        pytest.param(
            push(region="cn-north-1"),
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/shop-web:v1",
            "v1",
            id="China",
        ),
    ],
)
def test_a_push_names_its_image(event: Event, uri: str, tag: str) -> None:
    assert read_push(event) == Push(uri, "shop-web", tag, DIGEST)


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"repository-name": "shop-web"},
        {"image-digest": DIGEST},
        {"repository-name": None, "image-digest": DIGEST},
        {"repository-name": "shop-web", "image-digest": DIGEST, "image-tag": 5},
    ],
    ids=["empty", "no digest", "no repository", "null", "tag a number"],
)
def test_a_push_of_another_shape_is_permanent(detail: Json) -> None:
    with pytest.raises(Permanent, match="ECR event"):
        read_push(Event("aws.ecr", "ECR Image Action", "e1", detail=detail))


@pytest.mark.parametrize(
    ("repository", "tag", "event", "matches"),
    [
        pytest.param("shop-web", "v1", push("v1"), True, id="by name"),
        pytest.param("shop-*", "v?", push("v1"), True, id="by globs"),
        pytest.param(
            "team/*", "?*", push(repository="team/a/b"), True, id="a star crosses slashes"
        ),
        pytest.param("shop-[aw]*", "?*", push(), True, id="by choice"),
        pytest.param("shop", "?*", push(), False, id="no part of a name"),
        pytest.param("SHOP-WEB", "?*", push(), False, id="case counts"),
        pytest.param("shop-web", "v1", push("v1.2"), False, id="no part of a tag"),
        pytest.param("shop-web", "release-*", push("v1"), False, id="another tag"),
        pytest.param("shop-web", "?*", push(None), False, id="untagged"),
        pytest.param("shop-web", "*", push(None), True, id="untagged, when asked for"),
        pytest.param("shop-web", "", push(None), True, id="only untagged"),
        pytest.param("shop-web", "", push("v1"), False, id="tagged is not untagged"),
    ],
)
def test_a_route_matches_by_repository_and_tag(
    repository: str, tag: str, event: Event, matches: bool
) -> None:
    assert started_by(event, Route(repository, "deploy", tag)) == (
        [Start("deploy")] if matches else []
    )


def test_a_route_that_names_no_tag_takes_any_but_none() -> None:
    route = Route("shop-web", "deploy")
    assert (started_by(push("v1"), route), started_by(push(None), route)) == ([Start("deploy")], [])


def test_variables_are_filled_from_the_push() -> None:
    variables = {
        "URI": "$image_uri",
        "TEXT": "${repository}:$tag is new",
        "DIGEST": "$digest",
        "PRICE": "$$5",
    }
    (wanted,) = started_by(push("v1"), Route("*", "deploy", variables=variables))
    assert wanted.variables == {
        "URI": f"{IMAGE}:v1",
        "TEXT": "shop-web:v1 is new",
        "DIGEST": DIGEST,
        "PRICE": "$5",
    }


def test_what_a_tag_says_is_never_a_variable_itself() -> None:
    (wanted,) = started_by(push("$digest"), Route("*", "deploy", variables={"TAG": "$tag"}))
    assert wanted.variables == {"TAG": "$digest"}


def test_a_source_action_takes_the_pushed_digest() -> None:
    (wanted,) = started_by(push(), Route("*", "deploy", source_action="Image"))
    assert wanted.source_revisions == (Revision("Image", "IMAGE_DIGEST", DIGEST),)


def test_of_several_routes_to_a_pipeline_the_first_that_matches_counts() -> None:
    routes = (
        Route("other", "deploy", variables={"BY": "another repository"}),
        Route("shop-*", "deploy", variables={"BY": "first"}),
        Route("*", "deploy", variables={"BY": "second"}),
        Route("*", "scan", variables={"BY": "another pipeline"}),
    )
    wanted = {one.pipeline: one.variables["BY"] for one in started_by(push(), *routes)}
    assert wanted == {"deploy": "first", "scan": "another pipeline"}
    assert len(started_by(push(), *routes)) == 2


@pytest.mark.parametrize(
    "variable",
    ["$nope", "${image_uri", "$5", "$", "$image_uri_x"],
    ids=["unknown", "unclosed", "number", "bare", "longer"],
)
def test_a_variable_that_cannot_be_filled_makes_the_route_unusable(variable: str) -> None:
    text = json.dumps([{"repository": "*", "pipeline": "deploy", "variables": {"URI": variable}}])
    routes = parse_entries(text, Route, "routes")
    assert routes.usable == ()
    assert (
        "the variable URI may use $image_uri, $repository, $tag, $digest; got"
        in routes.faults[0].reason
    )


@pytest.mark.parametrize(
    ("route", "matters"),
    [
        pytest.param("{repository: shop-web}", True, id="this repository"),
        pytest.param("{repository: 'shop-*', pipelin: x}", True, id="a glob of this repository"),
        pytest.param("{repository: other, pipelin: x}", False, id="another repository"),
        pytest.param(
            "{repository: shop-web, tag: 'release-*', pipelin: x}", False, id="another tag"
        ),
        pytest.param(
            "{repository: shop-web, tag: 5, pipelin: x}", True, id="a tag that cannot be read"
        ),
        pytest.param("{repository: 5}", True, id="a repository that cannot be read"),
        pytest.param("{pipeline: deploy}", True, id="no repository"),
        pytest.param("just text", True, id="no mapping"),
    ],
)
def test_an_unusable_route_matters_only_to_pushes_it_might_be_meant_for(
    route: str, matters: bool
) -> None:
    (fault,) = parse_entries(f"- {route}", Route, "routes").faults
    assert might_take(fault.entry, read_push(push("v1"))) is matters


def test_a_push_starts_what_the_usable_routes_say_before_the_unusable_are_reported() -> None:
    routes = parse_entries(
        "[{repository: '*'}, {repository: '*', pipeline: deploy}, oops]", Route, "routes"
    )
    starts = starts_for(read_push(push()), routes)
    assert next(starts) == Start("deploy")
    with pytest.raises(
        Permanent, match="entry 1 of routes: pipeline: required field missing; entry 3 of routes: "
    ):
        next(starts)


def test_a_request_starts_what_it_says() -> None:
    revision = {"action": "Source", "type": "COMMIT_ID", "value": "5e1f"}
    event = request(pipeline="deploy", variables={"A": "1"}, source_revisions=[revision])
    assert read_request(event) == Start(
        "deploy", {"A": "1"}, (Revision("Source", "COMMIT_ID", "5e1f"),)
    )
    assert read_request(request(pipeline="deploy")) == Start("deploy")


@pytest.mark.parametrize(
    ("detail", "message"),
    [
        pytest.param({}, "pipeline: required field missing", id="empty"),
        pytest.param({"pipeline": 5}, "pipeline: expected text, got 5", id="name a number"),
        pytest.param({"pipeline": "x", "variable": {}}, "unknown: variable", id="extra key"),
        pytest.param(
            {"pipeline": "x", "variables": {"A": 1}}, "expected text, got 1", id="variable a number"
        ),
        pytest.param(
            {"pipeline": "x", "variables": "A=1"},
            "variables: expected a mapping",
            id="variables text",
        ),
        pytest.param(
            {"pipeline": "x", "source_revisions": [{}]}, "action: required", id="empty revision"
        ),
        pytest.param(
            {"pipeline": "x", "source_revisions": [{"action": "a", "type": "TAG", "value": "v"}]},
            "TAG",
            id="revision type",
        ),
    ],
)
def test_a_request_of_another_shape_is_permanent(detail: Json, message: str) -> None:
    with pytest.raises(Permanent, match="the event's detail: ") as raised:
        read_request(request(**detail))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "event",
    [
        Event("aws.s3", "ObjectCreated:Put", "e1"),
        Event("aws.sns", "Notification", "e1"),
        Event("somebody", "Start Pipeline", "e1"),
        Event("aws.ecr", "ECR Image Scan", "e1"),
    ],
    ids=["S3", "SNS", "another source", "another type"],
)
def test_any_other_event_is_permanent(event: Event) -> None:
    with pytest.raises(
        Permanent, match=f"an event of {event.source} / {event.type} starts no pipeline"
    ):
        react(Settings("/routes"), event)


@pytest.fixture
def pipelines(moto: None) -> None:
    codepipeline.install()
    for name in ("deploy", "scan"):
        codepipeline.add_pipeline(name)


@pytest.mark.usefixtures("pipelines")
def test_an_execution_is_started_with_its_variables_and_revisions() -> None:
    start("e1", Start("deploy", {"TAG": "v1"}, (Revision("Image", "IMAGE_DIGEST", DIGEST),)))
    (call,) = codepipeline.starts("deploy")
    assert call.variables == {"TAG": "v1"}
    assert call.source_revisions == [
        {"actionName": "Image", "revisionType": "IMAGE_DIGEST", "revisionValue": DIGEST}
    ]


@pytest.mark.usefixtures("pipelines")
def test_the_same_event_and_pipeline_always_have_the_same_token_and_no_others_do() -> None:
    for pipeline, event_id in [
        ("deploy", "e1"),
        ("deploy", "e1"),
        ("deploy", "e2"),
        ("scan", "e1"),
        ("scan", "e2"),
    ]:
        start(event_id, Start(pipeline))
    tokens = [call.token for name in ("deploy", "scan") for call in codepipeline.starts(name)]
    assert tokens[0] == tokens[1] == "c16c63a4-67a3-5c75-b889-5c3444f2c09b"
    assert len(set(tokens)) == 4
    assert len(codepipeline.executions("deploy")) == 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("PipelineNotFoundException", Permanent),
        ("ValidationException", Permanent),
        ("ThrottlingException", Transient),
        ("ConcurrentPipelineExecutionsLimitExceededException", Transient),
        ("ConflictException", Transient),
        ("AccessDeniedException", Transient),
        ("InternalFailure", Transient),
    ],
)
def test_a_refused_start_is_hopeless_or_not(
    code: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    client = aws.client("codepipeline")
    stub = Stubber(client)
    for _ in range(5):  # botocore itself tries some of them again
        stub.add_client_error("start_pipeline_execution", code)
    with stub, pytest.raises(kind, match=f"'deploy' was not started: .*{code}"):
        start("e1", Start("deploy"))


@pytest.mark.parametrize(
    "wanted",
    [Start(""), Start("deploy", {"": "x"}), Start("deploy", {"A": ""})],
    ids=["no name", "no variable name", "empty variable"],
)
@pytest.mark.usefixtures("pipelines")
def test_what_codepipeline_can_never_take_is_permanent(wanted: Start) -> None:
    with pytest.raises(Permanent, match="was not started: "):
        start("e1", wanted)


@pytest.fixture
def job(pipelines: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """The job in its account; call it with the routes to put them there."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "start_pipeline")
    monkeypatch.setenv("ROUTES_PARAMETER", ROUTES)

    def route(text: str) -> None:
        aws.client("ssm").put_parameter(Name=ROUTES, Type="String", Value=text)

    return route


Job = Callable[[str], None]
DeadLetters = Callable[[], list[Json]]
SqsEvent = Callable[..., Json]


def eventbridge(event: Event) -> str:
    return json.dumps(
        {
            "source": event.source,
            "detail-type": event.type,
            "id": event.id,
            "account": event.account,
            "region": event.region,
            "detail": event.detail,
        }
    )


def failed(answer: Json) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def reasons(dead_letters: DeadLetters) -> list[str]:
    return [message["MessageAttributes"]["reason"]["StringValue"] for message in dead_letters()]


def test_a_pushed_image_starts_its_pipeline(job: Job, context: Context) -> None:
    job(
        "[{repository: shop-*, tag: v*, pipeline: deploy, "
        "variables: {URI: $image_uri}, source_action: Image}]"
    )
    assert failed(handler(json.loads(PUSHED.read_text()), context)) == []
    (call,) = codepipeline.executions("deploy")
    assert call.variables == {"URI": f"{IMAGE}:v1.4.2"}
    assert call.source_revisions[0]["revisionValue"] == DIGEST
    assert codepipeline.starts("scan") == []


def test_an_event_delivered_again_starts_its_pipeline_once(job: Job, context: Context) -> None:
    job("[{repository: '*', pipeline: deploy}]")
    for message_id in ("first", "second"):
        event = json.loads(PUSHED.read_text())
        event["Records"][0]["messageId"] = message_id
        assert failed(handler(event, context)) == []
    assert len(codepipeline.starts("deploy")) == 2
    assert len(codepipeline.executions("deploy")) == 1


def test_a_push_without_a_route_is_done(
    job: Job, context: Context, dead_letters: DeadLetters
) -> None:
    job("[]")
    assert failed(handler(json.loads(PUSHED.read_text()), context)) == []
    assert dead_letters() == []


def test_a_request_starts_its_pipeline_without_any_routes(
    job: Job, context: Context, sqs_event: SqsEvent
) -> None:
    assert failed(handler(sqs_event(eventbridge(request(pipeline="deploy"))), context)) == []
    assert len(codepipeline.executions("deploy")) == 1


def test_an_event_without_an_id_is_parked(
    job: Job, context: Context, sqs_event: SqsEvent, dead_letters: DeadLetters
) -> None:
    """Its token would be that of every such event, so that only the first would start anything."""
    body = json.dumps(
        {"source": "fleet", "detail-type": "Start Pipeline", "detail": {"pipeline": "deploy"}}
    )
    assert failed(handler(sqs_event(body), context)) == []
    assert codepipeline.starts("deploy") == []
    assert len(dead_letters()) == 1


def test_an_unknown_pipeline_among_several_is_parked_and_the_others_are_started(
    job: Job, context: Context, dead_letters: DeadLetters
) -> None:
    names = ("deploy", "gone", "scan")
    job(json.dumps([{"repository": "*", "pipeline": name} for name in names]))
    assert failed(handler(json.loads(PUSHED.read_text()), context)) == []
    assert [len(codepipeline.executions(name)) for name in ("deploy", "scan")] == [1, 1]
    (reason,) = reasons(dead_letters)
    assert reason.startswith("'gone' was not started: ")


def test_a_throttled_pipeline_is_tried_again_before_an_unknown_one_is_given_up(
    job: Job, context: Context, dead_letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    job("[{repository: '*', pipeline: deploy}, {repository: '*', pipeline: gone}]")
    codepipeline.throttle("deploy", 1)
    event = json.loads(PUSHED.read_text())
    assert failed(handler(event, context)) == [event["Records"][0]["messageId"]]
    assert dead_letters() == []
    assert failed(handler(event, context)) == []
    assert len(codepipeline.executions("deploy")) == 1
    assert len(dead_letters()) == 1


def test_an_unusable_route_parks_the_push_after_the_others_were_followed(
    job: Job, context: Context, dead_letters: DeadLetters
) -> None:
    job("[{repository: shop-web, pipline: scan}, {repository: shop-web, pipeline: deploy}]")
    assert failed(handler(json.loads(PUSHED.read_text()), context)) == []
    assert len(codepipeline.executions("deploy")) == 1
    (reason,) = reasons(dead_letters)
    assert reason.startswith(f"entry 1 of the SSM parameter {ROUTES}: ")
    assert "pipeline: required field missing" in reason
    assert "unknown: pipline" in reason


def test_one_wrong_event_in_a_message_does_not_stop_the_others(
    job: Job, context: Context, sqs_event: SqsEvent, dead_letters: DeadLetters
) -> None:
    wrong, right = (
        eventbridge(request(**detail)) for detail in ({"pipline": "scan"}, {"pipeline": "deploy"})
    )
    records = [{"eventSource": "aws:sqs", "body": body} for body in (wrong, right)]
    assert failed(handler(sqs_event(json.dumps({"Records": records})), context)) == []
    assert len(codepipeline.executions("deploy")) == 1
    assert len(dead_letters()) == 1


@pytest.mark.parametrize("routes", [None, "repository: x"], ids=["missing", "no list"])
def test_routes_that_cannot_be_read_leave_the_push_in_its_queue(
    routes: str | None, job: Job, context: Context, dead_letters: DeadLetters
) -> None:
    if routes:
        job(routes)
    event = json.loads(PUSHED.read_text())
    assert failed(handler(event, context)) == [event["Records"][0]["messageId"]]
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "5"
    assert failed(handler(event, context)) == []
    (reason,) = reasons(dead_letters)
    assert reason.startswith(f"the SSM parameter {ROUTES} ")


def test_a_missing_setting_is_named(
    job: Job,
    context: Context,
    sqs_event: SqsEvent,
    dead_letters: DeadLetters,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ROUTES_PARAMETER")
    handler(sqs_event(eventbridge(push()), attempts=5), context)
    assert reasons(dead_letters) == ["the environment: ROUTES_PARAMETER must be set"]


def test_one_poison_message_of_ten_does_not_stop_the_others(
    job: Job, context: Context, sqs_event: SqsEvent, dead_letters: DeadLetters
) -> None:
    job("[{repository: '*', pipeline: deploy}]")
    bodies = [eventbridge(push(event_id=f"e{number}")) for number in range(9)]
    assert failed(handler(sqs_event(*bodies[:4], "not JSON", *bodies[4:]), context)) == []
    assert len(codepipeline.executions("deploy")) == 9
    (message,) = dead_letters()
    assert message["Body"] == "not JSON"
