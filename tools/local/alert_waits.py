"""Waiting until people have heard of an alert: at the webhook, and where else it should go."""

from typing import Any

from tools.local.destinations import PAGERDUTY, SLACK, WEBHOOK
from tools.local.fleet import Fleet
from tools.local.progress import expect


def wait_until_opened(fleet: Fleet, key: str, *elsewhere: str) -> dict[str, Any]:
    """Wait until the webhook, and the destinations `elsewhere`, know of an alert; return it as the
    webhook got it.

    `key` is the alert's deduplication key. Raises `Failed` when one of them is not told.
    """
    alert = _wait_for_webhook(fleet, key, resolved=False)
    if SLACK in elsewhere:
        _wait_for_slack(fleet, alert["title"], "chat.postMessage")
    if PAGERDUTY in elsewhere:
        _wait_for_pagerduty(fleet, key, "trigger")
    return alert


def wait_until_resolved(fleet: Fleet, key: str, *elsewhere: str) -> dict[str, Any]:
    """Wait until each knows that it is over: the webhook, Slack in the message itself, PagerDuty in
    the incident.

    Raises `Failed` when one is not told, or when PagerDuty has an incident although it is not in
    `elsewhere`.
    """
    alert = _wait_for_webhook(fleet, key, resolved=True)
    if SLACK in elsewhere:
        _wait_for_slack(fleet, f"Resolved: {alert['title']}", "chat.update")
    if PAGERDUTY in elsewhere:
        _wait_for_pagerduty(fleet, key, "resolve")
    else:
        incidents = fleet.destinations.incidents
        expect(key not in incidents, f"{key} is not critical, and opened an incident")
    return alert


def _wait_for_webhook(fleet: Fleet, key: str, resolved: bool) -> dict[str, Any]:
    """Wait until the last alert of this key that the webhook got is, or is not, a resolution."""

    def last() -> dict[str, Any] | None:
        alert: dict[str, Any] | None = None
        for delivery in fleet.destinations.of(WEBHOOK):
            if delivery.accepted and delivery.body["data"]["dedup_key"] == key:
                alert = delivery.body["data"]
        if alert is None:
            return None
        return alert if (alert["status"] == "resolved") is resolved else None

    event = "resolved" if resolved else "opened"
    alert: dict[str, Any] = fleet.wait_for(last, f"the webhook did not hear that {key} {event}")
    return alert


def _wait_for_slack(fleet: Fleet, text: str, method: str) -> None:
    def was_told() -> bool:
        return any(
            delivery.body["text"] == text
            for delivery in fleet.destinations.of(SLACK)
            if delivery.accepted and delivery.path.endswith(method)
        )

    fleet.wait_for(was_told, f"Slack got no {method}: {text}")


def _wait_for_pagerduty(fleet: Fleet, key: str, action: str) -> None:
    def was_told() -> bool:
        actions = fleet.destinations.incidents.get(key, [])
        return actions[-1:] == [action]

    fleet.wait_for(was_told, f"PagerDuty got no {action} of {key}")
