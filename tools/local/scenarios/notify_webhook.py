"""An alert that arrives twice, at a receiver that verifies signatures and fails at first."""

from tools.local.destinations import SIGNING_KEY, WEBHOOK, Answer
from tools.local.fleet import Fleet, expect, sample

TRIGGER = "alert"
JOB = "notify_webhook"


def seed(fleet: Fleet) -> None:
    """Send all alerts to one endpoint."""
    keys = fleet.entrust(JOB, "keys", SIGNING_KEY)
    endpoint = f"[{{url: '{fleet.destinations.url}/hook', keys: {keys}}}]"
    fleet.configure(JOB, "ENDPOINTS_PARAMETER", endpoint)


def play(fleet: Fleet) -> str:
    """Expect it once, signed."""
    alert = sample(JOB)
    alert_id = alert["detail"]["id"]
    fleet.destinations.misbehave(WEBHOOK, Answer(503, headers={"Retry-After": "1"}))
    fleet.publish(alert)
    fleet.delivered(WEBHOOK, alert_id, 1)
    fleet.publish(alert)
    other = {**alert["detail"], "id": f"{alert_id}-other", "dedup_key": "another"}
    fleet.publish({**alert, "detail": other})
    fleet.delivered(WEBHOOK, f"{alert_id}-other", 1)
    times = sum(delivery.body["data"]["id"] == alert_id for delivery in fleet.delivered(WEBHOOK, alert_id, 1))
    expect(times == 1, f"the receiver accepted the alert {times} times")
    return "the receiver verified the signature, after failing once; the alert's second copy was not sent"
