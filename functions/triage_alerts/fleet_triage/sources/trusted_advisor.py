"""Trusted Advisor's checks, one resource at a time."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, last, observe, text, value, where

STATES = {
    "ERROR": (Status.FAILING, Severity.WARNING),
    "WARN": (Status.FAILING, Severity.INFO),
    "OK": (Status.OK, Severity.INFO),
}
# What tells a resource that has no id: a quota is a service's, in a region.
NAMES = ("Region", "Region/AZ", "Service", "Limit Name")


def check_item(event: Event) -> list[Observation] | None:
    """`Trusted Advisor Check Item Refresh Notification`."""
    detail = event.detail
    check, state = text(detail, "check-name"), text(detail, "status")
    if not check or state not in STATES:
        return None
    status, severity = STATES[state]
    item = value(detail, "check-item-detail")
    named = " ".join(filter(None, (text(item, name) for name in NAMES)))
    resource = text(detail, "resource_id") or named or text(detail, "uuid")
    facts = {str(name): text(said) for name, said in item.items()} if isinstance(item, dict) else {}
    return [
        observe(
            event,
            where(event, check, resource),
            status,
            f"{check}: {last(resource) or 'something'} is {'OK' if status is Status.OK else 'in ' + state.lower()}",
            severity,
            detail={**facts, "account": event.account},
            link=console(event.region, "trustedadvisor/home"),
            resources=[text(detail, "resource_id")],
        )
    ]
