"""CloudWatch alarms, of metrics, expressions, anomalies and other alarms, over SNS and over EventBridge alike."""

import re
from datetime import datetime
from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Fact, Severity
from fleet_triage.reading import console, escaped, items, moment, observe, text, texts, value

STATES = {"ALARM": Status.FAILING, "OK": Status.OK, "INSUFFICIENT_DATA": Status.FAILING}
_ARN = re.compile(r"arn:[\w-]+:cloudwatch:([\w-]*):(\w*):alarm:(.+)")


def state_change(event: Event) -> list[Observation] | None:
    """`CloudWatch Alarm State Change`."""
    state = value(event.detail, "state")
    configuration = value(event.detail, "configuration")
    return _alarm(
        event,
        name=text(event.detail, "alarmName"),
        arn=next((arn for arn in event.resources if _ARN.fullmatch(arn)), ""),
        state=text(state, "value"),
        at=moment(state, "timestamp"),
        detail={
            "reason": text(state, "reason"),
            "description": text(configuration, "description"),
            "metric": ", ".join(_metrics(configuration, "metrics", "metricStat", "metric")),
            "rule": text(configuration, "alarmRule"),
            "suppressed by": text(state, "actionsSuppressedBy"),
        },
    )


def notification(event: Event) -> list[Observation] | None:
    """What an alarm sends to its topic. The region in it is a name for people, so it is read from the ARN."""
    message = event.detail
    metric = text(message, "Trigger", "MetricName")
    namespace = text(message, "Trigger", "Namespace")
    children = (text(child, "Arn") or text(child) for child in items(message, "TriggeringChildren"))
    return _alarm(
        event,
        name=text(message, "AlarmName"),
        arn=text(message, "AlarmArn"),
        state=text(message, "NewStateValue"),
        at=moment(message, "StateChangeTime"),
        detail={
            "reason": text(message, "NewStateReason"),
            "description": text(message, "AlarmDescription"),
            "metric": f"{namespace}/{metric}"
            if metric
            else ", ".join(_metrics(message, "Trigger", "Metrics", "MetricStat", "Metric")),
            "rule": text(message, "AlarmRule"),
            "triggered by": ", ".join(filter(None, children)),
        },
    )


def _metrics(document: Any, *path: str) -> list[str]:
    """The metrics of an alarm, and the expressions that it makes of them."""
    *before, stat, metric = path
    found = []
    for query in items(document, *before):
        measured = value(query, stat, metric)
        name = text(measured, "name") or text(measured, "MetricName")
        namespace = text(measured, "namespace") or text(measured, "Namespace")
        found += [
            f"{namespace}/{name}"
            if name
            else text(query, "Expression") or text(query, "expression")
        ]
    return [name for name in found if name]


def _alarm(  # noqa: PLR0913 - what both ways say of an alarm
    event: Event,
    *,
    name: str,
    arn: str,
    state: str,
    at: datetime | None,
    detail: dict[str, Fact | None],
) -> list[Observation] | None:
    region, account = event.region, event.account
    if found := _ARN.fullmatch(arn):
        region, account, name = found.groups()
    account = account or text(event.detail, "AWSAccountId")
    if state not in STATES or not name:
        return None
    at = at or moment(event.time)
    return [
        observe(
            event,
            f"{account}/{region}/{name}",
            STATES[state],
            {"ALARM": f"{name} is in alarm", "OK": f"{name} is OK"}.get(
                state, f"{name} has too little data"
            ),
            _severity(name) if state == "ALARM" else Severity.INFO,
            detail={**detail, "account": account},
            link=console(region, "cloudwatch/home", f"alarmsV2:alarm/{escaped(name)}"),
            at=at,
            event_id=f"{account}/{region}/{name}/{state}/{at.isoformat() if at else event.id}",
            resources=[arn, *texts(event.detail, "resources")],
        )
    ]


def _severity(name: str) -> Severity:
    """An alarm has no severity, so its name may say it: `web-5xx-critical`."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((severity for severity in Severity if severity.value in words), Severity.WARNING)
