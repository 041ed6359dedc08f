"""AWS services that the emulator lacks, answered by moto with IAM enforced.

The emulator gives each function a key derived from the function and its role. A request is allowed
when that role, as deployed in the emulator, allows the operation on the resource that the request
names.
"""

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from botocore.exceptions import BotoCoreError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from tools.local import moto_codepipeline as codepipeline
from tools.local.account import Account, credentials
from tools.local.call_log import CallLog, Decision
from tools.sandbox import ACCESS_KEY, ACCOUNT, REGION

SERVICES = ("acm", "codepipeline")
"""Each has an entry in `RESOURCES` too; requests to any other service go to the emulator."""

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/aws4_request")


def pipeline_arn(parameters: Mapping[str, Any]) -> str:
    """Return the resource that IAM checks for a CodePipeline request."""
    name = parameters.get("name") or parameters.get("pipelineName") or "*"
    return f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{name}"


def certificate_arn(parameters: Mapping[str, Any]) -> str:
    """Return the resource that IAM checks for an ACM request; listing has none."""
    return parameters.get("CertificateArn") or "*"


RESOURCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "acm": certificate_arn,
    "codepipeline": pipeline_arn,
}


@dataclass(frozen=True, slots=True)
class Caller:
    """A function of the fleet."""

    function: str
    role: str

    @property
    def session(self) -> str:
        """Return the ARN by which AWS names the function in its role."""
        _, _, role = self.role.rpartition("/")
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{self.function}"


class Gate:
    """WSGI application that lets a request through to moto when the caller's role allows it."""

    def __init__(self, account: Account, calls: CallLog) -> None:
        """Read callers and their rights from this account, and write down what was decided."""
        self._account = account
        self._calls = calls
        self._callers: dict[str, Caller] = {}
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        body = request.get_data()
        try:
            refusal = self._refusal(request, body)
        except BotoCoreError as error:  # the emulator is ending
            refusal = Response(str(error), status=503)
        if refusal:
            return refusal(environ, start_response)
        environ["wsgi.input"] = BytesIO(body)
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer

    def _refusal(self, request: Request, body: bytes) -> Response | None:
        credential = _CREDENTIAL.search(request.headers.get("Authorization", ""))
        if credential is None:
            return _refused("MissingAuthenticationTokenException", "Missing Authentication Token")
        key, service = credential.groups()
        if key == ACCESS_KEY:
            return None
        caller = self._caller(key)
        if caller is None:
            return _refused(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        _, _, operation = request.headers.get("X-Amz-Target", "").rpartition(".")
        action = f"{service}:{operation}"
        resource = "*"
        if service in RESOURCES:
            parameters = json.loads(body or b"{}")
            resource = RESOURCES[service](parameters)
        allowed = self._account.allowed(caller.role, action, resource)
        self._calls.add(Decision(key, action, resource, allowed))
        if allowed:
            return None
        return _refused(
            "AccessDeniedException",
            f"User: {caller.session} is not authorized to perform: {action} "
            f"on resource: {resource} because no identity-based policy allows the {action} action",
        )

    def _caller(self, key: str) -> Caller | None:
        if key not in self._callers:
            for name, function in self._account.functions().items():
                function_key = credentials(function)["aws_access_key_id"]
                self._callers[function_key] = Caller(name, function["Role"])
        return self._callers.get(key)


class _Silent(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Leave requests out of the fleet's output."""


@contextmanager
def serving(emulator: str, calls: CallLog) -> Iterator[dict[str, str]]:
    """Serve what the emulator at that address lacks; yield the variables that lead there."""
    codepipeline.install()
    gate = Gate(Account(emulator, {}), calls)
    server = make_server("127.0.0.1", 0, gate, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, name="moto", daemon=True)
    thread.start()
    try:
        yield {
            f"AWS_ENDPOINT_URL_{service.upper()}": f"http://127.0.0.1:{server.port}"
            for service in SERVICES
        }
    finally:
        server.shutdown()
        server.server_close()


def _refused(code: str, message: str) -> Response:
    body = json.dumps({"__type": code, "message": message})
    return Response(
        body,
        status=400,
        content_type="application/x-amz-json-1.1",
        headers={"x-amzn-ErrorType": code},
    )
