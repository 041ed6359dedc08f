"""Money: Cost Anomaly Detection and Budgets.

Shapes: AWS Cost Management User Guide, "Using EventBridge with Cost Anomaly Detection"
(`cad-eventbridge.html`). What Budgets sends to a topic is not documented: its shape is that of the
real messages in tests/events/alerts/budgets.
"""

import re
from collections.abc import Mapping
from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Fact, Severity
from fleet_triage.documents import as_text, first_text, items, join, last_part, number, text
from fleet_triage.observing import console_link, observe, url_part

# As Budgets names them in lines of text; in JSON they are the same words, run together.
BUDGET_FACTS = (
    "Budget Type",
    "Budgeted Amount",
    "Alert Type",
    "Alert Threshold",
    "ACTUAL Amount",
    "FORECASTED Amount",
)
CAUSE_PARTS = ("service", "region", "linkedAccountName", "usageType")
_LINE = re.compile(r"^([A-Za-z ]{3,40}): (.{1,500})$", re.MULTILINE)
_ACCOUNT = re.compile(r"AWS Account (\d{12})")


def anomaly(event: Event) -> list[Observation] | None:
    """Read an `Anomaly Detected`, over EventBridge or from a topic.

    An anomaly that goes on is sent again, and counted.
    """
    detail = event.detail
    identity = text(detail, "anomalyId")
    if not identity:
        return None
    monitor = _monitor(event)
    page = (
        f"/anomaly-detection/monitors/{url_part(last_part(monitor))}/anomalies/{url_part(identity)}"
    )
    account = first_text(text(detail, "accountName"), text(detail, "accountId"), event.account)
    return [
        observe(
            event,
            identity,
            Status.OCCURRED,
            _anomaly_title(event),
            Severity.WARNING,
            detail={
                "spent": number(detail, "impact", "totalActualSpend"),
                "expected": number(detail, "impact", "totalExpectedSpend"),
                "impact": number(detail, "impact", "totalImpact"),
                "causes": _causes(event),
                "starts": text(detail, "anomalyStartDate"),
                "ends": text(detail, "anomalyEndDate"),
                "account": account,
            },
            link=console_link(event.region, "cost-management/home", page),
            resources=[monitor],
        )
    ]


def _anomaly_title(event: Event) -> str:
    detail = event.detail
    what = first_text(text(detail, "dimensionValue"), text(detail, "dimensionalValue"), "The bill")
    impact = number(detail, "impact", "totalImpact")
    more = "more" if impact is None else f"${impact:,.2f} more"
    return f"{what} costs {more} than expected"


def _monitor(event: Event) -> str:
    """Return the ARN of the monitor that found it, or an empty text."""
    arns = (*event.resources, text(event.detail, "monitorArn"))
    return first_text(*(arn for arn in arns if ":anomalymonitor/" in arn))


def _causes(event: Event) -> str:
    causes = []
    for cause in items(event.detail, "rootCauses"):
        parts = [text(cause, name) for name in CAUSE_PARTS]
        causes.append(join(*parts, by=" / "))
    return join(*causes, by="; ")


def is_budget(message: Any) -> bool:
    """Whether the message is a notification of a budget, in lines or in JSON."""
    return "budgetname" in _facts(message)


def budget(event: Event) -> list[Observation] | None:
    """Read that a threshold of a budget was exceeded; each kind of threshold is a subject."""
    message = event.detail.get("text", event.detail)
    facts = _facts(message)
    name = facts.get("budgetname")
    if not name:
        return None
    account = _account(message) or facts.get("accountid") or event.account
    kind = facts.get("alerttype", "")
    threshold = facts.get("alertthreshold", "")
    spent = facts.get("actualamount") or facts.get("forecastedamount")
    budgeted = facts.get("budgetedamount", "?")
    detail: dict[str, Fact | None] = {
        label.lower(): facts.get(_key(label)) for label in BUDGET_FACTS
    }
    return [
        observe(
            event,
            join(account, name, kind, threshold, by="/"),
            Status.OCCURRED,
            f"{name}: {kind.lower() or 'spent'} {spent or '?'} of {budgeted}",
            Severity.WARNING,
            detail={
                **detail,
                "account": account,
                "message": "" if spent else as_text(message),
            },
            link=console_link(event.region, "billing/home", "/budgets"),
        )
    ]


def _account(message: Any) -> str:
    found = _ACCOUNT.search(message) if isinstance(message, str) else None
    return found[1] if found else ""


def _facts(message: Any) -> dict[str, str]:
    """Return the facts of a budget's message, by their names as `_key` spells them."""
    pairs: list[tuple[str, str]] = []
    if isinstance(message, str):
        pairs = _LINE.findall(message.replace("\r", ""))
    elif isinstance(message, Mapping):
        pairs = [(str(name), text(fact)) for name, fact in message.items()]
    return {_key(name): fact.strip() for name, fact in pairs if fact}


def _key(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())
