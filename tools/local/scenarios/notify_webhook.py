"""An alert that arrives twice, at a receiver that verifies signatures and fails at first; a receiver that is gone."""

import uuid

from tools.local.destinations import GONE, SIGNING_KEY, WEBHOOK, Answer
from tools.local.fleet import Fleet, expect, sample

TRIGGER = "alert"
JOB = "notify_webhook"
DEPARTED = "departed"


def seed(fleet: Fleet) -> None:
    """Send all alerts to one endpoint, and those of one owner to another, which was given up."""
    keys, url = fleet.entrust(JOB, "keys", SIGNING_KEY), fleet.destinations.url
    gone = f"{{url: '{url}/gone/{uuid.uuid4()}', keys: {keys}, owner: {DEPARTED}}}"
    fleet.configure(JOB, "ENDPOINTS_PARAMETER", f"[{{url: '{url}/hook', keys: {keys}}}, {gone}]")


def play(fleet: Fleet) -> str:
    """Expect it once, signed; expect to be told of who is gone, and that it is called no more."""
    called = len(fleet.destinations.of(GONE))
    alert = sample(JOB)
    alert_id = alert["detail"]["id"]
    fleet.destinations.misbehave(WEBHOOK, Answer(503, headers={"Retry-After": "1"}))
    fleet.publish(alert)
    fleet.delivered(WEBHOOK, alert_id, 1)
    fleet.publish(alert)
    other = {
        **alert["detail"],
        "id": f"{alert_id}-other",
        "dedup_key": "another",
        "owner": DEPARTED,
    }
    fleet.publish({**alert, "detail": other})
    fleet.delivered(WEBHOOK, f"{alert_id}-other", 1)
    times = sum(
        delivery.body["data"]["id"] == alert_id
        for delivery in fleet.delivered(WEBHOOK, alert_id, 1)
    )
    expect(times == 1, f"the receiver accepted the alert {times} times")
    fleet.delivered(WEBHOOK, "it gets no more alerts", 1)
    fleet.publish({**alert, "detail": {**other, "id": f"{alert_id}-late", "dedup_key": "late"}})
    fleet.delivered(WEBHOOK, f"{alert_id}-late", 1)
    called = len(fleet.destinations.of(GONE)) - called
    expect(called == 1, f"the receiver that is gone was called {called} times")
    return (
        "the receiver verified the signature, after failing once; the alert's second copy was not sent; "
        "a receiver that answered that it is gone was told of, and not called again"
    )
