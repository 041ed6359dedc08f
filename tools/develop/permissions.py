"""What each job may do, as the template says it: the table in docs/permissions.md."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.manifest import snake_case

HEAD = """\
# What each job may do

Written by `make docs` from [template.yaml](../template.yaml). A resource without an account is one of this account and
region; a name such as `TriageAlertsQueue` is that of the stack's resource. Every right is used in the local fleet by a
scenario of its job, and every call there is one of these: see [guarantees](guarantees.md#rights-and-secrets).
"""
COLUMNS = ["| Who | May | On | Only if |", "|---|---|---|---|"]


@dataclass(frozen=True, slots=True)
class Grant:
    """One statement of a role's or a managed policy, in words."""

    who: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[str, ...]

    def row(self) -> str:
        """The grant as a row of the table."""
        cells = (self.actions, self.resources, self.conditions)
        return f"| {self.who} | {' | '.join('<br>'.join(f'`{each}`' for each in cell) for cell in cells)} |"


def document(template: dict[str, Any]) -> str:
    """Return the whole document."""
    return "\n".join([HEAD, *COLUMNS, *(grant.row() for grant in grants(template)), ""])


def grants(template: dict[str, Any]) -> Iterator[Grant]:
    """Yield what all jobs may, what some may, and what each may, in the template's order."""
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::IAM::ManagedPolicy":
                yield from _grants(_holders(name, template), properties["PolicyDocument"])
            case "AWS::IAM::Role":
                for policy in properties.get("Policies", []):
                    yield from _grants(_holder(name), policy["PolicyDocument"])


def of_role(template: dict[str, Any], role: str) -> Iterator[Grant]:
    """Yield what a role permits, by its own policies and by those that it shares."""
    properties = template["Resources"][role]["Properties"]
    shared = [
        template["Resources"][arn["Ref"]]["Properties"]
        for arn in properties.get("ManagedPolicyArns", [])
    ]
    for policy in (*properties.get("Policies", []), *shared):
        yield from _grants(_holder(role), policy["PolicyDocument"])


def _grants(who: str, policy: dict[str, Any]) -> Iterator[Grant]:
    for statement in policy["Statement"]:
        conditions = [
            f"{key} = {' or '.join(sorted(map(words, _listed(values))))}"
            for pairs in statement.get("Condition", {}).values()
            for key, values in pairs.items()
        ]
        resources = map(words, _listed(statement["Resource"]))
        yield Grant(who, tuple(_listed(statement["Action"])), tuple(resources), tuple(conditions))


def _holder(role: str) -> str:
    name = role.removesuffix("Role")
    return "the schedules" if name == "Scheduler" else snake_case(name)


def _holders(policy: str, template: dict[str, Any]) -> str:
    """Say which jobs have a managed policy."""
    resources = template["Resources"].items()
    functions = [
        name for name, resource in resources if resource["Type"] == "AWS::Serverless::Function"
    ]
    roles = {name: template["Resources"][f"{name}Role"]["Properties"] for name in functions}
    holding = [
        name for name, role in roles.items() if {"Ref": policy} in role.get("ManagedPolicyArns", [])
    ]
    return "every job" if holding == functions else ", ".join(map(snake_case, holding))


def words(value: object) -> str:
    """Say what a value of the template is, as short as is clear."""
    match value:
        case {"Ref": str(name)}:
            return name.replace("::", "_")
        case {"Fn::GetAtt": [str(name), *_]}:
            return name
        case {"Fn::Sub": [str(text), dict(own)]}:
            return re.sub(
                r"\$\{(\w+)\}",
                lambda match: words(own[match[1]]) if match[1] in own else match[0],
                text,
            )
        case {"Fn::Sub": str(text)}:
            return _short(text)
        case {"Fn::Split": [str(), inner]} | {"Fn::Join": [str(), inner]}:
            return words(inner)
    return str(value)


def _short(text: str) -> str:
    """Leave the beginning of an ARN out when it says only that it is of this account and region."""
    here = re.match(
        r"arn:\$\{AWS::Partition\}:([a-z0-9-]+):(?:\$\{AWS::Region\})?:(?:\$\{AWS::AccountId\})?:(.+)",
        text,
    )
    short = f"{here[1]}:{here[2]}" if here else text
    return re.sub(r"\$\{(?:AWS::)?(\w+?)(?:\.Arn)?\}", r"<\1>", short)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
