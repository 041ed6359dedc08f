"""Who may import what: the layer serves several functions, and jobs keep to themselves."""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.fleet.source import modules
from tools.manifest import ROOT

# Modules of the layer with one user among the functions, and why they stand in it nevertheless.
GUARDS = {
    "fleet.dead_letters.journal": "the operators' tool writes down what it did as the console does",
    "fleet.dead_letters.redrive": "the operators' tool redrives as the console does",
    "fleet.dead_letters.sending": "the operators' tool sends letters back as the console does",
}
# In a checkout the console makes its catalogue by the tool that its build runs.
OF_A_CHECKOUT = {"functions/console/fleet_console/catalogue.py": "tools"}
Sources = Mapping[str, str]


def sources(*folders: str) -> dict[str, str]:
    """Return the text of each module below these folders, by its path."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(paths)}


def module_name(path: str) -> str:
    """Return the name by which a module is imported: `fleet.aws` for shared/fleet/aws.py."""
    parts = list(Path(path).with_suffix("").parts)
    if parts[0] == "shared":
        del parts[0]
    if parts[0] == "functions":
        del parts[:2]
    if parts[-1] == "__init__":
        del parts[-1]
    return ".".join(parts)


def imports(text: str) -> set[str]:
    """Return each name that a module imports, with the module that it comes from."""
    names = set[str]()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    names.update(module for module, _, _ in modules(tree))
    return names


def reached(start: str, known: Mapping[str, set[str]]) -> set[str]:
    """Return the modules that a module imports, by way of others too.

    `known` has what each module imports.
    """
    found = set[str]()
    todo = [start]
    while todo:
        for name in known[todo.pop()] & known.keys():
            if name not in found:
                found.add(name)
                todo.append(name)
    return found


def single_users(texts: Sources) -> Iterator[str]:
    """Yield each module of the layer that fewer than two functions use."""
    known = {module_name(path): imports(text) for path, text in texts.items()}
    users: dict[str, set[str]] = {}
    for path, text in texts.items():
        if path.startswith("functions/"):
            job = path.split("/")[1]
            name = f"of {path}"
            for module in reached(name, known | {name: imports(text)}):
                users.setdefault(module, set()).add(job)
    for path, text in texts.items():
        name = module_name(path)
        empty = path.endswith("__init__.py") and len(ast.parse(text).body) < 2
        if not path.startswith("shared/") or empty or name in GUARDS:
            continue
        jobs = users.get(name, set())
        if len(jobs) < 2:
            user = ", ".join(jobs) or "no job"
            yield f"{path}: only {user} uses it: move it into the job's package"


def strangers(texts: Sources) -> Iterator[str]:
    """Yield each import of tools, or of another job's package, by a function."""
    packages = {
        path.split("/")[2]: path.split("/")[1]
        for path in texts
        if path.startswith("functions/") and path.count("/") > 2
    }
    for path, text in texts.items():
        if path.startswith("functions/"):
            job = path.split("/")[1]
            for package in sorted({name.split(".")[0] for name in imports(text)}):
                if OF_A_CHECKOUT.get(path) == package:
                    continue
                if package == "tools" or packages.get(package, job) != job:
                    yield f"{path}: imports {package}: let jobs import their own package and fleet"


def local_operations(texts: Sources) -> Iterator[str]:
    """Yield each import of the local fleet, by way of others too, by a tool for operators."""
    known = {module_name(path): imports(text) for path, text in texts.items()}
    for name in known:
        if name.startswith("tools.operate"):
            for module in sorted(reached(name, known)):
                if module.startswith("tools.local"):
                    yield f"{name}: imports {module}: what operates AWS needs no local fleet"


def unnamed_packages(pyproject: str, folders: set[str]) -> Iterator[str]:
    """Yield where pyproject.toml names other folders than those of jobs that have packages."""
    tool = tomllib.loads(pyproject)["tool"]
    places = {
        "tool.ruff.src": tool["ruff"]["src"],
        "tool.mypy.mypy_path": tool["mypy"]["mypy_path"],
        "tool.pytest.pythonpath": tool["pytest"]["ini_options"]["pythonpath"],
    }
    for place, paths in places.items():
        named = {path for path in paths if path.startswith("functions/")}
        for folder in sorted(named ^ folders):
            verb = "add" if folder in folders else "remove"
            yield f"pyproject.toml: {place}: {verb} {folder}"


def test_each_module_of_the_layer_serves_several_jobs() -> None:
    assert list(single_users(sources("shared", "functions"))) == []


def test_jobs_import_nothing_of_each_other() -> None:
    assert list(strangers(sources("functions"))) == []


def test_tools_for_operators_need_no_local_fleet() -> None:
    assert list(local_operations(sources("tools"))) == []


def test_tools_know_where_packages_are() -> None:
    folders = {
        str(path.parents[1].relative_to(ROOT)) for path in ROOT.glob("functions/*/fleet_*/*")
    }

    assert list(unnamed_packages((ROOT / "pyproject.toml").read_text(), folders)) == []


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            {"shared/fleet/sums.py": "X = 1", "functions/a/app.py": "from fleet.sums import X"},
            "shared/fleet/sums.py: only a uses it",
        ),
        (
            {
                "shared/fleet/sums.py": "X = 1",
                "shared/fleet/more.py": "from fleet import sums",
                "functions/a/app.py": "import fleet.more",
            },
            "shared/fleet/sums.py: only a uses it",
        ),
        ({"shared/fleet/sums.py": "X = 1"}, "shared/fleet/sums.py: only no job uses it"),
    ],
    ids=["one user", "by way of another", "no user"],
)
def test_a_module_with_one_user_is_named(texts: Sources, message: str) -> None:
    assert message in "\n".join(single_users(texts))


def test_a_module_with_two_users_is_not_named() -> None:
    texts = {f"functions/{job}/app.py": "from fleet import sums" for job in ("a", "b")}

    assert list(single_users(texts | {"shared/fleet/sums.py": "X = 1"})) == []


def test_an_import_of_another_job_is_named() -> None:
    texts = {"functions/a/fleet_a/x.py": "import tools", "functions/b/app.py": "import fleet_a.x"}

    assert [line.split(":")[1] for line in strangers(texts)] == [
        " imports tools",
        " imports fleet_a",
    ]


def test_a_tool_for_operators_that_needs_the_local_fleet_is_named() -> None:
    texts = {
        "tools/operate/mute.py": "from tools import stack",
        "tools/stack.py": "from tools.local import fleet",
        "tools/local/fleet.py": "",
    }

    assert [line.split(":")[0] for line in local_operations(texts)] == ["tools.operate.mute"]


def test_a_package_that_a_tool_does_not_know_is_named() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()

    assert "tool.mypy.mypy_path: add functions/x" in "\n".join(
        unnamed_packages(pyproject, {"functions/x"})
    )
