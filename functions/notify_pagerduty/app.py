"""Open and resolve PagerDuty incidents as alerts open and end.

Trigger: queue, fed by critical `fleet` / `Alert` events. Reads: routes in SSM, integration keys in
SSM. Writes: events of PagerDuty's Events API v2; what was delivered, in the ledger.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fleet import http, secrets
from fleet.alerts import Alert, AlertStatus
from fleet.deliveries import Destination, Memory, once
from fleet.findings import Severity, cut
from fleet.runtime.queued import Message, queued
from fleet.runtime.telemetry import logger
from fleet.settings import load
from fleet.sinks import Route, fit_alert, to_first_route

# https://developer.pagerduty.com/docs/events-api-v2/overview/: an event has at most 512 KB, its
# summary 1,024 characters, and an integration takes 120 events a minute.
EVENT_BYTES = 512_000
SUMMARY_CHARACTERS = 1_024
SPACING_SECONDS = 0.5
SEVERITIES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}


@dataclass(frozen=True, slots=True)
class Settings:
    """`routes_parameter` names the list of integrations; `pagerduty_url` takes the events."""

    ledger_table: str
    routes_parameter: str
    pagerduty_url: str = "https://events.pagerduty.com/v2/enqueue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration(Route):
    """Which alerts open incidents where: `key` names the SecureString with the integration key."""

    key: str


def event(alert: Alert, routing_key: str) -> dict[str, Any]:
    """Return the event of the Events API; only people acknowledge incidents, the fleet never does.

    https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
    """
    if alert.status is AlertStatus.RESOLVED:
        return {
            "routing_key": routing_key,
            "dedup_key": alert.dedup_key,
            "event_action": "resolve",
        }
    return {
        "routing_key": routing_key,
        "dedup_key": alert.dedup_key,
        "event_action": "trigger",
        "payload": {
            "summary": cut(alert.title, SUMMARY_CHARACTERS),
            "source": alert.source,
            "severity": SEVERITIES[alert.severity],
            "timestamp": alert.last_seen.isoformat(),
            "component": cut(alert.subject, SUMMARY_CHARACTERS),
            "group": alert.owner,
            "custom_details": {
                "status": alert.status.value,
                "count": alert.count,
                "first_seen": alert.first_seen.isoformat(),
                "facts": dict(alert.detail),
            },
        },
        "links": links(alert),
    }


def links(alert: Alert) -> list[dict[str, str]]:
    """Return the links of the alert that are not empty, as the Events API takes them."""
    console = {"href": alert.link, "text": "Console"}
    runbook = {"href": alert.runbook, "text": "Runbook"}
    return [link for link in (console, runbook) if link["href"]]


def is_overtaken(alert: Alert, memory: Memory) -> bool:
    """Whether a later alert was delivered first, so that this one would leave the incident wrong.

    A trigger after its resolution would open an incident that nothing resolves; a resolution after
    the next opening would resolve an incident that is still open.
    """
    began = alert.first_seen.astimezone(UTC)
    if alert.status is AlertStatus.RESOLVED:
        opened = memory.get("opened")
        return opened is not None and began < datetime.fromisoformat(opened)
    resolved = memory.get("resolved")
    return resolved is not None and began <= datetime.fromisoformat(resolved)


def remember(alert: Alert, memory: Memory) -> Memory:
    """Return the memory with the opening or resolution that was delivered, if none was later."""
    kind = "resolved" if alert.status is AlertStatus.RESOLVED else "opened"
    began = alert.first_seen.astimezone(UTC).isoformat(timespec="microseconds")
    latest = max(began, memory.get(kind, ""))
    return {**memory, kind: latest}


def post(url: str, alert: Alert, routing_key: str) -> None:
    """Post the alert's event. Raises what `fleet.http.post` raises."""

    def write(alert: Alert) -> bytes:
        return json.dumps(event(alert, routing_key.strip())).encode()

    body = fit_alert(alert, write, EVENT_BYTES)
    http.post(url, body, {"Content-Type": "application/json"})


def send(url: str, key: str, alert: Alert, memory: Memory) -> Memory:
    """Send the alert's event unless a later alert was delivered; return what to remember of it."""
    if is_overtaken(alert, memory):
        logger.warning("overtaken by a later alert", alert=alert.id, dedup_key=alert.dedup_key)
        return memory
    secrets.using(key, partial(post, url, alert))
    return remember(alert, memory)


def deliver(settings: Settings, alert: Alert, integration: Integration) -> bool:
    """Deliver an alert unless that was done before; return whether it was done now."""
    destination = Destination(
        table=settings.ledger_table,
        sink="pagerduty",
        name=integration.key,
        spacing=SPACING_SECONDS,
    )
    send_event = partial(send, settings.pagerduty_url, integration.key, alert)
    return once(destination, alert.dedup_key, alert.id, send_event)


@queued
def handler(message: Message) -> None:
    settings = load(Settings)
    to_first_route(
        message,
        settings.routes_parameter,
        Integration,
        partial(deliver, settings),
    )
