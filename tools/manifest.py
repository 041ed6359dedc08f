"""The fleet's jobs, as the template declares them and their docstrings explain them."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
KINDS = {"ScheduleV2": "schedule", "SQS": "queue", "Http": "http"}


@dataclass(frozen=True, slots=True)
class Job:
    """One function of the fleet. `words` say when it runs; `docstring` is its module's.

    `kind` is `schedule`, `queue` or `http`; only the first has an `expression`.
    """

    name: str
    kind: str
    words: str
    expression: str
    docstring: str

    @property
    def trigger(self) -> str:
        """When it runs, with the expression that says so exactly."""
        return f"{self.words} (`{self.expression}`)" if self.expression else self.words

    @property
    def summary(self) -> str:
        """The first line of the docstring, and the function's description."""
        return self.docstring.splitlines()[0]


def template(path: Path = ROOT / "template.yaml") -> dict[str, Any]:
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
    """Return the text of the job's runbook entry, without its heading."""
    found = re.search(
        rf"^## {job}\n(.*?)(?=^## |\Z)",
        (ROOT / "docs" / "operations.md").read_text(),
        re.DOTALL | re.MULTILINE,
    )
    return found[1].strip() if found else ""


def logical_id(job: str) -> str:
    """Return the job's name in the template: `paused_pipelines` gives `PausedPipelines`."""
    return "".join(word.capitalize() for word in job.split("_"))


def snake_case(name: str) -> str:
    """Return the job's name for its logical id: `PausedPipelines` gives `paused_pipelines`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _job(name: str, function: dict[str, Any]) -> Job:
    source = (ROOT / function["CodeUri"] / "app.py").read_text()
    docstring = ast.get_docstring(ast.parse(source)) or ""
    event: Any = next(iter(function.get("Events", {}).values()), {"Type": "Http"})
    words = re.search(r"Trigger: (.+?)\.(?:\s|$)", docstring, re.DOTALL)
    return Job(
        snake_case(name),
        KINDS[event["Type"]],
        " ".join(words[1].split()) if words else event["Type"],
        event["Properties"]["ScheduleExpression"] if event["Type"] == "ScheduleV2" else "",
        docstring,
    )


class _Loader(yaml.SafeLoader):
    """Reads YAML with CloudFormation's tags, which stand for intrinsic functions."""


def _intrinsic(loader: _Loader, name: str, node: yaml.Node) -> dict[str, Any]:
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
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _intrinsic)
