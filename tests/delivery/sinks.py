"""The three sinks in an account, ready to be given messages."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from functions.notify_pagerduty.app import handler as notify_pagerduty
from functions.notify_slack.app import handler as notify_slack
from functions.notify_webhook.app import handler as notify_webhook
from tools.local.destinations import (
    PAGERDUTY,
    ROUTING_KEY,
    SIGNING_KEY,
    SLACK,
    SLACK_TOKEN,
    SLACK_WEBHOOK,
    WEBHOOK,
    Destinations,
)

from fleet import aws


@dataclass(frozen=True, slots=True)
class Sink:
    """A sink that delivers to one destination."""

    name: str
    job: str
    handler: Callable[[Any, Any], dict[str, Any]]
    parameter: str
    entry: dict[str, str]
    secret: str


def sinks(url: str) -> dict[str, Sink]:
    """Return the sinks, by the destination to which they deliver; Slack has two."""
    return {
        SLACK: Sink(
            SLACK,
            "notify_slack",
            notify_slack,
            "ROUTES_PARAMETER",
            {"token": "/secret", "channel": "C1"},
            SLACK_TOKEN,
        ),
        SLACK_WEBHOOK: Sink(
            *(SLACK_WEBHOOK, "notify_slack", notify_slack, "ROUTES_PARAMETER"),
            {"webhook": "/secret"},
            f"{url}/services/T0/B0/hunter2",
        ),
        PAGERDUTY: Sink(
            PAGERDUTY,
            "notify_pagerduty",
            notify_pagerduty,
            "ROUTES_PARAMETER",
            {"key": "/secret"},
            ROUTING_KEY,
        ),
        WEBHOOK: Sink(
            *(WEBHOOK, "notify_webhook", notify_webhook, "ENDPOINTS_PARAMETER"),
            {"url": f"{url}/hook", "keys": "/secret"},
            SIGNING_KEY,
        ),
    }


def environment(sink: Sink) -> dict[str, str]:
    """Return what the template gives the sink."""
    return {"POWERTOOLS_SERVICE_NAME": sink.job, sink.parameter: "/entries"}


def configure(sink: Sink) -> None:
    """Put its list and its secret where it looks for them."""
    put("/entries", json.dumps([sink.entry]), "String")
    put("/secret", sink.secret, "SecureString")


def put(name: str, value: str, kind: Any = "SecureString") -> None:
    """Write an SSM parameter."""
    aws.client("ssm").put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)


def effects(destinations: Destinations, name: str) -> list[Any]:
    """Return what a destination accepted, oldest first."""
    return [delivery.body for delivery in destinations.of(name) if delivery.accepted]
