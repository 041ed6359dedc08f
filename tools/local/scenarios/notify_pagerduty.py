"""A critical alert and its resolution, while PagerDuty is busy once, and a warning that wakes
nobody.
"""

from tools.local.destinations import PAGERDUTY, ROUTING_KEY, Answer
from tools.local.fleet import Fleet, sample
from tools.local.progress import expect

TRIGGER = "critical alert"
JOB = "notify_pagerduty"
WARNING_KEY = "a warning"


def seed(fleet: Fleet) -> None:
    """Route all alerts to one service."""
    key = fleet.entrust(JOB, "key", ROUTING_KEY)
    routes = f"[{{key: {key}}}]"
    fleet.configure(JOB, "ROUTES_PARAMETER", routes)


def play(fleet: Fleet) -> str:
    """Expect one incident, opened and resolved."""
    alert = sample(JOB)
    opened = alert["detail"]
    key = opened["dedup_key"]
    busy = Answer(429, headers={"Retry-After": "1"}, about=key)
    fleet.destinations.misbehave(PAGERDUTY, busy)
    warning = {
        **opened,
        "id": "of-a-warning",
        "severity": "warning",
        "dedup_key": WARNING_KEY,
    }
    fleet.publish({**alert, "detail": warning})
    fleet.publish(alert)
    fleet.wait_for_deliveries(PAGERDUTY, key, 1)

    resolved = {
        **opened,
        "id": f"{opened['id']}-resolved",
        "status": "resolved",
    }
    fleet.publish({**alert, "detail": resolved})
    fleet.wait_for_deliveries(PAGERDUTY, key, 2)
    incidents = fleet.destinations.incidents
    actions = incidents[key]
    expect(actions == ["trigger", "resolve"], f"the incident's events are {actions}")
    expect(WARNING_KEY not in incidents, "a warning opened an incident")
    return (
        "a critical alert opened an incident, once PagerDuty was no longer busy, "
        "and its resolution resolved it; a warning opened none"
    )
