"""The console as a Lambda function, asked by a function URL or an HTTP API."""

import base64
import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from apig_wsgi import make_lambda_handler
from aws_lambda_powertools.metrics.provider.cold_start import reset_cold_start_flag
from flask import Response, request
from functions.console.app import _adapter, create_app, handler
from tests.conftest import Context
from tests.console.conftest import WRITE, Account, account, ago, failing  # noqa: F401 - a fixture

from fleet.settings import load
from fleet_console.responses import join_headers
from fleet_console.settings import Settings

Json = dict[str, Any]
URL: Json = json.loads((Path(__file__).parents[2] / "events" / "console.json").read_text())
OPERATOR = URL["requestContext"]["authorizer"]["iam"]["userArn"]


def of_url(method: str, path: str, body: Any = None, **headers: str) -> Json:
    """The event of a function URL."""
    event = copy.deepcopy(URL)
    event["rawPath"], _, event["rawQueryString"] = path.partition("?")
    event["requestContext"]["http"] |= {"method": method, "path": event["rawPath"]}
    event["headers"] |= {name.lower(): value for name, value in headers.items()}
    if body is not None:
        event["body"], event["headers"]["content-type"] = json.dumps(body), "application/json"
    return event


def of_http_api(method: str, path: str, body: Any = None, **headers: str) -> Json:
    """The event of an HTTP API, which differs in stage and route, and says more of the domain."""
    event = of_url(method, path, body, **headers)
    domain = "a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com"
    event["routeKey"] = event["requestContext"]["routeKey"] = "ANY /{proxy+}"
    event["pathParameters"] = {"proxy": event["rawPath"].lstrip("/")}
    event["headers"] |= {"host": domain, "content-length": str(len(event.get("body", "")))}
    event["requestContext"] |= {
        "apiId": "a1b2c3d4e5",
        "domainName": domain,
        "domainPrefix": "a1b2c3d4e5",
    }
    return event


@pytest.fixture(autouse=True)
def _cold() -> None:
    _adapter.cache_clear()


@pytest.mark.parametrize("event", [of_url, of_http_api])
def test_the_adapter_changes_nothing(
    account: Account,  # noqa: F811 - the fixture
    context: Context,
    event: Callable[..., Json],
) -> None:
    account.observe(failing("web ü", ago(hours=1)))
    client = create_app(identify=lambda _: OPERATOR).test_client()
    mute = {"pattern": "subject:web ü*", "reason": "ü", "until": "1h"}

    for path in (
        "/v1/live",
        "/v1/findings?limit=1&source=aws.cloudwatch",
        "/v1/nope",
        "/findings",
        "/v1/openapi.json",
    ):
        plain, adapted = client.get(path), handler(event("GET", path), context)
        assert adapted["statusCode"] == plain.status_code, path
        assert timeless(adapted["body"]) == timeless(plain.text), path
        assert adapted["headers"] == {name.lower(): value for name, value in plain.headers}
    made = json.loads(handler(event("POST", "/v1/mutes", mute, **WRITE), context)["body"])
    assert (made["pattern"], made["author"]) == (mute["pattern"], OPERATOR)
    assert handler(event("POST", "/v1/mutes", mute), context)["statusCode"] == 403


def timeless(page: str) -> str:
    """The text of a page without its times, which differ from one second to the next."""
    return re.sub(r"<time.*?</time>", "", page)


def test_who_did_not_sign_is_refused(account: Account, context: Context) -> None:  # noqa: F811
    event = of_url("GET", "/v1/mutes")
    del event["requestContext"]["authorizer"]

    assert handler(event, context)["statusCode"] == 403


@pytest.mark.parametrize("event", [{}, {"version": "1.0"}, {"Records": []}, None])
def test_what_is_no_request_fails(context: Context, event: Any) -> None:
    with pytest.raises(ValueError, match="expected a request as a function URL or an HTTP API"):
        handler(event, context)


def test_binary_bodies_and_repeated_headers_survive() -> None:
    app = create_app(load(Settings), identify=lambda _: OPERATOR)
    seen: list[bytes] = []

    @app.put("/echo")
    def echo() -> Response:
        seen.append(request.get_data())
        answer = Response(seen[-1], mimetype="application/octet-stream")
        for name, value in (
            ("Vary", "Accept"),
            ("Vary", "Cookie"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2, c"),
        ):
            answer.headers.add(name, value)
        return answer

    sent = bytes(range(256))
    event = of_url("PUT", "/echo", **WRITE) | {
        "body": base64.b64encode(sent).decode(),
        "isBase64Encoded": True,
    }

    answer = make_lambda_handler(join_headers(app.wsgi_app))(event, None)

    assert seen == [sent]
    assert (answer["isBase64Encoded"], base64.b64decode(answer["body"])) == (True, sent)
    assert answer["headers"]["vary"] == "Accept, Cookie"
    assert answer["cookies"] == ["a=1", "b=2, c"]


def test_a_cold_start_is_measured_once(
    capsys: pytest.CaptureFixture[str], context: Context
) -> None:
    reset_cold_start_flag()  # type: ignore[no-untyped-call]
    for _ in range(2):
        handler(of_url("GET", "/v1/live"), context)

    metrics = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line
    ]
    names = [
        m["Name"]
        for line in metrics
        for each in line["_aws"]["CloudWatchMetrics"]
        for m in each["Metrics"]
    ]
    assert sorted(names) == ["ColdStart", "FirstResponse"]
    assert (
        0 < next(line["FirstResponse"][0] for line in metrics if "FirstResponse" in line) < 60_000
    )
