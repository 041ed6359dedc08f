"""All of a job stands together in the template, and a job is named nowhere else in it."""

import re
from collections.abc import Iterator

import pytest
from tests.fleet.template import real
from tools.develop import blocks
from tools.develop.blocks import CONSOLE, SHARED, Blocks
from tools.manifest import ROOT, logical_id


def violations(template: Blocks) -> list[str]:
    """Return what stands in the wrong place."""
    return [*of_order(template), *of_blocks(template), *of_names(template), *of_mentions(template)]


def of_order(template: Blocks) -> Iterator[str]:
    """What all share comes first, then scheduled jobs, queue jobs and the console, each by name."""
    names = list(template.by_name)
    scheduled = [name for name in template.jobs if "ScheduleV2" in template.by_name[name]]
    queued = [name for name in template.jobs if name not in scheduled]
    expected = [SHARED, *sorted(scheduled), *sorted(queued), CONSOLE]
    for name, right in zip(names, expected, strict=False):
        if name != right:
            yield f"{name}: stands where {right} belongs: sort scheduled jobs, then queue jobs"


def of_blocks(template: Blocks) -> Iterator[str]:
    """A job's block has resources of its own alone."""
    for job in [*template.jobs, CONSOLE]:
        for name in blocks.NAME.findall(template.by_name[job]):
            if not name.startswith(logical_id(job)):
                yield f"{name}: stands in the block of {job}: begin its name with {logical_id(job)}"


def of_names(template: Blocks) -> Iterator[str]:
    """What has a name of its own begins it with the stack's, as policies expect."""
    key = r"^      (?:Function|Queue|Topic|Alarm|LogGroup|)Name: (.+)$"
    for job, block in template.by_name.items():
        for name in re.findall(key, block, re.MULTILINE):
            if not re.match(r"!Sub (/fleet/)?\$\{AWS::StackName\}", name):
                yield f"{job}: {name} is not the stack's: begin it with !Sub ${{AWS::StackName}}-"


def of_mentions(template: Blocks) -> Iterator[str]:
    """No job is named outside its own block, but in parameters and outputs."""
    head = re.sub(r"^Parameters:\n(  .*\n|\n)+", "", template.head, flags=re.MULTILINE)
    for place, text in {"the head": head, **template.by_name}.items():
        for job in template.jobs:
            own = rf"\b{job}\b|\b{logical_id(job)}(?![a-z])"
            if place != job and re.search(own, text):
                yield f"{place}: names {job}: let only its own block do so"


def split() -> Blocks:
    return blocks.split((ROOT / "template.yaml").read_text())


def test_all_of_a_job_stands_together() -> None:
    template = split()

    assert violations(template) == []
    resources = [name for text in template.by_name.values() for name in blocks.NAME.findall(text)]
    assert sorted(resources) == sorted(real()["Resources"])


@pytest.mark.parametrize(
    ("old", "changed", "message"),
    [
        ("-- prune_objects\n", "-- zap_objects\n", "zap_objects: stands where"),
        ("  PruneObjectsRole:\n", "  RoleOfPruning:\n", "RoleOfPruning: stands in the block"),
        ("Name: !Sub ${AWS::StackName}-dead", "Name: dead", "what all jobs share: dead-letters"),
        ("DeadLetters.Arn\n", "PruneObjects.Arn\n", "what all jobs share: names prune_objects"),
    ],
    ids=["order", "name", "no stack", "mention"],
)
def test_what_stands_elsewhere_is_named(old: str, changed: str, message: str) -> None:
    text = split().text
    assert old in text

    assert message in "\n".join(violations(blocks.split(text.replace(old, changed, 1))))
