"""Errors as problem details (RFC 9457) in the API, and as pages elsewhere."""

from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, Response, json, render_template, request
from werkzeug.exceptions import HTTPException

from fleet import aws, secrets
from fleet.ledger.table import Conflict
from fleet.runtime.telemetry import logger
from fleet.settings import SettingsError

API = "/v1/"


class Problem(Exception):
    """What stands in the way of an answer: a status, and a sentence that names cause, value and mend."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Invalid(Problem):
    """The request is not as it must be."""

    def __init__(self, detail: object) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, str(detail))


class Missing(Problem):
    """There is no such thing."""

    def __init__(self, what: str) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, what)


def handle(app: Flask) -> None:
    """Let every error of the application become an answer that says what it is."""
    app.register_error_handler(Exception, _answer)


def _answer(error: Exception) -> Response:
    problem, headers = _problem_of(error)
    if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("request failed", path=request.path, detail=problem.detail, exc_info=error)
    answer = shown(problem)
    for name, value in headers:
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer


def _problem_of(error: Exception) -> tuple[Problem, list[tuple[str, str]]]:
    match error:
        case Problem():
            return error, []
        case HTTPException():
            status = HTTPStatus(error.code or 500)
            return Problem(status, error.description or status.description), list(error.get_headers())
        case Conflict():
            return Problem(HTTPStatus.CONFLICT, "somebody else has just changed it: look again, then repeat"), []
        case SettingsError():
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error)), []
        case ClientError():
            said = f"AWS refused {error.operation_name}: {aws.error_code(error)}"
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, said), []
        case BotoCoreError():
            return Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"AWS does not answer: {type(error).__name__}"), []
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the console has a fault; its log says which"), []


def shown(problem: Problem) -> Response:
    """Return the problem as whoever asks reads it."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": int(problem.status),
        "detail": secrets.redact(problem.detail),
    }
    if request.path.startswith(API):
        return Response(json.dumps(document), problem.status, mimetype="application/problem+json")
    return Response(render_template("problem.html", problem=document), problem.status)
