"""The catalogue says of each job what the template, its docstring and the runbook say."""

import json

from tools import manifest
from tools.develop.catalogue import catalogue


def test_every_job_but_the_console_is_described() -> None:
    entries = json.loads(catalogue())

    assert [entry["name"] for entry in entries] == [
        job.name for job in manifest.jobs() if job.name != "console"
    ]
    for entry in entries:
        assert all(entry[name] for name in ("summary", "trigger", "permissions", "runbook")), entry


def test_a_job_has_its_own_rights_and_its_runbook() -> None:
    entries = {entry["name"]: entry for entry in json.loads(catalogue())}
    paused = entries["paused_pipelines"]

    assert paused["kind"] == "schedule"
    actions = [action for grant in paused["permissions"] for action in grant["actions"]]
    assert "codepipeline:ListPipelines" in actions
    assert "codepipeline:StartPipelineExecution" not in actions
    assert paused["runbook"] == manifest.runbook("paused_pipelines")
