"""Every module of the layer, and every tool, has a test that mirrors it."""

from collections.abc import Iterator
from pathlib import Path

from tools.manifest import ROOT

# What the tests of another kind prove whole, and how.
PROVEN_ELSEWHERE = {
    "shared/fleet/probes/starttls.py": "tests/probes speaks to real servers",
    "shared/fleet/probes/tls.py": "tests/probes speaks to real servers",
    "tools/environment.py": "every verb of the Makefile begins with it",
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
    "tools/develop/docs.py": "tests/fleet/test_docs.py compares what it writes",
    "tools/develop/permissions.py": "tests/fleet/test_docs.py reads what it writes",
    "tools/develop/translate.py": "tests/fleet/test_senders.py reads what it writes",
}


def twin(path: str) -> str:
    """Return the path of a module's test: tests/unit/shared/x/test_y.py for shared/fleet/x/y.py."""
    folder, _, name = path.rpartition("/")
    folder = folder.replace("shared/fleet", "shared", 1)
    return f"tests/unit/{folder}/test_{name}"


# Still without a test of their own: take each out when it has one, and add none.
MISSING = {
    "shared/fleet/dead_letters/looking.py",
}


def missing(paths: list[str], tests: set[str]) -> Iterator[str]:
    """Yield each module without its test."""
    for path in paths:
        elsewhere = any(path.startswith(prefix) for prefix in PROVEN_ELSEWHERE)
        if not elsewhere and path not in MISSING and twin(path) not in tests:
            yield f"{path}: has no test of its own: add {twin(path)}"


def names(folder: str) -> list[str]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return [str(path.relative_to(ROOT)) for path in paths if not is_empty(path)]


def is_empty(path: Path) -> bool:
    """Whether a module only makes its folder a package, or gathers the names of others."""
    return path.name == "__init__.py" and "def " not in path.read_text()


def test_every_module_has_a_test_that_mirrors_it() -> None:
    modules = [*names("shared/fleet"), *names("tools")]

    assert list(missing(modules, set(names("tests/unit")))) == []


def test_a_module_without_a_test_is_named() -> None:
    paths = ["shared/fleet/x/y.py", "shared/fleet/z.py"]

    assert list(missing(paths, {"tests/unit/shared/test_z.py"})) == [
        "shared/fleet/x/y.py: has no test of its own: add tests/unit/shared/x/test_y.py"
    ]
