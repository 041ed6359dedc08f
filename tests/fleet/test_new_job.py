"""What the scaffold writes passes every check as it is."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fleet.repository import cloned

NEW = {"stale_images": "schedule", "retag_images": "queue"}
FILES = [
    path.format(job=job)
    for job in NEW
    for path in (
        "functions/{job}/app.py",
        "tests/unit/functions/test_{job}.py",
        "tools/local/scenarios/{job}.py",
    )
]


# Neither what shows that a rule bites, nor what is the same for the jobs that were there.
OF_NEW = f"not named and not mutant and (not without_an_environment and not the_module or {' or '.join(NEW)})"


def run(
    root: Path, *arguments: str, stdin: int = subprocess.DEVNULL
) -> "subprocess.CompletedProcess[str]":
    """Run a Python module in the copy."""
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(
        command, cwd=root, stdin=stdin, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with two new jobs."""
    copy = cloned(tmp_path_factory.mktemp("clone"))
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
    for job, trigger in NEW.items():
        done = run(copy, "tools.develop.new_job", job, "--trigger", trigger)
        assert done.returncode == 0, done.stderr
        assert f"wrote functions/{job}/app.py" in done.stdout
    return copy


@pytest.mark.parametrize(
    "check", [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)], ids=" ".join
)
def test_new_jobs_pass_the_check(root: Path, check: tuple[str, ...]) -> None:
    done = run(root, *check, *FILES)

    assert done.returncode == 0, done.stdout + done.stderr


def test_new_jobs_pass_their_own_tests_and_the_rules_of_the_whole(root: Path) -> None:
    own = [file for file in FILES if file.startswith("tests/")]
    done = run(
        root,
        "pytest",
        "-n0",
        "-q",
        "--ignore=tests/fleet/test_new_job.py",
        "-k",
        OF_NEW,
        "tests/fleet",
        *own,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("", "'' is no name: say what it is for in snake_case, as in stale_images"),
        ("x", "'x' is no name"),
        ("Utils", "'Utils' is no name"),
        ("stale_2images", "'stale_2images' is no name"),
        ("common_things", "'common_things' says nothing with common: say what it is for"),
        ("images_that_nobody_has_pulled_for_a_month", "is longer than 40 characters"),
        ("prune_objects", "there is a job prune_objects already"),
        (
            "dead_letters",
            "template.yaml has DeadLetters already: choose another name than dead_letters",
        ),
    ],
)
def test_a_name_that_cannot_be_is_refused(root: Path, job: str, said: str) -> None:
    done = run(root, "tools.develop.new_job", job)

    assert done.returncode != 0
    assert said in done.stderr
    assert "wrote" not in done.stdout


def test_who_says_that_it_does_not_belong_gets_nothing(root: Path) -> None:
    terminal, stdin = pty.openpty()
    os.write(terminal, b"n\n")

    done = run(root, "tools.develop.new_job", "old_snapshots", stdin=stdin)
    os.close(stdin)
    os.close(terminal)

    assert done.returncode == 1
    assert "nothing was written" in done.stdout
    assert not (root / "functions" / "old_snapshots").exists()
