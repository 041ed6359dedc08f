"""What stands before moto lets a caller do what its role allows, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from tools.local.account import credentials
from tools.local.call_log import Call, CallLog
from tools.local.moto_services import Gate
from tools.sandbox import ACCESS_KEY
from werkzeug.test import Client

ROLE = "arn:aws:iam::123456789012:role/paused"
FUNCTION: Any = {"FunctionArn": "arn:aws:lambda:::function:paused", "Role": ROLE}
KEY = credentials(FUNCTION)["aws_access_key_id"]
PIPELINES = "arn:aws:codepipeline:eu-west-1:123456789012:"
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/1"


class Account:
    """An account with one function, whose role allows one action on one resource."""

    def __init__(self, action: str, resource: str) -> None:
        self.right = (ROLE, action, resource)

    def functions(self) -> dict[str, Any]:
        return {"paused": FUNCTION}

    def allowed(self, *right: str) -> bool:
        return right == self.right


class EndingAccount(Account):
    def allowed(self, *_: str) -> bool:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


def ask(account: Account, log: CallLog, key: str, operation: str, **parameters: str) -> Any:
    """Send a request as an AWS client would; return the answer."""
    service = "acm" if "Certificate" in operation else "codepipeline"
    headers = {"X-Amz-Target": f"Target.{operation}"}
    if key:
        scope = f"{key}/20261120/eu-west-1/{service}/aws4_request"
        headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, Signature=0"
    gate: Any = Gate
    client = Client(gate(account, log))
    return client.post("/", headers=headers, data=json.dumps(parameters))


@pytest.fixture
def log(tmp_path: Path) -> CallLog:
    return CallLog(tmp_path)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("", "MissingAuthenticationTokenException"),
        ("ASIAUNKNOWN", "UnrecognizedClientException"),
        (KEY, "AccessDeniedException"),
    ],
    ids=["unsigned", "unknown key", "without the right"],
)
def test_a_caller_without_rights_is_refused(log: CallLog, key: str, code: str) -> None:
    account = Account("codepipeline:GetPipeline", f"{PIPELINES}web")

    answer = ask(account, log, key, "GetPipeline", name="data")

    assert answer.status_code == 400
    assert json.loads(answer.data)["__type"] == code


@pytest.mark.parametrize(
    ("operation", "parameters", "resource"),
    [
        ("GetPipeline", {"name": "web"}, f"{PIPELINES}web"),
        ("DisableStageTransition", {"pipelineName": "web"}, f"{PIPELINES}web"),
        ("ListPipelines", {}, f"{PIPELINES}*"),
        ("DescribeCertificate", {"CertificateArn": CERTIFICATE}, CERTIFICATE),
        ("ListCertificates", {}, "*"),
    ],
)
def test_a_decision_is_about_the_resource_that_the_request_names(
    log: CallLog, operation: str, parameters: dict[str, str], resource: str
) -> None:
    ask(Account("", ""), log, KEY, operation, **parameters)

    (call,) = log.since(0, {KEY: "paused"})
    service = "acm" if "Certificate" in operation else "codepipeline"
    assert call == Call("paused", f"{service}:{operation}", resource, allowed=False)


@pytest.mark.usefixtures("moto")
@pytest.mark.parametrize("key", [KEY, ACCESS_KEY], ids=["a function", "the operator"])
def test_a_caller_with_the_right_is_answered_by_moto(log: CallLog, key: str) -> None:
    account = Account("acm:ListCertificates", "*")

    answer = ask(account, log, key, "ListCertificates")

    assert answer.status_code == 200
    assert json.loads(answer.data)["CertificateSummaryList"] == []


def test_a_request_while_the_emulator_ends_may_be_tried_again(log: CallLog) -> None:
    answer = ask(EndingAccount("", ""), log, KEY, "ListCertificates")

    assert answer.status_code == 503
