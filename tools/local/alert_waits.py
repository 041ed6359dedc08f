"""The life of an alert, as the destinations see it."""

from typing import Any

from tools.local.destinations import PAGERDUTY, SLACK, WEBHOOK
from tools.local.fleet import Fleet, eventually, expect


def opened(fleet: Fleet, key: str, *elsewhere: str) -> dict[str, Any]:
    """Wait until the webhook, and the destinations `elsewhere`, know that a finding stands; return its alert."""
    alert = _told(fleet, key, resolved=False)
    if SLACK in elsewhere:
        _shown(fleet, alert["title"], "chat.postMessage")
    if PAGERDUTY in elsewhere:
        _incident(fleet, key, "trigger")
    return alert


def resolved(fleet: Fleet, key: str, *elsewhere: str) -> dict[str, Any]:
    """Wait until each knows that it is over: the webhook, Slack in the message itself, PagerDuty in the incident."""
    alert = _told(fleet, key, resolved=True)
    if SLACK in elsewhere:
        _shown(fleet, f"Resolved: {alert['title']}", "chat.update")
    if PAGERDUTY in elsewhere:
        _incident(fleet, key, "resolve")
    else:
        expect(
            key not in fleet.destinations.incidents,
            f"{key} is not critical, and opened an incident",
        )
    return alert


def _told(fleet: Fleet, key: str, resolved: bool) -> dict[str, Any]:
    """Wait until the last that the webhook was told of the finding is, or is not, its resolution."""

    def last() -> dict[str, Any] | None:
        bodies = [each.body["data"] for each in fleet.destinations.of(WEBHOOK) if each.accepted]
        told = [body for body in bodies if body["dedup_key"] == key]
        return told[-1] if told and (told[-1]["status"] == "resolved") is resolved else None

    what = "over" if resolved else "there"
    alert: dict[str, Any] = eventually(last, f"the webhook was not told that {key} is {what}")
    return alert


def _shown(fleet: Fleet, text: str, method: str) -> None:
    def found() -> bool:
        taken = [
            each
            for each in fleet.destinations.of(SLACK)
            if each.accepted and each.path.endswith(method)
        ]
        return any(each.body["text"] == text for each in taken)

    eventually(found, f"Slack was not told by {method}: {text}")


def _incident(fleet: Fleet, key: str, action: str) -> None:
    actions = fleet.destinations.incidents
    eventually(
        lambda: key in actions and actions[key][-1] == action,
        f"PagerDuty got no {action} of {key}",
    )
