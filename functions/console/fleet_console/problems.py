"""Errors as answers: problem details (RFC 9457) in the API, pages elsewhere."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask, Response, current_app, json, render_template, request
from werkzeug.exceptions import (
    BadRequest,
    Conflict,
    HTTPException,
    InternalServerError,
    NotFound,
    ServiceUnavailable,
)

from fleet import aws, secrets
from fleet.dead_letters.causes import masked
from fleet.dead_letters.journal import NotRecorded
from fleet.ledger import table
from fleet.runtime.telemetry import logger
from fleet.settings import SettingsError

API = "/v1/"


class Invalid(BadRequest):
    """The request is wrong; the description names every fault."""


class Missing(NotFound):
    """What the request names does not exist."""


def handle_errors(app: Flask) -> None:
    """Answer every error of the application with what went wrong."""
    app.register_error_handler(Exception, _answer)


def problem(error: Exception) -> HTTPException:
    """Return what the reader may know of an error; the log has the rest."""
    match error:
        case HTTPException():
            return error
        case table.Conflict():
            return Conflict("somebody else has just changed it: look again, then repeat")
        case SettingsError() | NotRecorded():
            return ServiceUnavailable(str(error))
        case ClientError() | BotoCoreError():
            return ServiceUnavailable(masked(aws.trouble(error)))
    return InternalServerError("the console has a fault: its log says what happened")


def _answer(error: Exception) -> Response:
    found = problem(error)
    if (found.code or 500) >= 500:
        logger.error("request failed", path=request.path, detail=found.description, exc_info=error)
    answer = _as_response(found)
    for name, value in found.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer


def _as_response(problem: HTTPException) -> Response:
    status = problem.code or 500
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.name,
        "status": status,
        "detail": secrets.redact(problem.description or ""),
    }
    if request.path.startswith(API):
        return Response(json.dumps(document), status, mimetype="application/problem+json")
    page = render_template("problem.html", problem=document)
    return current_app.make_response((page, status))
