"""An alert that arrives twice, at a receiver that verifies signatures and fails at first; a
receiver that is gone.
"""

import uuid

from tools.local.destinations import GONE, SIGNING_KEY, WEBHOOK, Answer
from tools.local.fleet import Event, Fleet, sample
from tools.local.progress import expect

TRIGGER = "alert"
JOB = "notify_webhook"
DEPARTED = "departed"


def seed(fleet: Fleet) -> None:
    """Send all alerts to one endpoint, and those of one owner also to another, which is gone."""
    keys = fleet.entrust(JOB, "keys", SIGNING_KEY)
    url = fleet.destinations.url
    endpoints = f"""
- {{url: '{url}/hook', keys: {keys}}}
- {{url: '{url}/gone/{uuid.uuid4()}', keys: {keys}, owner: {DEPARTED}}}
"""
    fleet.configure(JOB, "ENDPOINTS_PARAMETER", endpoints)


def play(fleet: Fleet) -> str:
    """Expect the alert once, signed, and no second call to the receiver that is gone."""
    alert = sample(JOB)
    alert_id = alert["detail"]["id"]
    failure = Answer(503, headers={"Retry-After": "1"})
    fleet.destinations.misbehave(WEBHOOK, failure)
    fleet.publish(alert)
    fleet.wait_for_deliveries(WEBHOOK, alert_id, 1)
    fleet.publish(alert)
    expect_one_call_to_the_departed(fleet, alert)
    expect_one_delivery(fleet, alert_id)
    return (
        "the receiver verified the signature, after failing once; the alert's second copy was not "
        "sent; a receiver that answered that it is gone was reported, and not called again"
    )


def expect_one_call_to_the_departed(fleet: Fleet, alert: Event) -> None:
    """Send two alerts to the receiver that is gone, the second once people know of that."""
    detail = alert["detail"]
    earlier = fleet.destinations.of(GONE)
    for name in ("first", "late"):
        alert_id = f"{detail['id']}-{name}"
        departed = {
            **detail,
            "id": alert_id,
            "dedup_key": f"departed/{name}",
            "owner": DEPARTED,
        }
        fleet.publish({**alert, "detail": departed})
        fleet.wait_for_deliveries(WEBHOOK, alert_id, 1)
        fleet.wait_for_deliveries(WEBHOOK, "it gets no more alerts", 1)
    calls = len(fleet.destinations.of(GONE)) - len(earlier)
    expect(calls == 1, f"the receiver that is gone was called {calls} times")


def expect_one_delivery(fleet: Fleet, alert_id: str) -> None:
    """Expect the receiver to have accepted this alert once."""
    accepted = [
        delivery
        for delivery in fleet.wait_for_deliveries(WEBHOOK, alert_id, 1)
        if delivery.body["data"]["id"] == alert_id
    ]
    expect(len(accepted) == 1, f"the receiver accepted the alert {len(accepted)} times")
