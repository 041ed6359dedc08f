"""Trusted Advisor's checks, one resource at a time.

Shape: AWS Support User Guide, "Monitoring AWS Trusted Advisor check results with Amazon
EventBridge" (`cloudwatch-events-ta.html`).
"""

from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Fact, Severity
from fleet_triage.documents import first_text, join, last_part, text, value
from fleet_triage.observing import console_link, observe, regional_subject

# What identifies a resource that has no id: a quota is a service's, in a region.
NAMES = ("Region", "Region/AZ", "Service", "Limit Name")


def check_item(event: Event) -> list[Observation] | None:
    """Read a `Trusted Advisor Check Item Refresh Notification`."""
    detail = event.detail
    check = text(detail, "check-name")
    if not check:
        return None
    match text(detail, "status"):
        case "ERROR":
            status, severity, verdict = Status.FAILING, Severity.WARNING, "needs action"
        case "WARN":
            status, severity, verdict = Status.FAILING, Severity.INFO, "needs investigation"
        case "OK":
            status, severity, verdict = Status.OK, Severity.INFO, "is OK"
        case _:
            return None
    item = value(detail, "check-item-detail")
    names = [text(item, name) for name in NAMES]
    resource = first_text(text(detail, "resource_id"), join(*names, by=" "), text(detail, "uuid"))
    return [
        observe(
            event,
            regional_subject(event, check, resource),
            status,
            f"{check}: {last_part(resource) or 'something'} {verdict}",
            severity,
            detail={**_facts(item), "account": event.account},
            link=console_link(event.region, "trustedadvisor/home"),
            resources=[text(detail, "resource_id")],
        )
    ]


def _facts(item: Any) -> dict[str, Fact | None]:
    if not isinstance(item, dict):
        return {}
    return {str(name): text(fact) for name, fact in item.items()}
