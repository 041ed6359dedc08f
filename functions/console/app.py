"""Show the fleet to its operators, and let them run jobs, mute alerts and redrive dead letters.

Trigger: HTTP, from callers whom IAM permits; not deployed by default. Reads: the ledger, schedules,
queues, logs, functions' settings. Writes: mutes, dead letters, invocations, messages to the jobs'
queues. The same application runs on any WSGI server.
"""

import functools
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from apig_wsgi import make_lambda_handler
from flask import Flask

if find_spec("fleet") is None:  # a checkout: the layer stands in `shared`, the tools in the root
    ROOT = Path(__file__).resolve().parents[2]
    sys.path += [str(ROOT / "shared"), str(ROOT)]

from fleet.runtime.telemetry import instrumented, metrics
from fleet.settings import load
from fleet_console import api, context, pages, problems, responses, security
from fleet_console.reading import Reading
from fleet_console.security import Identify
from fleet_console.settings import Settings

LARGEST_BODY = 262_144  # bytes


def create_app(settings: Settings | None = None, identify: Identify | None = None) -> Flask:
    """Make the application.

    `identify` says who sent a request, or None; without it, the settings say how that is known.
    Raises `SettingsError` for settings in the environment that are wrong.
    """
    settings = settings or load(Settings)
    app = Flask("fleet_console")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.response_class = responses.EncodableResponse
    app.json.sort_keys = False  # type: ignore[attr-defined] # the default provider has it
    context.install(app, Reading(settings))
    security.protect(app, settings, identify)
    problems.handle_errors(app)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(pages.blueprint)
    return app


@instrumented
def handler(event: Any, context: Any) -> dict[str, Any]:
    """Answer a request to the function's URL or to an HTTP API, both in format 2.0."""
    if not _is_request(event):
        raise ValueError(
            "expected a request as a function URL or an HTTP API (format 2.0) has it, "
            f"got {event!r:.200}"
        )
    adapters = _adapter.cache_info().currsize
    started = time.perf_counter()
    adapter = _adapter()
    response = adapter(event, context)
    if not adapters:
        seconds = time.perf_counter() - started
        metrics.add_metric(name="FirstResponse", unit="Milliseconds", value=seconds * 1000)
    return response


def _is_request(event: Any) -> bool:
    if not isinstance(event, dict):
        return False
    request_context = event.get("requestContext", {})
    return event.get("version") == "2.0" and "http" in request_context


@functools.cache  # lives as long as the process
def _adapter() -> Callable[[Any, Any], dict[str, Any]]:
    app = create_app(identify=security.iam_identity)
    return make_lambda_handler(responses.join_headers(app.wsgi_app))
