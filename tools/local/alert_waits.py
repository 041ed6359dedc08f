"""Waiting until people have heard of an alert: at the webhook, and where else it should go."""

from typing import Any

from tools.local.destinations import PAGERDUTY, SLACK
from tools.local.fleet import Fleet
from tools.local.progress import expect

Alert = dict[str, Any]
"""An alert as the webhook's receiver got it."""


def wait_until_opened(fleet: Fleet, key: str, *elsewhere: str) -> Alert:
    """Wait until the webhook and the destinations `elsewhere` know of an alert; return it.

    `key` is the alert's deduplication key. Raises `Failed` when one of them is not told.
    """
    alert = _wait_for_webhook(fleet, key, resolved=False)
    if SLACK in elsewhere:
        _wait_for_slack(fleet, alert["title"], "chat.postMessage")
    if PAGERDUTY in elsewhere:
        _wait_for_pagerduty(fleet, key, "trigger")
    return alert


def wait_until_resolved(fleet: Fleet, key: str, *elsewhere: str) -> Alert:
    """Wait until the webhook, Slack's message and PagerDuty's incident show that it is over.

    Raises `Failed` when one is not told, or when PagerDuty has an incident although it is not in
    `elsewhere`.
    """
    alert = _wait_for_webhook(fleet, key, resolved=True)
    if SLACK in elsewhere:
        text = f"Resolved: {alert['title']}"
        _wait_for_slack(fleet, text, "chat.update")
    if PAGERDUTY in elsewhere:
        _wait_for_pagerduty(fleet, key, "resolve")
    else:
        incidents = fleet.destinations.incidents
        wrong = f"{key} is not critical, and opened an incident"
        expect(key not in incidents, wrong)
    return alert


def _wait_for_webhook(fleet: Fleet, key: str, resolved: bool) -> Alert:
    """Wait until the last alert of this key that the webhook got is, or is not, a resolution."""

    def last_alert() -> Alert | None:
        alerts = fleet.destinations.alerts(key)
        if not alerts:
            return None
        alert = alerts[-1]
        is_resolved = alert["status"] == "resolved"
        if is_resolved is not resolved:
            return None
        return alert

    event = "resolved" if resolved else "opened"
    missing = f"the webhook did not hear that {key} {event}"
    alert: Alert = fleet.wait_for(last_alert, missing)
    return alert


def _wait_for_slack(fleet: Fleet, text: str, method: str) -> None:
    def has_text() -> bool:
        texts = fleet.destinations.texts(method)
        return text in texts

    missing = f"Slack got no {method}: {text}"
    fleet.wait_for(has_text, missing)


def _wait_for_pagerduty(fleet: Fleet, key: str, action: str) -> None:
    def is_last_action() -> bool:
        actions = fleet.destinations.incidents.get(key)
        if not actions:
            return False
        return actions[-1] == action

    missing = f"PagerDuty got no {action} of {key}"
    fleet.wait_for(is_last_action, missing)
