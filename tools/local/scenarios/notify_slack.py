"""An alert and its resolution, by way of a bot token, while Slack is busy once."""

import uuid

from tools.local.destinations import SLACK, SLACK_TOKEN, Answer
from tools.local.fleet import Fleet, expect, sample

TRIGGER = "alert"
JOB = "notify_slack"
OWNERS = ("operations", "security", "web", "data")


def seed(fleet: Fleet) -> None:
    """Route the alerts of each owner to a channel of their own, all others to another."""
    token = fleet.entrust(JOB, "token", SLACK_TOKEN)
    routes = [f"{{token: {token}, channel: C0{owner.upper()}, owner: {owner}}}" for owner in OWNERS]
    fleet.configure(
        JOB, "ROUTES_PARAMETER", f"[{', '.join(routes)}, {{token: {token}, channel: C0FLEET}}]"
    )


def play(fleet: Fleet) -> str:
    """Expect one message, resolved in place, and its thread told."""
    alert = sample(JOB)
    play_id = uuid.uuid4().hex  # `make invoke` may have shown the sample itself already
    title = f"{alert['detail']['title']} ({play_id[:6]})"
    alert["detail"] |= {"id": play_id, "dedup_key": f"aws.cloudwatch/{play_id}", "title": title}
    fleet.destinations.misbehave(
        SLACK, Answer(429, headers={"Retry-After": "2"}, about=play_id[:6])
    )
    fleet.publish(alert)
    (posted,) = fleet.delivered(SLACK, title, 1)
    refused = next(delivery for delivery in fleet.destinations.of(SLACK) if not delivery.accepted)
    waited = posted.at - refused.at
    expect(waited >= 2, f"Slack asked for 2 s and was called again after {waited:.1f} s")
    resolved = {**alert["detail"], "id": f"{alert['detail']['id']}-resolved", "status": "resolved"}
    fleet.publish({**alert, "detail": resolved})
    update = fleet.delivered(SLACK, f"Resolved: {title}", 1)[-1]
    expect(
        update.path.endswith("chat.update"),
        f"the resolution was not made in place but by {update.path}",
    )
    fleet.delivered(SLACK, "Resolved: since", 1)
    return f"one message, posted {waited:.0f} s after Slack asked for 2, then resolved in place and in its thread"
