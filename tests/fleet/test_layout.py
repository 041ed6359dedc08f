"""One job is one folder, and everything else that belongs to a job has its name."""

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.fleet.source import CONSOLE
from tests.fleet.template import REMOVED, Properties, Template, functions, named, real, seeded
from tools.manifest import ROOT, snake_case

# What every job has, and what a new one is missing when it is forgotten.
FILES = {
    "tests/events/{job}.json": "a real event for it",
    "tests/unit/functions/test_{job}.py": "its unit tests",
    "tools/local/scenarios/{job}.py": "what it is to find in the local fleet",
}
BUILT = {CONSOLE: {"requirements.in", "requirements.txt", "Makefile", "Dockerfile"}}
PACKAGE = re.compile(r"fleet_[a-z]+")  # a prefix that no package of others has
RUNBOOK = "docs/operations.md"
README = "README.md"


def violations(root: Path, template: Template) -> list[str]:
    """Return where folders, template, tests and documents disagree about which jobs there are."""
    jobs = {path.name for path in (root / "functions").iterdir() if any(path.glob("*.py"))}
    return [
        *of_folders(root, jobs),
        *of_files(root, jobs),
        *of_documents(root, jobs),
        *of_template(root, jobs, template),
    ]


def of_folders(root: Path, jobs: set[str]) -> Iterator[str]:
    for job in sorted(jobs):
        files = {path.name for path in (root / "functions" / job).iterdir()} - {"__pycache__"}
        odd = {name for name in files if not PACKAGE.fullmatch(name)} - BUILT.get(job, set())
        if odd != {"app.py"}:
            yield (
                f"functions/{job}: has {', '.join(sorted(files))}: "
                "a whole job is its app.py, and at most a package fleet_* of its own"
            )
        if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*", job):
            yield f"functions/{job}: is no name of a job: write it in snake_case"


def of_files(root: Path, jobs: set[str]) -> Iterator[str]:
    for pattern, what in FILES.items():
        for job in sorted(jobs):
            if not (root / pattern.format(job=job)).is_file():
                yield f"{job}: {pattern.format(job=job)} is missing: add {what}"
        folder, name = pattern.rsplit("/", 1)
        prefix, suffix = name.split("{job}")
        for path in sorted((root / folder).glob(f"{prefix}*{suffix}")):
            owner = path.name.removeprefix(prefix).removesuffix(suffix).split(".")[0]
            if owner not in jobs and not owner.startswith("__"):
                yield (
                    f"{folder}/{path.name}: there is no job {owner}: remove it, or name it after "
                    "its job"
                )


def of_documents(root: Path, jobs: set[str]) -> Iterator[str]:
    table = re.search(r"<!-- jobs -->(.*)<!-- /jobs -->", _text(root / README), re.DOTALL)
    rows = (
        re.findall(r"^\| \[(\w+)\]\(functions/\1/app\.py\) \|", table[1], re.MULTILINE)
        if table
        else []
    )
    sections = re.findall(r"^## ([a-z][a-z0-9_]*)$", _text(root / RUNBOOK), re.MULTILINE)
    yield from _same(jobs, rows, README, "run `make docs`")
    yield from _same(
        jobs,
        sections,
        RUNBOOK,
        "write `## {job}`: what it tells you, what to do, what breaks if it stops",
    )


def of_template(root: Path, jobs: set[str], template: Template) -> Iterator[str]:
    declared = {
        snake_case(logical_id): (logical_id, function)
        for logical_id, function in functions(template)
    }
    yield from _same(
        jobs, list(declared), "template.yaml", "declare it as AWS::Serverless::Function"
    )
    for job in sorted(declared.keys() & jobs):
        logical_id, function = declared[job]
        docstring = ast.get_docstring(ast.parse(_text(root / "functions" / job / "app.py"))) or "\n"
        yield from _named(job, logical_id, function, docstring.splitlines()[0])


def _named(job: str, logical_id: str, function: Properties, summary: str) -> Iterator[str]:
    expected = {
        "CodeUri": f"functions/{job}",
        "Handler": "app.handler",
        "FunctionName": {"Fn::Sub": f"${{AWS::StackName}}-{job}"},
        "Description": summary,
    }
    for name, value in expected.items():
        if function.get(name) != value:
            yield f"{logical_id}: {name} is {function.get(name)!r}: make it {value!r}"
    if (service := function["Environment"]["Variables"].get("POWERTOOLS_SERVICE_NAME")) != job:
        yield f"{logical_id}: POWERTOOLS_SERVICE_NAME is {service!r}: make it {job!r}"
    if named(function.get("LoggingConfig", {}).get("LogGroup")) != "Logs":
        yield f"{logical_id}: its lines are kept for ever: log to the group `Logs`"


def _same(jobs: set[str], found: list[str], where: str, remedy: str) -> Iterator[str]:
    for job in sorted(jobs - set(found)):
        yield f"{job}: is missing in {where}: {remedy.format(job=job)}"
    for job in sorted(set(found) - jobs):
        yield f"{where}: there is no job {job}: remove it, or add functions/{job}/app.py"
    for job in sorted({job for job in found if found.count(job) > 1}):
        yield f"{where}: {job} stands there twice: remove one"


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def test_every_job_is_whole() -> None:
    assert violations(ROOT, real()) == []


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fleet")
    for folder in ("functions", *(pattern.rsplit("/", 1)[0] for pattern in FILES)):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "docs").mkdir()
    for document in (README, RUNBOOK):
        shutil.copy(ROOT / document, root / document)
    return root


@pytest.fixture
def tree(copied: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(copied, tmp_path / "fleet"))


def without(path: str) -> Callable[[Path], object]:
    return lambda root: (root / path).unlink()


def moved(old: str, new: str) -> Callable[[Path], object]:
    return lambda root: (root / old).rename(root / new)


def written(path: str, change: Callable[[str], str]) -> Callable[[Path], object]:
    return lambda root: (root / path).write_text(change(_text(root / path)))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        pytest.param(
            without("tests/events/prune_objects.json"),
            "prune_objects: tests/events/",
            id="no event",
        ),
        pytest.param(
            without("tests/unit/functions/test_prune_objects.py"),
            "prune_objects: tests/unit/",
            id="no test",
        ),
        pytest.param(
            without("tools/local/scenarios/prune_objects.py"),
            "prune_objects: tools/",
            id="no scenario",
        ),
        pytest.param(
            moved("tests/events/prune_objects.json", "tests/events/prune.json"),
            "there is no job prune:",
            id="odd event",
        ),
        pytest.param(
            moved("functions/prune_objects", "functions/prune"),
            "prune: is missing in template",
            id="renamed",
        ),
        pytest.param(
            moved("functions/prune_objects", "functions/Prune"),
            "write it in snake_case",
            id="odd name",
        ),
        pytest.param(
            moved("functions/prune_objects/app.py", "functions/prune_objects/main.py"),
            "is its app.py",
            id="no app.py",
        ),
        pytest.param(
            written("functions/prune_objects/util.py", str),
            "has app.py, util.py",
            id="second module",
        ),
        pytest.param(
            written(
                "functions/prune_objects/app.py",
                lambda text: text.replace("Delete all", "Remove all", 1),
            ),
            "PruneObjects: Description is",
            id="description of another time",
        ),
        pytest.param(
            written(README, lambda text: text.replace("[prune_objects]", "[prune]")),
            "prune_objects: is missing in README.md",
            id="no row",
        ),
        pytest.param(
            written(RUNBOOK, lambda text: text.replace("## prune_objects", "## Pruning")),
            "prune_objects: is missing in docs/operations.md",
            id="no runbook entry",
        ),
        pytest.param(
            written(RUNBOOK, lambda text: f"{text}\n## renew_leases\n"),
            "there is no job renew_leases",
            id="old entry",
        ),
        pytest.param(
            written(RUNBOOK, lambda text: f"{text}\n## prune_objects\n"),
            "prune_objects stands there twice",
            id="twice",
        ),
    ],
)
def test_what_a_job_lacks_is_named(tree: Path, harm: Callable[[Path], object], said: str) -> None:
    harm(tree)

    assert said in "\n".join(violations(tree, real()))


PRUNE = "Resources/PruneObjects/Properties"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(
            "Resources/PruneObjects",
            REMOVED,
            "prune_objects: is missing in template.yaml",
            id="undeclared",
        ),
        pytest.param(
            "Resources/RenewLeases",
            {"Type": "AWS::Serverless::Function", "Properties": {}},
            "there is no job renew_leases",
            id="no folder",
        ),
        pytest.param(
            f"{PRUNE}/CodeUri", "functions/prune", "PruneObjects: CodeUri is", id="other folder"
        ),
        pytest.param(
            "Globals/Function/Handler", "app.main", "PruneObjects: Handler is", id="other handler"
        ),
        pytest.param(
            f"{PRUNE}/FunctionName",
            "prune_objects",
            "PruneObjects: FunctionName is",
            id="name of no stack",
        ),
        pytest.param(
            f"{PRUNE}/Description", "Prune.", "PruneObjects: Description is", id="other description"
        ),
        pytest.param(
            f"{PRUNE}/Environment/Variables/POWERTOOLS_SERVICE_NAME",
            "prune",
            "SERVICE_NAME is 'prune'",
            id="service",
        ),
        pytest.param(
            "Globals/Function/LoggingConfig",
            {},
            "PruneObjects: its lines are kept for ever",
            id="own logs",
        ),
    ],
)
def test_a_job_declared_otherwise_is_named(path: str, value: object, said: str) -> None:
    assert said in "\n".join(violations(ROOT, seeded(path, value)))
