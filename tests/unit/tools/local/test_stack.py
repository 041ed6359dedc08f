"""What is built again, and what a change brings into the running fleet."""

from pathlib import Path
from typing import Any

import pytest
from tools.errors import FleetError
from tools.local import stack
from tools.local.stack import build, fingerprints, update
from tools.paths import ROOT

SAM = """#!/bin/sh
mkdir -p .aws-sam/build && touch .aws-sam/build/template.yaml
"""
FAILING_SAM = """#!/bin/sh
echo "Uploading to bucket 12%"
seq 1 40
echo "no such template" >&2
exit 3
"""
ACCOUNT: Any = None  # nothing here asks for it


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two jobs and a `sam` that only leaves a template."""
    for name in ("BUILD", "BUILT", "LOCK", "STAMP", "ROOT"):
        place = getattr(stack, name).relative_to(ROOT)
        monkeypatch.setattr(stack, name, tmp_path / place)
    for name in ("functions/web/app.py", "functions/data/app.py", "shared/x.py", "template.yaml"):
        write(tmp_path / name, name)
    write(tmp_path / "samconfig.toml", "")
    write(tmp_path / "docs" / "operations.md", "runbook")
    write(tmp_path / ".venv" / "sam" / "bin" / "sam", SAM)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def changed(before: dict[str, str]) -> set[str]:
    now = fingerprints()
    return {name for name in now if now[name] != before.get(name)}


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("functions/web/app.py", "web"),
        ("functions/web/fleet_web/rules.yaml", "web"),
        ("shared/fleet/new.py", "shared"),
        ("samconfig.toml", "template"),
    ],
)
def test_a_changed_file_changes_the_fingerprint_of_its_source(
    root: Path, file: str, source: str
) -> None:
    before = fingerprints()

    write(root / file, "changed")

    assert changed(before) == {source}


def test_bytecode_changes_no_fingerprint(root: Path) -> None:
    before = fingerprints()

    write(root / "functions" / "web" / "__pycache__" / "app.pyc", "bytecode")

    assert changed(before) == set()


def test_a_renamed_file_changes_the_fingerprint(root: Path) -> None:
    before = fingerprints()

    (root / "shared" / "x.py").rename(root / "shared" / "y.py")

    assert changed(before) == {"shared"}


def test_what_was_built_is_built_again_only_after_a_change(root: Path) -> None:
    assert build()
    assert not build()

    write(root / "docs" / "operations.md", "another runbook")

    assert build()


def test_a_command_that_fails_shows_the_end_of_its_output(root: Path) -> None:
    write(root / ".venv" / "sam" / "bin" / "sam", FAILING_SAM)

    with pytest.raises(FleetError) as failure:
        build()

    heading, *output = str(failure.value).splitlines()
    assert heading == "`sam build --config-env local` failed with exit code 3:"
    assert output[-2:] == ["40", "no such template"]
    assert len(output) == stack.OUTPUT_LINES
    assert not stack.STAMP.exists()


@pytest.mark.parametrize(
    ("file", "actions"),
    [
        ("functions/web/app.py", ["job web"]),
        ("shared/x.py", ["layer"]),
        ("template.yaml", ["build", "deploy"]),
        ("functions/new/app.py", ["build", "deploy"]),
    ],
    ids=["a job", "the layer", "the template", "a new job"],
)
def test_a_change_is_brought_into_the_running_fleet(
    root: Path, file: str, actions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []
    monkeypatch.setattr(stack, "build", lambda: taken.append("build"))
    monkeypatch.setattr(stack, "deploy", lambda _: taken.append("deploy"))
    monkeypatch.setattr(stack, "_update_layer", lambda _: taken.append("layer"))
    monkeypatch.setattr(stack, "_update_job", lambda _, job: taken.append(f"job {job}"))
    deployed = fingerprints()

    write(root / file, "changed")
    update(ACCOUNT, deployed)

    assert taken == actions


def test_without_a_change_nothing_is_brought(root: Path) -> None:
    assert update(ACCOUNT, fingerprints()) == []
