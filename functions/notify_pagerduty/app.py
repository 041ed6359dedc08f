"""Open and resolve PagerDuty incidents as alerts open and end.

Trigger: queue, fed by critical `fleet` / `Alert` events. Reads: routes in SSM, integration keys in SSM.
Writes: events of PagerDuty's Events API v2; what was delivered, in the ledger.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from fleet import http, secrets
from fleet.alerts import Alert, AlertStatus
from fleet.deliveries import Destination, Memory, once
from fleet.findings import Severity, cut
from fleet.runtime.queued import Message, for_each, queued
from fleet.runtime.telemetry import count, logger
from fleet.settings import entries, load
from fleet.sinks import Route, alerts, first, fitted

# Of the Events API v2: 512 KB an event, a summary of 1,024 characters, and 120 events a minute for each integration.
EVENT_BYTES = 512_000
SUMMARY_CHARACTERS = 1_024
SPACING_SECONDS = 0.5
SEVERITIES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}


@dataclass(frozen=True, slots=True)
class Settings:
    ledger_table: str
    routes_parameter: str
    pagerduty_url: str = "https://events.pagerduty.com/v2/enqueue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration(Route):
    """Which alerts open incidents of which service; `key` names the SecureString with its integration key."""

    key: str


def event(alert: Alert, routing_key: str) -> bytes:
    """The event of the Events API. People acknowledge incidents; the fleet never does."""
    target = {"routing_key": routing_key, "dedup_key": alert.dedup_key}
    if alert.status is AlertStatus.RESOLVED:
        return json.dumps({**target, "event_action": "resolve"}).encode()
    links = {"Console": alert.link, "Runbook": alert.runbook}
    payload = {
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
    }
    shown = [{"href": href, "text": text} for text, href in links.items() if href]
    return json.dumps(
        {**target, "event_action": "trigger", "payload": payload, "links": shown}
    ).encode()


def overtaken(alert: Alert, memory: Memory) -> bool:
    """Whether a later transition was delivered first, so that this one would leave the incident wrong for good.

    A trigger after its resolution would open an incident that nothing resolves; a resolution after the next opening
    would resolve an incident that still stands.
    """
    began = alert.first_seen.astimezone(UTC)
    if alert.status is AlertStatus.RESOLVED:
        return "opened" in memory and began < datetime.fromisoformat(memory["opened"])
    return "resolved" in memory and began <= datetime.fromisoformat(memory["resolved"])


def deliver(alert: Alert, integration: Integration, url: str, memory: Memory) -> Memory:
    """Send the alert's event, unless it was overtaken; remember which opening and resolution came last."""
    if overtaken(alert, memory):
        logger.warning("overtaken by a later alert", alert=alert.id, dedup_key=alert.dedup_key)
        return memory

    def send(routing_key: str) -> None:
        body = fitted(alert, lambda shown: event(shown, routing_key.strip()), EVENT_BYTES)
        http.post(url, body, {"Content-Type": "application/json"})

    secrets.using(integration.key, send)
    came_last = "resolved" if alert.status is AlertStatus.RESOLVED else "opened"
    return {
        **memory,
        came_last: max(
            memory.get(came_last, ""),
            alert.first_seen.astimezone(UTC).isoformat(timespec="microseconds"),
        ),
    }


@queued
def handler(message: Message) -> None:
    settings = load(Settings)

    def attend(alert: Alert) -> None:
        routes = entries(settings.routes_parameter, Integration, optional=True)
        if not (integration := first(routes, alert)):
            logger.info("no route is configured", alert=alert.id)
            return
        service = Destination(settings.ledger_table, "pagerduty", integration.key, SPACING_SECONDS)
        new = once(
            service,
            alert.dedup_key,
            alert.id,
            partial(deliver, alert, integration, settings.pagerduty_url),
        )
        count(**{"Delivered" if new else "Repeated": 1})

    for_each(alerts(message.events()), attend)
