"""What can be read is asked for: triage's rules and its readers name the same events."""

import json

import pytest
from tests.fleet.template import Template, real, resources, seeded

from fleet_triage.sources import EVENTS

QUEUE = {"Fn::GetAtt": ["TriageAlertsQueue", "Arn"]}
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html, "Event pattern size"
LONGEST_PATTERN = 2048
# AWS sends these through a topic, triage publishes them itself, or its own schedule sends them.
NOT_BY_RULE = {("aws.ses", "*"), ("fleet", "Alert"), ("fleet", "Sweep")}


def asked_for(template: Template) -> set[tuple[str, str]]:
    """The events, by source and detail type, that rules lead to triage's queue."""
    patterns = [
        pattern
        for _, rule in resources(template, "AWS::Events::Rule")
        if any(target["Arn"] == QUEUE for target in rule["Targets"])
        for pattern in rule["EventPattern"].get("$or", [rule["EventPattern"]])
    ]
    return {
        (source, kind)
        for pattern in patterns
        for source in pattern["source"]
        for kind in pattern.get("detail-type", ["*"])
    }


def violations(template: Template) -> list[str]:
    readable = set(EVENTS) - NOT_BY_RULE
    asked = asked_for(template)
    unread = {kind for _, kind in asked} - {kind for _, kind in readable}
    missing = [
        f"{source} / {kind} is read, and no rule asks for it"
        for source, kind in sorted(readable - asked)
    ]
    return [*missing, *(f"{kind} is asked for, and nothing reads it" for kind in sorted(unread))]


def test_rules_ask_for_what_can_be_read() -> None:
    assert violations(real()) == []


def test_a_pattern_is_short_enough_for_eventbridge() -> None:
    rules = dict(resources(real(), "AWS::Events::Rule"))
    lengths = {name: len(json.dumps(rule["EventPattern"])) for name, rule in rules.items()}

    assert {name: length for name, length in lengths.items() if length > LONGEST_PATTERN} == {}


ALARM = "Resources/TriageAlertsOnAccount/Properties/EventPattern/$or/0"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "source",
            ["aws.health"],
            "aws.cloudwatch / CloudWatch Alarm State Change is read, and no rule",
        ),
        (
            "detail-type",
            ["CloudWatch Alarm"],
            "CloudWatch Alarm is asked for, and nothing reads it",
        ),
    ],
    ids=["source", "detail type"],
)
def test_what_rules_miss_is_named(path: str, value: object, said: str) -> None:
    assert said in "\n".join(violations(seeded(f"{ALARM}/{path}", value)))
