"""What watches the fleet is heard: by the alarms' topic, and for a metric that is there."""

import re
from collections.abc import Iterator

import pytest
from tests.fleet.template import REMOVED, Template, covers, real, resources, seeded

from fleet.runtime.telemetry import NAMESPACE

TOPIC = {"Ref": "AlarmsTopic"}
# AWS measures queues. That a job has stopped shows only in its missing metric.
SILENT = "MissedRunsSilent"


def violations(template: Template) -> Iterator[str]:
    alarms = dict(resources(template, "AWS::CloudWatch::Alarm"))
    statement = template["Resources"]["AlarmsTopicPolicy"]["Properties"]["PolicyDocument"][
        "Statement"
    ][0]
    publishing = statement["Condition"]["ArnLike"]["aws:SourceArn"]
    for name, alarm in alarms.items():
        if alarm.get("AlarmActions") != [TOPIC] or alarm.get("OKActions") != [TOPIC]:
            yield f"{name}: must tell AlarmsTopic when it begins and when it ends"
        if not covers(template, publishing, name):
            yield f"{name}: may not publish: begin its AlarmName with ${{AWS::StackName}}-"
        wanted = "breaching" if name == SILENT else "notBreaching"
        if alarm.get("TreatMissingData") != wanted:
            yield f"{name}: must take missing data for {wanted}"
        expected = alarm_name(name)
        if alarm.get("AlarmName") != {"Fn::Sub": expected}:
            yield f"{name}: must have the AlarmName {expected}, so that both change together"
    yield from of_the_silent(template, alarms[SILENT])


def alarm_name(logical_id: str) -> str:
    """CloudFormation makes a resource with a new logical id before it deletes the one it replaces.

    If both had the same name, no stack that has the earlier one could be updated.
    """
    words = re.findall("[A-Z][a-z0-9]*", logical_id)
    name = "-".join(words).lower()
    return f"${{AWS::StackName}}-{name}"


def of_the_silent(template: Template, alarm: Template) -> Iterator[str]:
    """It counts the reports of the job as the runtime does, over no less than the job's period."""
    job = template["Resources"]["MissedRuns"]["Properties"]
    if (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) != (
        NAMESPACE,
        "Reports",
        "Sum",
    ):
        yield f"{SILENT}: must sum the runtime's metric {NAMESPACE}/Reports"
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
    if dimensions != {
        "service": job["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"],
        "stage": {"Ref": "Stage"},
    }:
        yield f"{SILENT}: its dimensions must be those of the runtime: service and stage"
    minutes = alarm["Period"] // 60
    if job["Events"]["Schedule"]["Properties"]["ScheduleExpression"] != f"rate({minutes} minutes)":
        yield f"{SILENT}: its period must be that of the job's schedule"
    if (alarm["Threshold"], alarm["ComparisonOperator"]) != (1, "LessThanThreshold") or alarm[
        "EvaluationPeriods"
    ] < 2:
        yield f"{SILENT}: must be alarmed by fewer than one report, in more than one period"


def test_what_watches_the_fleet_is_heard() -> None:
    assert list(violations(real())) == []


ALARM = f"Resources/{SILENT}/Properties"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(
            f"{ALARM}/TreatMissingData", REMOVED, "missing data for breaching", id="missing data"
        ),
        pytest.param(f"{ALARM}/Namespace", "AWS/Lambda", "metric Fleet/Reports", id="namespace"),
        pytest.param(f"{ALARM}/Dimensions/1/Value", "dev", "its dimensions", id="stage"),
        pytest.param(f"{ALARM}/Period", 300, "its period", id="period"),
        pytest.param(
            f"{ALARM}/ComparisonOperator",
            "GreaterThanThreshold",
            "fewer than one report",
            id="comparison",
        ),
        pytest.param(
            "Resources/TriageAlertsTooLate/Properties/OKActions",
            REMOVED,
            "TriageAlertsTooLate: must tell",
            id="end",
        ),
        pytest.param(
            "Resources/DeadLettersPresent/Properties/AlarmName",
            "dead-letters-present",
            "DeadLettersPresent: may not publish",
            id="name of no stack",
        ),
        pytest.param(
            "Resources/TriageAlertsTooLate/Properties/AlarmName",
            {"Fn::Sub": "${AWS::StackName}-triage-too-late"},
            "TriageAlertsTooLate: must have the AlarmName ${AWS::StackName}-triage-alerts-too-late",
            id="name of another logical id",
        ),
    ],
)
def test_an_alarm_that_nobody_hears_is_named(path: str, value: object, said: str) -> None:
    assert said in "\n".join(violations(seeded(path, value)))
