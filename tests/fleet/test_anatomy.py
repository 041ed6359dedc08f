"""Every job reads the same: imports, constants, `Settings`, values, functions, and its handler."""

import ast
import dataclasses
import pydoc
import re
import sys
from collections.abc import Iterator

import pytest
from tests.fleet.source import CONSOLE, JOBS, imported, job_source, modules, own_packages
from tests.fleet.template import Properties, Template, functions, real
from tools.manifest import ROOT, snake_case

ALLOWED = {
    *sys.stdlib_module_names,
    "boto3",
    "botocore",
    "aws_lambda_powertools",
    "fleet",
    "standardwebhooks",
}
KINDS = {"fleet.runtime.scheduled.scheduled": "ScheduleV2", "fleet.runtime.queued.queued": "SQS"}
ORDER = ("the docstring", "imports", "constants", "value types", "functions")


def violations(text: str, own: frozenset[str] = frozenset()) -> list[str]:
    """Return what is unlike the other jobs in a job's source; `own` are the job's packages."""
    tree = ast.parse(text)
    return [*of_docstring(tree), *of_order(tree), *of_handler(tree), *of_imports(tree, own)]


def of_docstring(tree: ast.Module) -> Iterator[str]:
    summary, *rest = (ast.get_docstring(tree) or "").split("\n\n", 1)
    if not re.fullmatch(r"[A-Z][^\n]*\.", summary):
        yield "says not in one sentence what it does: begin the docstring with one line"
    if not rest or not re.match(r"Trigger: ", rest[0]):
        yield (
            "says not what triggers it: after a blank line, go on with `Trigger:`, then what it "
            "reads and writes"
        )


def of_order(tree: ast.Module) -> Iterator[str]:
    last = 0
    for node in tree.body:
        place = _place(node)
        if place < last:
            yield f"line {node.lineno}: {ORDER[place]} come before {ORDER[last]}: move it up"
        last = max(place, last)
    types = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if "Settings" in types[1:]:
        yield "Settings is not the first of its types: move it up"


def of_handler(tree: ast.Module) -> Iterator[str]:
    last = tree.body[-1]
    if (
        not isinstance(last, ast.FunctionDef)
        or last.name != "handler"
        or handler_kind(tree) is None
    ):
        yield (
            "does not end in its handler: make the last function `handler`, decorated with "
            "@scheduled or @queued"
        )


def of_imports(tree: ast.Module, own: frozenset[str]) -> Iterator[str]:
    for module, line, for_types in modules(tree):
        package = module.split(".")[0]
        if package.startswith("mypy_boto3_"):
            if not for_types:
                yield f"line {line}: {module} is not deployed: import it under TYPE_CHECKING"
        elif package not in ALLOWED | own:
            yield (
                f"line {line}: imports {module}: jobs import the standard library, boto3, "
                "Powertools, fleet and their own package"
            )


def handler_kind(tree: ast.Module) -> str | None:
    """Return the type of event that the handler's decorator is for."""
    names = imported(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "handler":
            return next(
                (
                    KINDS.get(names.get(mark.id, ""))
                    for mark in node.decorator_list
                    if isinstance(mark, ast.Name)
                ),
                None,
            )
    return None


def _place(node: ast.stmt) -> int:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return 0
        case ast.Import() | ast.ImportFrom() | ast.If():
            return 1
        case ast.ClassDef():
            return 3
        case ast.FunctionDef():
            return 4
    return 2


def environment_violations(job: str, text: str, function: Properties) -> Iterator[str]:
    """Yield where a job's `Settings` and its environment variables disagree."""
    tree = ast.parse(text)
    fields = {
        field.target.id.upper(): field.value is not None
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    fields |= inherited(tree)
    given = function.get("Environment", {}).get("Variables", {}).keys() - {
        "POWERTOOLS_SERVICE_NAME"
    }
    for name in sorted(given - fields.keys()):
        yield (
            f"{job}: the variable {name} is none of its Settings: remove it from the template, or "
            "add the field"
        )
    for name in sorted(fields.keys() - given):
        if not fields[name]:
            yield (
                f"{job}: its Settings need {name}: set the variable in the template, or give the "
                "field a default"
            )
    if handler_kind(tree) not in [event["Type"] for event in function.get("Events", {}).values()]:
        yield (
            f"{job}: its handler is decorated for {handler_kind(tree)}, and the template has no "
            "such event"
        )


def inherited(tree: ast.Module) -> dict[str, bool]:
    """Return the fields that `Settings` inherits, and whether each has a default."""
    names = imported(tree)
    bases = [
        pydoc.locate(names[base.id])
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "Settings"
        for base in node.bases
        if isinstance(base, ast.Name)
    ]
    found = [field for base in bases for field in dataclasses.fields(base)]  # type: ignore[arg-type]
    return {field.name.upper(): field.default is not dataclasses.MISSING for field in found}


def own_properties(template: Template) -> dict[str, Properties]:
    """Return what the template says of each function itself, without `Globals`."""
    return {
        snake_case(name): properties
        for name, properties in functions({"Resources": template["Resources"]})
    }


@pytest.mark.parametrize("job", [job for job in JOBS if job != CONSOLE])
def test_the_job_reads_as_all_do(job: str) -> None:
    assert violations(job_source(job), own_packages(job)) == []


@pytest.mark.parametrize("job", [job for job in JOBS if job != CONSOLE])
def test_the_template_sets_what_the_job_reads(job: str) -> None:
    assert list(environment_violations(job, job_source(job), own_properties(real())[job])) == []


def test_the_template_sets_what_the_console_reads() -> None:
    settings = (ROOT / "functions" / CONSOLE / "fleet_console" / "settings.py").read_text()
    function = own_properties(real())[CONSOLE] | {
        "Events": {"Url": {"Type": None}}
    }  # which has no decorator

    assert list(environment_violations(CONSOLE, settings, function)) == []


SEED = '''"""Look at something.

Trigger: schedule, daily. Reads: nothing.
"""

from fleet.runtime.scheduled import scheduled

LIMIT = 3


class Settings:
    limit: int


def looked(): ...


@scheduled
def handler(run): ...
'''


def test_the_seed_has_no_fault_of_its_own() -> None:
    assert violations(SEED) == []


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        pytest.param(
            "Look at something.",
            "Look at\nsomething.",
            "in one sentence",
            id="summary of two lines",
        ),
        pytest.param('"""Look', 'TEXT = """Look', "in one sentence", id="no docstring"),
        pytest.param("Trigger: ", "Runs on a ", "what triggers it", id="no trigger"),
        pytest.param(
            "def looked(): ...", "LATE = 3", "constants come before value types", id="late constant"
        ),
        pytest.param(
            "LIMIT = 3",
            "def early(): ...",
            "value types come before functions",
            id="early function",
        ),
        pytest.param(
            "LIMIT = 3", "class First: ...", "Settings is not the first", id="settings second"
        ),
        pytest.param(
            "def handler(run): ...",
            "def main(run): ...",
            "does not end in its handler",
            id="no handler",
        ),
        pytest.param("@scheduled\n", "", "does not end in its handler", id="bare handler"),
        pytest.param("LIMIT = 3", "import requests", "imports requests", id="package of others"),
        pytest.param("LIMIT = 3", "from tools import manifest", "imports tools", id="tools"),
        pytest.param(
            "LIMIT = 3",
            "from functions.other import app",
            "imports functions.other",
            id="another job",
        ),
        pytest.param("LIMIT = 3", "from . import app", "imports .", id="relative"),
        pytest.param(
            "LIMIT = 3",
            "from mypy_boto3_s3 import S3Client",
            "import it under TYPE_CHECKING",
            id="stubs",
        ),
    ],
)
def test_what_is_unlike_other_jobs_is_named(right: str, wrong: str, said: str) -> None:
    assert said in "\n".join(violations(SEED.replace(right, wrong)))


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        pytest.param(
            "    limit: int",
            "    limit: int\n    owner: str",
            "its Settings need OWNER",
            id="not set",
        ),
        pytest.param(
            "    limit: int", "    owner: str = ''", "LIMIT is none of its Settings", id="not read"
        ),
        pytest.param("scheduled", "queued", "decorated for SQS", id="other trigger"),
    ],
)
def test_settings_that_disagree_with_the_template_are_named(
    right: str, wrong: str, said: str
) -> None:
    function = {
        "Environment": {"Variables": {"LIMIT": 3}},
        "Events": {"Schedule": {"Type": "ScheduleV2"}},
    }

    assert list(environment_violations("job", SEED, function)) == []
    assert said in "\n".join(environment_violations("job", SEED.replace(right, wrong), function))
