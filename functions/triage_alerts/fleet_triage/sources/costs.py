"""Money: Cost Anomaly Detection and Budgets."""

import re
from collections.abc import Mapping
from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, items, last, number, observe, shown, text, value

# As Budgets names them, in lines of text; in JSON the same words, put together in one way or another.
BUDGET_FACTS = (
    "Budget Type",
    "Budgeted Amount",
    "Alert Type",
    "Alert Threshold",
    "ACTUAL Amount",
    "FORECASTED Amount",
)
_LINE = re.compile(r"^([A-Za-z ]{3,40}): (.{1,500})$", re.MULTILINE)
_ACCOUNT = re.compile(r"AWS Account (\d{12})")


def anomaly(event: Event) -> list[Observation] | None:
    """`Anomaly Detected`, over EventBridge or to a topic; an anomaly that goes on is said again, and counts."""
    detail = event.detail
    if not (identity := text(detail, "anomalyId")):
        return None
    impact = number(detail, "impact", "totalImpact")
    what = text(detail, "dimensionValue") or text(detail, "dimensionalValue")
    monitor = next(
        (
            arn
            for arn in (*event.resources, text(detail, "monitorArn"))
            if ":anomalymonitor/" in arn
        ),
        "",
    )
    causes = [
        " / ".join(filter(None, map(text, _words(cause)))) for cause in items(detail, "rootCauses")
    ]
    return [
        observe(
            event,
            identity,
            Status.OCCURRED,
            f"{what or 'The bill'} costs {'more' if impact is None else f'${impact:,.2f} more'} than expected",
            Severity.WARNING,
            detail={
                "spent": number(detail, "impact", "totalActualSpend"),
                "expected": number(detail, "impact", "totalExpectedSpend"),
                "impact": impact,
                "causes": "; ".join(filter(None, causes)),
                "starts": text(detail, "anomalyStartDate"),
                "ends": text(detail, "anomalyEndDate"),
                "account": text(detail, "accountName")
                or text(detail, "accountId")
                or event.account,
            },
            link=console(
                event.region,
                "cost-management/home",
                f"/anomaly-detection/monitors/{escaped(last(monitor))}/anomalies/{escaped(identity)}",
            ),
            resources=[monitor],
        )
    ]


def _words(cause: Any) -> list[Any]:
    return [value(cause, name) for name in ("service", "region", "linkedAccountName", "usageType")]


def is_budget(message: Any) -> bool:
    """Whether the message is a notification of a budget, in lines or in JSON."""
    return "budgetname" in _facts(message)


def budget(event: Event) -> list[Observation] | None:
    """A threshold of a budget was passed; each kind of threshold is a subject."""
    message = event.detail.get("text", event.detail)
    facts = _facts(message)
    if not (name := facts.get("budgetname")):
        return None
    found = _ACCOUNT.search(message) if isinstance(message, str) else None
    account = (found[1] if found else facts.get("accountid")) or event.account
    kind, threshold = facts.get("alerttype", ""), facts.get("alertthreshold", "")
    spent = facts.get("actualamount") or facts.get("forecastedamount")
    return [
        observe(
            event,
            "/".join(filter(None, (account, name, kind, threshold))),
            Status.OCCURRED,
            f"{name}: {kind.lower() or 'spent'} {spent or '?'} of {facts.get('budgetedamount', '?')}",
            Severity.WARNING,
            detail={
                **{known.lower(): facts.get(_key(known)) for known in BUDGET_FACTS},
                "account": account,
                "message": "" if spent else shown(message),
            },
            link=console(event.region, "billing/home", "/budgets"),
        )
    ]


def _facts(message: Any) -> dict[str, str]:
    if isinstance(message, str):
        return {_key(name): said.strip() for name, said in _LINE.findall(message.replace("\r", ""))}
    if isinstance(message, Mapping):
        return {_key(str(name)): text(said) for name, said in message.items() if text(said)}
    return {}


def _key(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())
