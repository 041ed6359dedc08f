"""Show the fleet to its operators, and let them run jobs, mute alerts and redrive dead letters.

Trigger: HTTP, from whoever IAM permits; not deployed by default. Reads: the ledger, schedules, queues, logs. Writes:
mutes, dead letters, invocations, messages to the jobs' queues. The same application runs on any WSGI server.
"""

import functools
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from apig_wsgi import make_lambda_handler
from flask import Flask, Request

if find_spec("fleet") is None:  # a checkout: the layer stands in `shared`, the tools in the root
    ROOT = Path(__file__).resolve().parents[2]
    sys.path += [str(ROOT / "shared"), str(ROOT)]

from fleet.runtime.telemetry import instrumented, metrics
from fleet.settings import load
from fleet_console import api, pages, problems, security, showing
from fleet_console.operating import Operations
from fleet_console.reading import Reading
from fleet_console.settings import Settings

LARGEST_BODY = 262_144
Identify = Callable[[Request], str | None]


def create_app(settings: Settings | None = None, identify: Identify | None = None) -> Flask:
    """Make the application. `identify` says who asks; without it, the settings say how that is known."""
    settings = settings or load(Settings)
    app = Flask("fleet_console")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.response_class = showing.Encoded
    app.json.sort_keys = False  # type: ignore[attr-defined] # the default provider has it
    reading = Reading(settings)
    app.extensions["reading"] = reading
    app.extensions["operations"] = Operations(reading)
    security.protect(app, settings, identify)
    problems.handle(app)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(pages.blueprint)
    return app


def joined(app: Callable[..., Any]) -> Callable[..., Any]:
    """Put repeated headers into one, as HTTP permits: the adapter keeps only the last of them."""

    def wrapped(environ: Any, start_response: Callable[..., Any]) -> Any:
        def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
            single: dict[str, str] = {}
            for name, value in headers:
                if (
                    name.lower() != "set-cookie"
                ):  # cookies cannot be joined, and have a list of their own
                    single[name.lower()] = (
                        f"{single[name.lower()]}, {value}" if name.lower() in single else value
                    )
            cookies = [(name, value) for name, value in headers if name.lower() == "set-cookie"]
            return start_response(status, [*single.items(), *cookies], error)

        return app(environ, start)

    return wrapped


@functools.cache
def _adapter() -> Callable[[Any, Any], dict[str, Any]]:
    app = create_app(identify=security.of_iam)
    return make_lambda_handler(joined(app.wsgi_app))


@instrumented
def handler(event: Any, context: Any) -> dict[str, Any]:
    if (
        not isinstance(event, dict)
        or event.get("version") != "2.0"
        or "http" not in event.get("requestContext", {})
    ):
        raise ValueError(
            f"expected a request as a function URL or an HTTP API (format 2.0) has it, got {event!r:.200}"
        )
    if _adapter.cache_info().currsize:
        return _adapter()(event, context)
    started = time.perf_counter()
    response = _adapter()(event, context)
    metrics.add_metric(
        name="FirstResponse", unit="Milliseconds", value=(time.perf_counter() - started) * 1000
    )
    return response
