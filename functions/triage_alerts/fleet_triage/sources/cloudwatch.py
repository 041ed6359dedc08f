"""CloudWatch alarms: on metrics, expressions, anomalies and other alarms.

They come over EventBridge (CloudWatch User Guide, "Alarm events and EventBridge",
`cloudwatch-and-eventbridge.html`) and over SNS, whose message is not documented: its shape is that
of the real ones in tests/events/alerts/cloudwatch. Both make the same observation.
"""

import re
from datetime import datetime
from typing import Any

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Fact, Severity
from fleet_triage.documents import items, join, moment, text, texts, value
from fleet_triage.observing import console_link, observe, url_part

STATES = {"ALARM": Status.FAILING, "OK": Status.OK, "INSUFFICIENT_DATA": Status.FAILING}
VERDICTS = {
    "ALARM": "is in alarm",
    "OK": "is OK",
    "INSUFFICIENT_DATA": "has insufficient data",
}
_ARN = re.compile(r"arn:[\w-]+:cloudwatch:([\w-]*):(\w*):alarm:(.+)")


def state_change(event: Event) -> list[Observation] | None:
    """Read a `CloudWatch Alarm State Change`."""
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
    """Read what an alarm sends to its topic."""
    message = event.detail
    metric = text(message, "Trigger", "MetricName")
    namespace = text(message, "Trigger", "Namespace")
    metrics = _metrics(message, "Trigger", "Metrics", "MetricStat", "Metric")
    children = [text(child, "Arn") or text(child) for child in items(message, "TriggeringChildren")]
    return _alarm(
        event,
        name=text(message, "AlarmName"),
        arn=text(message, "AlarmArn"),
        state=text(message, "NewStateValue"),
        at=moment(message, "StateChangeTime"),
        detail={
            "reason": text(message, "NewStateReason"),
            "description": text(message, "AlarmDescription"),
            "metric": f"{namespace}/{metric}" if metric else ", ".join(metrics),
            "rule": text(message, "AlarmRule"),
            "triggered by": join(*children),
        },
    )


def _metrics(document: Any, *path: str) -> list[str]:
    """The metrics of an alarm, and the expressions that it makes of them."""
    *before, stat, metric = path
    metrics = []
    for query in items(document, *before):
        measured = value(query, stat, metric)
        name = text(measured, "name") or text(measured, "MetricName")
        namespace = text(measured, "namespace") or text(measured, "Namespace")
        expression = text(query, "Expression") or text(query, "expression")
        metrics.append(f"{namespace}/{name}" if name else expression)
    return [metric for metric in metrics if metric]


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
    parts = _ARN.fullmatch(arn)
    if parts:  # over SNS, the message's own region is a name for people
        region, account, name = parts.groups()
    account = account or text(event.detail, "AWSAccountId")
    if state not in STATES or not name:
        return None
    subject = f"{account}/{region}/{name}"
    at = at or moment(event.time)
    return [
        observe(
            event,
            subject,
            STATES[state],
            f"{name} {VERDICTS[state]}",
            _severity(name) if state == "ALARM" else Severity.INFO,
            detail={**detail, "account": account},
            link=console_link(region, "cloudwatch/home", f"alarmsV2:alarm/{url_part(name)}"),
            at=at,
            event_id=f"{subject}/{state}/{at.isoformat() if at else event.id}",
            resources=[arn, *texts(event.detail, "resources")],
        )
    ]


def _severity(name: str) -> Severity:
    """An alarm has no severity, so its name may say it: `web-5xx-critical`."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    for severity in Severity:
        if severity.value in words:
            return severity
    return Severity.WARNING
