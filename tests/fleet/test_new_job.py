"""What the scaffold writes passes every check as it is, and retiring a job leaves nothing of it."""

import os
import pty
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.fleet.repository import cloned
from tools.manifest import ROOT

NEW = {"idle_volumes": "schedule", "retag_images": "queue"}
# A real job whose name stands only in its own files, in documents that are edited, and here.
RETIRED = "report_dead_letters"
FILES = [
    path.format(job=job)
    for job in NEW
    for path in (
        "functions/{job}/app.py",
        "tests/unit/functions/test_{job}.py",
        "tools/local/scenarios/{job}.py",
    )
]
# Every rule that takes the whole template or a whole tree.
RULES = """
from tests.fleet import test_layout, test_mutants, test_references, test_template
from tests.fleet.template import real
from tools.develop import docs
from tools.manifest import ROOT

print(*test_mutants.violations(real(), test_mutants.test_permissions.sources()), sep="\\n")
print(*test_references.violations(real()), sep="\\n")
print(*test_layout.violations(ROOT, real()), sep="\\n")
print(*test_template.violations(test_template.split()), sep="\\n")
print(*(path for path, text in docs.renewed().items() if path.read_text() != text))
"""
# The rules with a test for each job.
OF_EACH = ("tests/fleet/test_anatomy.py", "tests/fleet/test_handlers.py")


def run(
    root: Path, *command: str, stdin: int = subprocess.DEVNULL
) -> "subprocess.CompletedProcess[str]":
    """Run a command in the copy."""
    return subprocess.run(
        command, cwd=root, stdin=stdin, capture_output=True, text=True, check=False
    )


def module(
    root: Path, *arguments: str, stdin: int = subprocess.DEVNULL
) -> "subprocess.CompletedProcess[str]":
    """Run a Python module in the copy."""
    return run(root, sys.executable, "-m", *arguments, stdin=stdin)


def new(root: Path, job: str, trigger: str) -> str:
    """Add a job to the copy; return what the scaffold printed."""
    done = module(root, "tools.develop.new_job", job, "--trigger", trigger)
    assert done.returncode == 0, done.stderr
    return done.stdout


def retire(root: Path, job: str) -> str:
    """Retire a job of the copy; return what was printed."""
    done = module(root, "tools.develop.retire_job", job)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository, all of it committed."""
    copy = cloned(tmp_path_factory.mktemp("clone"))
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.com")
    run(copy, "git", "init", "--quiet")
    run(copy, "git", "add", "--all")
    assert run(copy, "git", *identity, "commit", "--quiet", "-m", "all").returncode == 0
    return copy


@pytest.fixture(scope="module")
def root(clean: Path) -> Path:
    """The copy with two new jobs."""
    for job, trigger in NEW.items():
        assert f"wrote functions/{job}/app.py" in new(clean, job, trigger)
    return clean


@pytest.fixture
def own(root: Path, tmp_path: Path) -> Path:
    """The copy with two new jobs, for one test that changes it."""
    return Path(shutil.copytree(root, tmp_path / "fleet", symlinks=True))


@pytest.mark.parametrize(
    "check",
    [
        ("ruff", "check"),
        ("ruff", "format", "--check"),
        ("mypy", "--cache-dir", str(ROOT / ".mypy_cache")),
    ],
    ids=" ".join,
)
def test_new_jobs_pass_the_check(root: Path, check: tuple[str, ...]) -> None:
    done = module(root, *check, *FILES)

    assert done.returncode == 0, done.stdout + done.stderr


def test_new_jobs_pass_their_own_tests_and_the_rules_for_each_job(root: Path) -> None:
    tests = [file for file in FILES if file.startswith("tests/")]

    done = module(root, "pytest", "-n0", "-q", "-k", " or ".join(NEW), *OF_EACH, *tests)

    assert done.returncode == 0, done.stdout


def test_new_jobs_pass_the_rules_of_the_whole(root: Path) -> None:
    assert broken_rules(root) == ""


def test_new_jobs_stand_in_their_places(root: Path) -> None:
    """A scheduled job stands among scheduled jobs, and a queue job among queue jobs, by name."""
    text = (root / "template.yaml").read_text()

    order = ["-- failing_endpoints", "-- idle_volumes", "-- missed_runs"]
    order += ["-- notify_webhook", "-- retag_images", "-- start_pipeline", "-- console"]
    places = [text.index(heading) for heading in order]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("job", "message"),
    [
        ("", "'' is not a job's name: use snake_case of two or more words, as in stale_images"),
        ("x", "'x' is not a job's name"),
        ("Utils", "'Utils' is not a job's name"),
        ("stale_2images", "'stale_2images' is not a job's name"),
        ("common_things", "'common_things' says nothing by common: name the job after"),
        ("images_that_nobody_has_pulled_for_a_month", "is longer than 40 characters"),
        ("prune_objects", "there is already a job prune_objects"),
        (
            "dead_letters",
            "template.yaml already has DeadLetters: choose another name than dead_letters",
        ),
    ],
)
def test_a_name_that_cannot_be_is_refused(root: Path, job: str, message: str) -> None:
    done = module(root, "tools.develop.new_job", job)

    assert done.returncode != 0
    assert message in done.stderr
    assert "wrote" not in done.stdout


def test_a_job_that_does_not_belong_is_not_written(root: Path) -> None:
    done = answering_no(root, "tools.develop.new_job", "old_snapshots")

    assert done.returncode == 1
    assert "Nothing was written." in done.stdout
    assert not (root / "functions" / "old_snapshots").exists()


def test_a_job_is_not_retired_by_one_who_declines(root: Path) -> None:
    done = answering_no(root, "tools.develop.retire_job", "stale_secrets")

    assert "functions/stale_secrets" in done.stdout
    assert "Nothing was removed." in done.stdout
    assert (root / "functions" / "stale_secrets").exists()


def test_a_job_that_is_not_there_cannot_be_retired(root: Path) -> None:
    done = module(root, "tools.develop.retire_job", "console")

    assert done.returncode != 0
    assert "there is no job 'console'; the jobs are: expiring_certificates, " in done.stderr


def test_a_new_job_that_is_retired_leaves_nothing(own: Path) -> None:
    for job in NEW:
        assert f"removed functions/{job}" in retire(own, job)

    assert run(own, "git", "status", "--porcelain").stdout == ""


def test_a_real_job_that_is_retired_leaves_nothing(own: Path) -> None:
    printed = retire(own, RETIRED)

    names = f"{RETIRED}|ReportDeadLetters"
    left = run(own, "git", "grep", "--untracked", "-lE", names, "--", ":!docs/decisions")
    assert left.stdout == "tests/fleet/test_new_job.py\n"
    assert "still mention it" in printed
    assert broken_rules(own) == ""


def broken_rules(root: Path) -> str:
    """Return what the rules of the whole say of the copy."""
    config = tomllib.loads((root / "pyproject.toml").read_text())
    folders = config["tool"]["pytest"]["ini_options"]["pythonpath"]
    environment = os.environ | {"PYTHONPATH": ":".join(folders)}
    command = [sys.executable, "-c", RULES]
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def answering_no(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a module at a terminal whose user types n."""
    terminal, stdin = pty.openpty()
    os.write(terminal, b"n\n")
    done = module(root, *arguments, stdin=stdin)
    os.close(stdin)
    os.close(terminal)
    return done
