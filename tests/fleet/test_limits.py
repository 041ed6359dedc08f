"""What belongs to the fleet and what does not, as far as the template shows it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.fleet.template import (
    REMOVED,
    Properties,
    Template,
    events,
    functions,
    real,
    resources,
    seeded,
)

from fleet.schedules import Schedule

LONGEST_SECONDS = 300
CONSOLE, CONSOLE_SECONDS = "Console", 60
HTTP_EVENTS = ("Api", "HttpApi", "ALB", "Cognito")
HTTP_RESOURCES = re.compile(
    r"AWS::(Serverless::(Api|HttpApi|GraphQLApi|WebSocketApi)|Lambda::Url|ApiGateway(V2)?::.*|AppSync::.*|ElasticLoadBalancing(V2)?::.*)"
)
RATE = re.compile(r"rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)")


def violations(template: Template) -> list[str]:
    """Return what is too long, too often, or an application's."""
    return [*of_functions(template), *of_http(template), *of_schedules(template)]


def of_functions(template: Template) -> Iterator[str]:
    for job, function in functions(template):
        longest = CONSOLE_SECONDS if job == CONSOLE else LONGEST_SECONDS
        if not 0 < function.get("Timeout", 0) <= longest:
            yield f"{job}: its Timeout is not within {longest} s: longer jobs do not belong here"
        if "VpcConfig" in function:
            yield f"{job}: is in a VPC: a job that needs one does not belong here"


def of_http(template: Template) -> Iterator[str]:
    for job, function in functions(template):
        if job == CONSOLE:
            yield from _of_console(template, function)
        elif "FunctionUrlConfig" in function or any(True for _ in events(function, *HTTP_EVENTS)):
            yield f"{job}: answers HTTP: an application does not belong here"
    for name, resource in template["Resources"].items():
        if HTTP_RESOURCES.fullmatch(resource["Type"]):
            yield f"{name}: {resource['Type']} answers HTTP: that does not belong here"


def _of_console(template: Template, function: Properties) -> Iterator[str]:
    """The one application is deployed where somebody asked for it, for those who are permitted."""
    if function.get("FunctionUrlConfig") != {"AuthType": "AWS_IAM"} or function.get("Events"):
        yield f"{CONSOLE}: anybody could reach it: its only door is a function URL with AWS_IAM"
    for name in (CONSOLE, f"{CONSOLE}Role"):
        if template["Resources"][name].get("Condition") != "HasConsole":
            yield f"{name}: is deployed by default: give it the Condition HasConsole"
    if template["Parameters"]["DeployConsole"].get("Default") != "false":
        yield "DeployConsole: deploys the console by default: set its Default to false"


def of_schedules(template: Template) -> Iterator[str]:
    for job, function in functions(template):
        for event in events(function, "Schedule", "ScheduleV2"):
            if fault := schedule_fault(event.get("ScheduleExpression") or event.get("Schedule")):
                yield f"{job}: its schedule {fault}"
    for name, schedule in resources(template, "AWS::Scheduler::Schedule", "AWS::Events::Rule"):
        if "ScheduleExpression" in schedule and (
            fault := schedule_fault(schedule["ScheduleExpression"])
        ):
            yield f"{name}: its schedule {fault}"


def schedule_fault(expression: object) -> str:
    """Say what is wrong with a schedule, or nothing; a rate or cron of whole minutes is right."""
    if not isinstance(expression, str):
        return f"is {expression!r}: write it out, so that it can be checked"
    if not expression.startswith("cron(") and not RATE.fullmatch(expression):
        return f"{expression!r} is no rate of whole minutes, and no cron of six fields"
    try:
        next(Schedule(expression).due(datetime(2026, 1, 1, tzinfo=UTC)))
    except ValueError as error:
        return str(error)
    except StopIteration:
        return f"{expression!r} is never due"
    return ""


def test_every_job_belongs_to_the_fleet() -> None:
    assert violations(real()) == []


CONSOLE_URL = "Resources/Console/Properties/FunctionUrlConfig"
PRUNE = "Resources/PruneObjects/Properties"
SCHEDULE = f"{PRUNE}/Events/Schedule/Properties/ScheduleExpression"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(f"{PRUNE}/Timeout", 301, "PruneObjects: its Timeout", id="long"),
        pytest.param(
            "Globals/Function/VpcConfig", {"SubnetIds": []}, "PruneObjects: is in a VPC", id="VPC"
        ),
        pytest.param(
            f"{PRUNE}/FunctionUrlConfig",
            {"AuthType": "NONE"},
            "PruneObjects: answers HTTP",
            id="URL",
        ),
        pytest.param(
            f"{PRUNE}/Events/Ask", {"Type": "HttpApi", "Properties": {}}, "answers HTTP", id="event"
        ),
        pytest.param(
            "Resources/Door",
            {"Type": "AWS::Serverless::HttpApi"},
            "Door: AWS::Serverless::HttpApi",
            id="API",
        ),
        pytest.param(
            "Resources/Door",
            {"Type": "AWS::Lambda::Url"},
            "Door: AWS::Lambda::Url answers",
            id="URL resource",
        ),
        pytest.param(
            f"{CONSOLE_URL}/AuthType", "NONE", "Console: anybody could reach it", id="open console"
        ),
        pytest.param(
            f"{CONSOLE_URL}/Cors",
            {"AllowOrigins": ["*"]},
            "anybody could reach it",
            id="other sites",
        ),
        pytest.param(
            "Resources/Console/Properties/Events/Ask",
            {"Type": "HttpApi"},
            "its only door",
            id="other door",
        ),
        pytest.param(
            "Resources/Console/Condition", REMOVED, "Console: is deployed by default", id="unasked"
        ),
        pytest.param(
            "Resources/ConsoleRole/Condition",
            REMOVED,
            "ConsoleRole: is deployed",
            id="unasked role",
        ),
        pytest.param(
            "Parameters/DeployConsole/Default",
            "true",
            "DeployConsole: deploys",
            id="asked by default",
        ),
        pytest.param(SCHEDULE, "rate(30 seconds)", "PruneObjects: its schedule", id="seconds"),
        pytest.param(
            SCHEDULE, "cron(* * * * *)", "is not a cron(...) of six fields", id="malformed"
        ),
        pytest.param(
            "Resources/Tick",
            {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(0 minutes)"}},
            "Tick: its schedule",
            id="rule",
        ),
    ],
)
def test_what_does_not_belong_is_named(path: str, value: object, said: str) -> None:
    assert said in "\n".join(violations(seeded(path, value)))


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minute)",
        "rate(12 hours)",
        "cron(0 8,20 * * ? *)",
        "cron(0/5 8-17 ? * MON-FRI *)",
        "cron(0 9 L * ? 2027)",
    ],
)
def test_a_right_schedule_has_no_fault(expression: str) -> None:
    assert schedule_fault(expression) == ""


@pytest.mark.parametrize(
    "expression",
    [
        "rate(1 minutes)",
        "rate(0 minutes)",
        "rate(0.5 hours)",
        "cron(0 8 * * * *)",
        "cron(0 8 ? * ? *)",
        "cron(60 8 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 8 * * ? *, 5)",
        "cron(0 8 * * ? 2025)",
        "at(2027-01-01T00:00:00)",
        {"Ref": "Schedule"},
    ],
)
def test_a_wrong_schedule_has_a_fault(expression: object) -> None:
    assert schedule_fault(expression)
