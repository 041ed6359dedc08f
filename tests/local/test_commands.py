"""The commands that a user runs beside a running fleet."""

import json
import re
import shutil
from argparse import Namespace
from pathlib import Path

import pytest
from tests.local.conftest import Command
from tools.errors import FleetError
from tools.local.__main__ import invoke
from tools.local.stack import jobs


@pytest.mark.usefixtures("outcomes")  # as what a job looks at was seeded for it
@pytest.mark.parametrize("job", ["paused_pipelines", "start_pipeline", "console"])
def test_invoke_runs_the_job_with_its_event(job: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(Namespace(job=job, event=None)) == 0
    assert json.loads(capsys.readouterr().out)


def test_invoke_fails_when_the_job_fails(command: Command, tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"scheduled_at": "tomorrow"}')

    done = command("invoke", "paused_pipelines", str(event))

    assert done.returncode == 1
    assert "got 'tomorrow'" in json.loads(done.stdout)["errorMessage"]


def test_invoke_says_what_is_wrong_with_its_arguments(tmp_path: Path) -> None:
    (tmp_path / "text.json").write_text("scheduled_at: now")

    for job, event, said in (
        ("", None, f"say which job: make invoke JOB=name; known: {', '.join(jobs())}"),
        ("paused_pipeline", None, f"there is no job 'paused_pipeline'; known: {', '.join(jobs())}"),
        (
            "paused_pipelines",
            Path("none.json"),
            "the event none.json cannot be read: No such file or directory",
        ),
        (
            "paused_pipelines",
            tmp_path / "text.json",
            "text.json is not JSON: Expecting value: line 1 column 1",
        ),
    ):
        with pytest.raises(FleetError, match=re.escape(said)):
            invoke(Namespace(job=job, event=event))


def test_what_is_wrong_is_said_without_a_traceback(command: Command) -> None:
    done = command("invoke", "paused_pipeline")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("there is no job 'paused_pipeline'; known: ")


@pytest.mark.parametrize("arguments", [("invoke", "prune_objects"), ("deploy",)])
def test_without_a_fleet_a_command_says_how_to_start_one(
    command: Command, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    done = command(*arguments, fleets=tmp_path)

    assert done.returncode == 1
    assert done.stdout == ""
    assert (
        done.stderr
        == "no fleet is running in this clone: start one with `make run` in another terminal\n"
    )


def test_invoke_says_that_a_new_job_is_not_deployed(command: Command, clone: Path) -> None:
    new = clone / "functions" / "stale_images"
    shutil.copytree(clone / "functions" / "prune_objects", new)
    try:
        done = command("invoke", "stale_images", "tests/events/prune_objects.json")
    finally:
        shutil.rmtree(new)

    assert done.returncode == 1
    assert (
        done.stderr
        == "stale_images is not in the running fleet yet: `make deploy-local` brings it\n"
    )


def test_deploy_brings_an_edited_job_live(command: Command, clone: Path) -> None:
    source = clone / "functions" / "paused_pipelines" / "app.py"
    before = source.read_text()
    source.write_text(
        f"{before}\n\ndef handler(event: object, context: object) -> str:\n    return 'edited'\n"
    )
    try:
        deployed, invoked = command("deploy"), command("invoke", "paused_pipelines")
    finally:
        source.write_text(before)
    restored = command("deploy")

    assert deployed.returncode == restored.returncode == 0, deployed.stderr + restored.stderr
    assert deployed.stdout.startswith("paused_pipelines changed; live after ")
    assert json.loads(invoked.stdout) == "edited"
    assert command("deploy").stdout.startswith("nothing changed")
