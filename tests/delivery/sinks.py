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
    all_sinks = [
        Sink(
            name=SLACK,
            job="notify_slack",
            handler=notify_slack,
            parameter="ROUTES_PARAMETER",
            entry={"token": "/secret", "channel": "C1"},
            secret=SLACK_TOKEN,
        ),
        Sink(
            name=SLACK_WEBHOOK,
            job="notify_slack",
            handler=notify_slack,
            parameter="ROUTES_PARAMETER",
            entry={"webhook": "/secret"},
            secret=f"{url}/services/T0/B0/hunter2",
        ),
        Sink(
            name=PAGERDUTY,
            job="notify_pagerduty",
            handler=notify_pagerduty,
            parameter="ROUTES_PARAMETER",
            entry={"key": "/secret"},
            secret=ROUTING_KEY,
        ),
        Sink(
            name=WEBHOOK,
            job="notify_webhook",
            handler=notify_webhook,
            parameter="ENDPOINTS_PARAMETER",
            entry={"url": f"{url}/hook", "keys": "/secret"},
            secret=SIGNING_KEY,
        ),
    ]
    return {sink.name: sink for sink in all_sinks}


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
