"""An alert and its resolution, by way of a bot token, while Slack is busy once."""

import json
import uuid

from tools.local.destinations import SLACK, SLACK_TOKEN, Answer
from tools.local.fleet import Event, Fleet, sample
from tools.local.progress import expect

TRIGGER = "alert"
JOB = "notify_slack"
OWNERS = ("operations", "security", "web", "data")
BUSY_SECONDS = 2


def seed(fleet: Fleet) -> None:
    """Route the alerts of each owner to a channel of their own, and all others to another."""
    token = fleet.entrust(JOB, "token", SLACK_TOKEN)
    routes: list[dict[str, str]] = []
    for owner in OWNERS:
        channel = f"C0{owner.upper()}"
        route = {"token": token, "channel": channel, "owner": owner}
        routes.append(route)
    other_owners = {"token": token, "channel": "C0FLEET"}
    routes.append(other_owners)
    yaml = json.dumps(routes)
    fleet.configure(JOB, "ROUTES_PARAMETER", yaml)


def play(fleet: Fleet) -> str:
    """Expect one message, which is resolved in place, and a reply in its thread."""
    mark = uuid.uuid4().hex[:6]  # `make invoke` may have sent the sample itself already
    alert = marked_alert(mark)
    waited = expect_patience(fleet, mark, alert)
    expect_resolution_in_place(fleet, mark, alert)
    return (
        f"one message, posted {waited:.0f} s after Slack asked for {BUSY_SECONDS}, "
        "then resolved in place and in its thread"
    )


def marked_alert(mark: str) -> Event:
    """Return the event of an alert that no other scenario has."""
    alert = sample(JOB)
    detail = alert["detail"]
    detail["id"] = mark
    detail["dedup_key"] = f"aws.cloudwatch/{mark}"
    detail["title"] += f" ({mark})"
    return alert


def expect_patience(fleet: Fleet, mark: str, alert: Event) -> float:
    """Publish the alert while Slack is busy; return the seconds that it waited after that."""
    title = alert["detail"]["title"]
    busy = Answer(
        429,
        headers={"Retry-After": str(BUSY_SECONDS)},
        about=mark,
    )
    fleet.destinations.misbehave(SLACK, busy)
    fleet.publish(alert)
    (posted,) = fleet.wait_for_deliveries(SLACK, title, 1)

    deliveries = fleet.destinations.of(SLACK)
    refusals = [delivery for delivery in deliveries if not delivery.accepted]
    refused = refusals[0]
    waited = posted.at - refused.at
    hasty = f"Slack asked for {BUSY_SECONDS} s and was called again after {waited:.1f} s"
    expect(waited >= BUSY_SECONDS, hasty)
    return waited


def expect_resolution_in_place(fleet: Fleet, mark: str, alert: Event) -> None:
    """Publish that the alert is over; expect its message to be changed, and a reply to it."""
    detail = alert["detail"]
    title = detail["title"]
    resolved = {
        **detail,
        "id": f"{mark}-resolved",
        "status": "resolved",
    }
    fleet.publish({**alert, "detail": resolved})

    (*_, update) = fleet.wait_for_deliveries(SLACK, f"Resolved: {title}", 1)
    path = update.path
    in_place = path.endswith("chat.update")
    expect(in_place, f"the resolution was sent by {path}, not in place")
    fleet.wait_for_deliveries(SLACK, "Resolved: since", 1)
