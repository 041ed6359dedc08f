"""Only what feeds a queue may send to it, and only services of this account may publish to a topic.

This asks the policies of the CloudFormation that is deployed, as SAM translates it: the emulator
asks the policy of a
queue only for topics (see tests/local/test_rights.py), and never that of a topic.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from tests.fleet.template import Properties, Template, listed, named, resources, statements
from tests.fleet.template import arn as unresolved
from tools.manifest import ROOT

ACCOUNT, REGION = "123456789012", "eu-west-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::StackName": "fleet",
}
ACTIONS = {"AWS::SQS::QueuePolicy": "sqs:SendMessage", "AWS::SNS::TopicPolicy": "sns:Publish"}


@dataclass(frozen=True, slots=True)
class Request:
    """A service that acts on a resource because something of an account has it do so."""

    service: str
    action: str
    resource: str
    source: str
    account: str = ACCOUNT


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """What CloudFormation gets."""
    target = tmp_path_factory.mktemp("translated") / "template.json"
    python = ROOT / ".venv" / "sam" / "bin" / "python"
    subprocess.run(
        [python, "tools/develop/translate.py", "template.yaml", target], cwd=ROOT, check=True
    )
    return dict(json.loads(target.read_text()))


def resolved(template: Template, value: Any) -> Any:
    """Return the value with every reference in it replaced by a name or an ARN of this account."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Arn"]}:
            return PSEUDO.get(name) or arn(template, name)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([\w:]+)\}", lambda variable: PSEUDO[variable[1]], text)
        case dict():
            return {name: resolved(template, inner) for name, inner in value.items()}
        case list():
            return [resolved(template, inner) for inner in value]
    return value


def arn(template: Template, name: str) -> str:
    """Return the ARN that a resource will have."""
    found = resolved(template, {"Fn::Sub": unresolved(template, name)})
    assert found, f"{name} has no explicit name"
    return str(found)


def allowed(policies: list[Properties], request: Request) -> bool:
    """Whether IAM would let the request through, as far as the fleet's policies go."""
    return any(
        allows(statement, request) for policy in policies for statement in statements(policy)
    )


def allows(statement: Properties, request: Request) -> bool:
    facts = {"aws:SourceArn": request.source, "aws:SourceAccount": request.account}
    assert statement["Effect"] == "Allow"
    assert statement.get("Condition", {}).keys() <= {"StringEquals", "ArnEquals", "ArnLike"}, (
        "teach this test more"
    )
    return (
        request.service in listed(statement["Principal"]["Service"])
        and request.action in listed(statement["Action"])
        and request.resource in listed(statement["Resource"])
        and all(
            any(
                facts[key] == value
                if operator == "StringEquals"
                else fnmatchcase(facts[key], value)
                for value in listed(values)
            )
            for operator, pairs in statement.get("Condition", {}).items()
            for key, values in pairs.items()
        )
    )


def policies(template: Template, resource: str) -> list[Properties]:
    """Return the policies of a queue or topic."""
    return [
        resolved(template, policy["PolicyDocument"])
        for _, policy in resources(template, *ACTIONS)
        for name in map(named, [*policy.get("Queues", []), *policy.get("Topics", [])])
        if arn(template, name) == resource
    ]


def wanted(template: Template) -> Iterator[Request]:
    """Yield what must be let through: deliveries of rules and subscriptions, and alarms."""
    for name, rule in resources(template, "AWS::Events::Rule"):
        for target in rule["Targets"]:
            for queue in (target["Arn"], target["DeadLetterConfig"]["Arn"]):
                yield request(template, "events", "sqs:SendMessage", named(queue), name)
    for _, subscription in resources(template, "AWS::SNS::Subscription"):
        queues = [subscription["RedrivePolicy"]["deadLetterTargetArn"]]
        if subscription["Protocol"] == "sqs":
            queues.append(subscription["Endpoint"])
        topic = named(subscription["TopicArn"])
        for queue in queues:
            yield request(template, "sns", "sqs:SendMessage", named(queue), topic)
    for name, alarm in resources(template, "AWS::CloudWatch::Alarm"):
        for topic in (*alarm["AlarmActions"], *alarm["OKActions"]):
            yield request(template, "cloudwatch", "sns:Publish", named(topic), name)


def request(template: Template, service: str, action: str, resource: str, source: str) -> Request:
    """Return what a service asks for when `source` has it act on `resource`, by logical ids."""
    arns = arn(template, resource), arn(template, source)
    return Request(f"{service}.amazonaws.com", action, *arns)


def foreign(request: Request) -> Iterator[Request]:
    """Yield requests like this one, of somebody else."""
    theirs = "999999999999"
    yield replace(request, account=theirs, source=request.source.replace(ACCOUNT, theirs))
    yield replace(request, account=theirs)
    yield replace(request, source=request.source.replace(ACCOUNT, theirs))
    yield replace(request, service="s3.amazonaws.com")
    yield replace(
        request,
        action={"sqs:SendMessage": "sqs:ReceiveMessage", "sns:Publish": "sns:Subscribe"}[
            request.action
        ],
    )
    if request.action == "sqs:SendMessage":
        *_, name = re.split("[:/]", request.source)
        yield replace(request, source=request.source.replace(name, "another"))
        yield replace(request, source=request.source.replace(name, f"another-{name}"))


def test_what_feeds_a_queue_or_topic_is_let_through_and_nothing_else(deployed: Template) -> None:
    requests = set(wanted(deployed))
    for request in requests:
        own = policies(deployed, request.resource)
        assert allowed(own, request), request
        assert [each for each in foreign(request) if allowed(own, each)] == []
    fed = {request.resource for request in requests}
    queues = {arn(deployed, name) for name, _ in resources(deployed, "AWS::SQS::Queue")}
    assert [queue for queue in queues - fed if policies(deployed, queue)] == []


def test_nothing_else_has_a_policy_of_its_own(deployed: Template) -> None:
    """SAM would let a service in by a permission of its own for events of another kind."""
    kinds = {resource["Type"] for resource in deployed["Resources"].values()}
    assert not {
        kind
        for kind in kinds
        if re.search(r"Permission$|BucketPolicy$|ResourcePolicy$|EventBusPolicy$", kind)
    }
