"""The template as plain data, and copies of it with one thing wrong."""

import copy
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from tools import manifest

Properties = dict[str, Any]
Template = dict[str, Any]

REMOVED = object()


@cache
def real() -> Template:
    """Return the fleet's template; nobody changes it, see `seeded`."""
    return dict(json.loads(json.dumps(manifest.template())))


def seeded(path: str, value: object) -> Template:
    """Return a copy of the template with `value` at `path`, or without it when that is `REMOVED`.

    The path is of names and indexes; `-` at its end appends to a list.
    """
    changed = copy.deepcopy(real())
    *parents, last = path.split("/")
    place: Any = changed
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
    if last == "-":
        place.append(value)
    elif value is REMOVED:
        del place[int(last) if isinstance(place, list) else last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return changed


def resources(template: Template, *types: str) -> Iterator[tuple[str, Properties]]:
    """Yield logical id and properties of each resource of these types."""
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] in types:
            yield logical_id, resource.get("Properties", {})


def functions(template: Template) -> Iterator[tuple[str, Properties]]:
    """Yield logical id and properties of each function, with what `Globals` says."""
    for logical_id, properties in resources(template, "AWS::Serverless::Function"):
        yield logical_id, merged(template.get("Globals", {}).get("Function", {}), properties)


def merged(common: Properties, own: Properties) -> Properties:
    """Return what SAM makes of `Globals` and a function: own values win, mappings are merged."""
    both = {**common, **own}
    for name in common.keys() & own.keys():
        if isinstance(common[name], dict) and isinstance(own[name], dict):
            both[name] = merged(common[name], own[name])
    return both


def events(function: Properties, *types: str) -> Iterator[Properties]:
    """Yield the properties of the function's events of these types."""
    for event in function.get("Events", {}).values():
        if event["Type"] in types:
            yield event["Properties"]


def named(value: object) -> str:
    """Return the logical id that `!Ref` or `!GetAtt` names, or nothing."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return name
    return ""


def text(value: object) -> str:
    """Return what a text or a `!Sub` says, with its variables as they stand there, or nothing."""
    match value:
        case str(text) | {"Fn::Sub": str(text)}:
            return text
    return ""


# What stands between `arn:${AWS::Partition}:` and a resource's own name, and the property with that
# name.
ARNS = {
    "AWS::CloudWatch::Alarm": ("cloudwatch", "alarm:", "AlarmName"),
    "AWS::Events::Rule": ("events", "rule/", "Name"),
    "AWS::SNS::Topic": ("sns", "", "TopicName"),
    "AWS::SQS::Queue": ("sqs", "", "QueueName"),
    "AWS::Serverless::Function": ("lambda", "function:", "FunctionName"),
}


def arn(template: Template, logical_id: str) -> str:
    """Return a resource's ARN as `!Sub` would be given it, or nothing without a name of its own."""
    resource = template["Resources"].get(logical_id, {})
    if resource.get("Type") not in ARNS:
        return ""
    service, prefix, key = ARNS[resource["Type"]]
    name = text(resource["Properties"].get(key))
    here = "${AWS::Region}:${AWS::AccountId}"
    return f"arn:${{AWS::Partition}}:{service}:{here}:{prefix}{name}" if name else ""


def covers(template: Template, value: object, logical_id: str) -> bool:
    """Whether a policy's ARN, which may be a pattern, is one of this resource."""
    return named(value) == logical_id or fnmatchcase(arn(template, logical_id), text(value) or "-")


def listed(value: object) -> list[Any]:
    """Return a value that may stand alone as the list that it stands for."""
    return value if isinstance(value, list) else [] if value is None else [value]


def statements(document: Properties) -> list[Properties]:
    """Return the statements of a policy document."""
    return listed(document.get("Statement"))


def grants(template: Template, role: str) -> list[Properties]:
    """Return the statements of a role's own and managed policies."""
    properties = template["Resources"].get(role, {}).get("Properties", {})
    inline = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
    managed = [
        template["Resources"][named(arn)]["Properties"]
        for arn in properties.get("ManagedPolicyArns", [])
    ]
    return [
        grant
        for document in [*inline, *(p["PolicyDocument"] for p in managed)]
        for grant in statements(document)
    ]


def references(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield each place that refers to something, and the name."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            yield place, name
        case {"Fn::Sub": str(text)}:
            yield from ((place, name) for name in _substituted(text))
        case {"Fn::Sub": [str(text), dict(own)]}:
            yield from ((place, name) for name in _substituted(text) if name not in own)
            yield from references(own, place)
        case dict():
            for name, inner in value.items():
                yield from references(inner, f"{place}/{name}".strip("/"))
        case list():
            for inner in value:
                yield from references(inner, place)


def _substituted(text: str) -> list[str]:
    return re.findall(r"\$\{(?!!)([A-Za-z0-9:]+)(?:\.[A-Za-z0-9.]+)?\}", text)
