"""The fleet's jobs, as the template declares them and their docstrings explain them."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
Properties = dict[str, Any]
KINDS = {"ScheduleV2": "schedule", "SQS": "queue", "Http": "http"}


@dataclass(frozen=True, slots=True)
class Job:
    """One function of the fleet.

    kind: `schedule`, `queue` or `http`.
    words: when it runs, as its docstring says.
    expression: the schedule's, such as `rate(5 minutes)`; empty for the other kinds.
    docstring: that of its app.py.
    """

    name: str
    kind: str
    words: str
    expression: str
    docstring: str

    @property
    def trigger(self) -> str:
        """When it runs, with the expression that says so exactly."""
        if not self.expression:
            return self.words
        return f"{self.words} (`{self.expression}`)"

    @property
    def summary(self) -> str:
        """The first line of the docstring, and the function's description."""
        return self.docstring.splitlines()[0]


def template(path: Path = ROOT / "template.yaml") -> Properties:
    """Return the template, with `!Ref X` and its like in their long form."""
    return dict(yaml.load(path.read_text(), _Loader))  # noqa: S506 - it makes plain values only


def jobs() -> list[Job]:
    """Return every function of the template, in its order."""
    resources = template()["Resources"]
    return [
        _job(name, resource["Properties"])
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    ]


def runbook(job: str) -> str:
    """Return the text of the job's runbook entry without its heading, or nothing."""
    text = (ROOT / "docs" / "operations.md").read_text()
    section = rf"^## {job}\n(.*?)(?=^## |\Z)"
    found = re.search(section, text, re.DOTALL | re.MULTILINE)
    if not found:
        return ""
    return found[1].strip()


def logical_id(job: str) -> str:
    """Return the job's name in the template: `paused_pipelines` gives `PausedPipelines`."""
    words = job.split("_")
    return "".join(word.capitalize() for word in words)


def snake_case(name: str) -> str:
    """Return the job's name for its logical id: `PausedPipelines` gives `paused_pipelines`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _job(name: str, function: Properties) -> Job:
    source = (ROOT / function["CodeUri"] / "app.py").read_text()
    docstring = ast.get_docstring(ast.parse(source)) or ""
    events: list[Properties] = list(function.get("Events", {}).values())
    event = events[0] if events else Properties(Type="Http")
    expression = ""
    if event["Type"] == "ScheduleV2":
        expression = event["Properties"]["ScheduleExpression"]
    return Job(
        name=snake_case(name),
        kind=KINDS[event["Type"]],
        words=_trigger(docstring) or event["Type"],
        expression=expression,
        docstring=docstring,
    )


def _trigger(docstring: str) -> str:
    """Return what follows `Trigger:` in a job's docstring, up to the end of the sentence."""
    sentence = re.search(r"Trigger: (.+?)\.(?:\s|$)", docstring, re.DOTALL)
    if not sentence:
        return ""
    return " ".join(sentence[1].split())


class _Loader(yaml.SafeLoader):
    """Reads YAML with CloudFormation's tags, which stand for intrinsic functions."""


def _intrinsic(loader: _Loader, name: str, node: yaml.Node) -> Properties:
    """Return the long form of `!Name value`.

    Source: "Intrinsic function reference" in the CloudFormation user guide.
    """
    value: Any
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = node.value
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    if name in ("Ref", "Condition"):
        return {name: value}
    return {f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _intrinsic)
