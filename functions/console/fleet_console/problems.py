"""Errors as problem details (RFC 9457) in the API, and as pages elsewhere."""

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
from fleet.dead_letters.journal import NotRecorded
from fleet.ledger import table
from fleet.runtime.telemetry import logger
from fleet.settings import SettingsError

API = "/v1/"


class Invalid(BadRequest):
    """The request is not as it must be; the description names every fault."""


class Missing(NotFound):
    """There is no such thing."""


def handle(app: Flask) -> None:
    """Let every error of the application become an answer that says what it is."""
    app.register_error_handler(Exception, _answer)


def _answer(error: Exception) -> Response:
    found = problem(error)
    if (found.code or 500) >= 500:
        logger.error("request failed", path=request.path, detail=found.description, exc_info=error)
    answer = _shown(found)
    for name, value in found.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            answer.headers[name] = value
    return answer


def problem(error: Exception) -> HTTPException:
    """Return what of an error its reader may know; the log has the rest."""
    match error:
        case HTTPException():
            return error
        case table.Conflict():
            return Conflict("somebody else has just changed it: look again, then repeat")
        case SettingsError() | NotRecorded():
            return ServiceUnavailable(str(error))
        case ClientError():
            return ServiceUnavailable(
                f"AWS refused {error.operation_name}: {aws.error_code(error)}"
            )
        case BotoCoreError():
            return ServiceUnavailable(f"AWS does not answer: {type(error).__name__}")
    return InternalServerError("the console has a fault; its log says which")


def _shown(problem: HTTPException) -> Response:
    status = problem.code or 500
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": problem.name,
        "status": status,
        "detail": secrets.redact(problem.description or ""),
    }
    if request.path.startswith(API):
        return Response(json.dumps(document), status, mimetype="application/problem+json")
    return current_app.make_response((render_template("problem.html", problem=document), status))
