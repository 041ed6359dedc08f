"""The console knows the jobs from the file that its build made, or from its checkout."""

import json
from pathlib import Path

import pytest
from tools.develop.catalogue import catalogue as made

from fleet_console import catalogue


@pytest.fixture(autouse=True)
def _read_again() -> None:
    catalogue.jobs.cache_clear()


def test_a_checkout_needs_no_build() -> None:
    jobs = catalogue.jobs()

    assert list(jobs) == [entry["name"] for entry in json.loads(made())]
    assert jobs["paused_pipelines"].scheduled
    assert not jobs["start_pipeline"].scheduled


def test_what_was_built_is_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = tmp_path / "catalogue.json"
    entries = json.loads(made())
    built.write_text(json.dumps(entries[:1]))
    monkeypatch.setattr(catalogue, "BUILT", built)

    assert list(catalogue.jobs()) == [entries[0]["name"]]
    catalogue.jobs.cache_clear()
