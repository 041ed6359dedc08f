"""Every module of the jobs and of the layer, and every tool, has a test that mirrors it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.manifest import ROOT

# What the tests of another kind prove whole, and how.
PROVEN_ELSEWHERE = {
    "functions/console/fleet_console/api.py": "tests/console asks it over HTTP",
    "functions/console/fleet_console/context.py": "it hands out what the application holds",
    "functions/console/fleet_console/pages.py": "tests/console asks it over HTTP",
    "functions/console/fleet_console/reading/__init__.py": "it joins the readers",
    "functions/console/fleet_console/security.py": "tests/console asks it over HTTP",
    "functions/triage_alerts/fleet_triage/sources/": "test_payloads.py reads each one's messages",
    "tools/errors.py": "it has an error, and decides nothing",
    "tools/paths.py": "it has paths, and decides nothing",
    "tools/terminal.py": "it prints, and decides nothing",
    "tools/local/__main__.py": "tests/local runs its commands",
    "tools/local/alert_waits.py": "tests/local plays the scenarios that wait",
    "tools/local/emulator.py": "tests/local starts and ends it",
    "tools/local/fleet.py": "tests/local asks a running fleet by it",
    "tools/local/scenarios/": "tests/local plays them",
    "tools/local/start.py": "tests/local starts the whole local fleet",
    "tools/local/start_ministack.py": "tests/local starts the whole local fleet",
    "tools/develop/bench": "a benchmark measures, and decides nothing",
    "tools/develop/new_job/": "tests/fleet/test_new_job.py runs it as a user does",
    "tools/develop/retire_job.py": "tests/fleet/test_new_job.py runs it as a user does",
    "tools/develop/permissions.py": "tests/fleet/test_docs.py reads what it writes",
    "tools/develop/translate.py": "tests/fleet/test_senders.py reads what it writes",
}


def twin(path: str) -> str:
    """Return the path of a module's test.

    tests/unit/shared/x/test_y.py for shared/fleet/x/y.py, tests/unit/functions/job/test_y.py for
    functions/job/fleet_x/y.py, and tests/unit/functions/test_job.py for a job's app.py.
    """
    match path.split("/"):
        case ["functions", job, "app.py"]:
            return f"tests/unit/functions/test_{job}.py"
        case ["functions", job, _package, *folders, name]:
            parts = ["functions", job, *folders]
        case ["shared", "fleet", *folders, name]:
            parts = ["shared", *folders]
        case [*parts, name]:
            pass
    return "/".join(["tests/unit", *parts, f"test_{name}"])


def missing(paths: list[str], tests: set[str]) -> Iterator[str]:
    """Yield each module without its test."""
    for path in paths:
        elsewhere = any(path.startswith(prefix) for prefix in PROVEN_ELSEWHERE)
        if not elsewhere and twin(path) not in tests:
            yield f"{path}: has no test of its own: add {twin(path)}"


def names(folder: str) -> list[str]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [str(path.relative_to(ROOT)) for path in paths if not is_empty(path)]


def is_empty(path: Path) -> bool:
    """Whether a module only makes its folder a package, or gathers the names of others."""
    return path.name == "__init__.py" and "def " not in path.read_text()


def test_every_module_has_a_test_that_mirrors_it() -> None:
    modules = [*names("functions"), *names("shared/fleet"), *names("tools")]

    assert list(missing(modules, set(names("tests/unit")))) == []


def test_a_module_without_a_test_is_named() -> None:
    paths = ["shared/fleet/x/y.py", "shared/fleet/z.py"]

    assert list(missing(paths, {"tests/unit/shared/test_z.py"})) == [
        "shared/fleet/x/y.py: has no test of its own: add tests/unit/shared/x/test_y.py"
    ]


@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("functions/job/app.py", "functions/test_job.py"),
        ("functions/job/fleet_x/y.py", "functions/job/test_y.py"),
        ("functions/job/fleet_x/y/z.py", "functions/job/y/test_z.py"),
        ("shared/fleet/x.py", "shared/test_x.py"),
        ("tools/local/x.py", "tools/local/test_x.py"),
    ],
)
def test_a_test_stands_where_its_module_does(path: str, test: str) -> None:
    assert twin(path) == f"tests/unit/{test}"


def test_no_module_is_left_out_that_has_a_test_or_is_gone() -> None:
    tests = set(names("tests/unit"))
    modules = [*names("functions"), *names("shared/fleet"), *names("tools")]

    for prefix in PROVEN_ELSEWHERE:
        left_out = [path for path in modules if path.startswith(prefix)]
        assert any(twin(path) not in tests for path in left_out), (
            f"{prefix}: remove it from PROVEN_ELSEWHERE"
        )
