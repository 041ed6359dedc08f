"""The fleet's jobs, as the template declares them and their docstrings explain them."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Job:
    """One function of the fleet. `trigger` says in words when it runs; `docstring` is its module's."""

    name: str
    trigger: str
    docstring: str

    @property
    def summary(self) -> str:
        """The first line of the docstring, and the function's description."""
        return self.docstring.splitlines()[0]


def template(path: Path = ROOT / "template.yaml") -> dict[str, Any]:
    """Return the template with its intrinsic functions in their long form."""
    from cfnlint.decode.cfn_yaml import load  # it takes long, and names need no template

    return dict(load(str(path)))


def jobs() -> list[Job]:
    """Return every function of the template, in its order."""
    resources = template()["Resources"]
    return [
        _job(name, resource["Properties"])
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function"
    ]


def logical_id(job: str) -> str:
    """Return the job's name in the template: `paused_pipelines` gives `PausedPipelines`."""
    return "".join(word.capitalize() for word in job.split("_"))


def snake_case(name: str) -> str:
    """Return the job's name for its logical id: `PausedPipelines` gives `paused_pipelines`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _job(name: str, function: dict[str, Any]) -> Job:
    source = (ROOT / function["CodeUri"] / "app.py").read_text()
    docstring = ast.get_docstring(ast.parse(source)) or ""
    event = next(iter(function["Events"].values()))
    words = re.search(r"Trigger: (.+?)\.(?:\s|$)", docstring, re.DOTALL)
    trigger = " ".join(words[1].split()) if words else event["Type"]
    if event["Type"] == "ScheduleV2":
        trigger += f" (`{event['Properties']['ScheduleExpression']}`)"
    return Job(snake_case(name), trigger, docstring)
