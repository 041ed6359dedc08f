"""What each job may do, as the template says it: the table in docs/permissions.md."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.manifest import snake_case

HEAD = """\
# What each job may do

Written by `make docs` from [template.yaml](../template.yaml). A resource without an account is one
of this account and region; a name such as `TriageAlertsQueue` is that of the stack's resource.
Every right is used in the local fleet by a scenario of its job, and every call there is one of
these: see [guarantees](guarantees.md#rights-and-secrets).
"""
Properties = dict[str, Any]
COLUMNS = ["| Who | May | On | Only if |", "|---|---|---|---|"]
# The beginning of an ARN that says only that it is of this account and region.
HERE = re.compile(
    r"arn:\$\{AWS::Partition\}:([a-z0-9-]+):(?:\$\{AWS::Region\})?:(?:\$\{AWS::AccountId\})?:"
)
VARIABLE = re.compile(r"\$\{(?:AWS::)?(\w+?)(?:\.Arn)?\}")


@dataclass(frozen=True, slots=True)
class Grant:
    """One statement of a role's or a managed policy, in words: who may do what, on what, and if."""

    who: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[str, ...]

    def row(self) -> str:
        """The grant as a row of the table."""
        cells = [
            self.who,
            _cell(self.actions),
            _cell(self.resources),
            _cell(self.conditions),
        ]
        row = " | ".join(cells)
        return f"| {row} |"


def _cell(values: tuple[str, ...]) -> str:
    quoted = [f"`{value}`" for value in values]
    return "<br>".join(quoted)


def document(template: Properties) -> str:
    """Return the whole document."""
    rows = [grant.row() for grant in grants(template)]
    return "\n".join([HEAD, *COLUMNS, *rows, ""])


def grants(template: Properties) -> Iterator[Grant]:
    """Yield what all jobs may, what some may, and what each may, in the template's order."""
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            holders = _holders(name, template)
            yield from _of_policy(holders, properties["PolicyDocument"])
        elif resource["Type"] == "AWS::IAM::Role":
            for policy in properties.get("Policies", []):
                yield from _of_policy(_holder(name), policy["PolicyDocument"])


def of_role(template: Properties, role: str) -> Iterator[Grant]:
    """Yield what a role permits, by its own policies and by those that it shares."""
    resources = template["Resources"]
    properties = resources[role]["Properties"]
    holder = _holder(role)
    for policy in properties.get("Policies", []):
        yield from _of_policy(holder, policy["PolicyDocument"])
    for arn in properties.get("ManagedPolicyArns", []):
        managed = resources[arn["Ref"]]["Properties"]
        yield from _of_policy(holder, managed["PolicyDocument"])


def _of_policy(who: str, policy: Properties) -> Iterator[Grant]:
    for statement in policy["Statement"]:
        actions = _as_list(statement["Action"])
        resources = _as_list(statement["Resource"])
        yield Grant(
            who=who,
            actions=tuple(actions),
            resources=tuple(map(words, resources)),
            conditions=tuple(_conditions(statement)),
        )


def _conditions(statement: Properties) -> Iterator[str]:
    for pairs in statement.get("Condition", {}).values():
        for key, values in pairs.items():
            texts = map(words, _as_list(values))
            alternatives = " or ".join(sorted(texts))
            yield f"{key} = {alternatives}"


def _holder(role: str) -> str:
    name = role.removesuffix("Role")
    if name == "Scheduler":
        return "the schedules"
    return snake_case(name)


def _holders(policy: str, template: Properties) -> str:
    """Say which jobs have a managed policy."""
    resources = template["Resources"]
    jobs = []
    holding = []
    for name, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            jobs.append(name)
            role = resources[f"{name}Role"]["Properties"]
            if {"Ref": policy} in role.get("ManagedPolicyArns", []):
                holding.append(name)
    if holding == jobs:
        return "every job"
    return ", ".join(snake_case(name) for name in holding)


def words(value: object) -> str:
    """Say what a value of the template is, as short as is clear."""
    match value:
        case {"Ref": str(name)}:
            return name.replace("::", "_")
        case {"Fn::GetAtt": [str(name), *_]}:
            return name
        case {"Fn::Sub": [str(text), dict(own)]}:
            return _filled(text, own)
        case {"Fn::Sub": str(text)}:
            return _short(text)
        case {"Fn::Split": [str(), inner]} | {"Fn::Join": [str(), inner]}:
            return words(inner)
    return str(value)


def _filled(text: str, own: Properties) -> str:
    """Put the values of a `!Sub` into its text."""
    for name, value in own.items():
        variable = f"${{{name}}}"
        text = text.replace(variable, words(value))
    return text


def _short(text: str) -> str:
    """Leave out the beginning of an ARN that says only that it is of this account and region."""
    short = HERE.sub(r"\1:", text)
    return VARIABLE.sub(r"<\1>", short)


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [value]
