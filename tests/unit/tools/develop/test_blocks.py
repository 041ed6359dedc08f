"""The template's text is taken apart and put together without a change."""

from tools.develop import blocks
from tools.manifest import ROOT

TEXT = (ROOT / "template.yaml").read_text()
RESOURCES = "  IdleVolumes:\n    Type: ScheduleV2\n"
QUEUED = "  RetagImages:\n    Type: X\n\n  RetagImagesQueue:\n    Type: Y\n"


def test_the_parts_are_the_whole() -> None:
    assert blocks.split(TEXT).text == TEXT


def test_a_scheduled_job_stands_among_its_kind_by_name() -> None:
    template = blocks.add(blocks.split(TEXT), "idle_volumes", RESOURCES)

    at = template.jobs.index("idle_volumes")
    assert template.jobs[at - 1 : at + 2] == ["failing_endpoints", "idle_volumes", "missed_runs"]
    assert template.outputs == blocks.split(TEXT).outputs


def test_a_queue_job_has_an_output_among_the_others() -> None:
    template = blocks.add(blocks.split(TEXT), "retag_images", QUEUED)

    at = template.jobs.index("retag_images")
    assert template.jobs[at - 1 : at + 2] == ["notify_webhook", "retag_images", "start_pipeline"]
    names = blocks.NAME.findall(template.outputs)
    assert names.index("NotifyWebhookQueue") + 1 == names.index("RetagImagesQueue")


def test_what_was_added_is_removed_without_a_trace() -> None:
    template = blocks.add(blocks.split(TEXT), "retag_images", QUEUED)

    assert blocks.remove(template, "retag_images").text == TEXT


def test_a_parameter_that_only_the_job_used_goes_with_it() -> None:
    template = blocks.remove(blocks.split(TEXT), "prune_objects")

    assert "PrunedBucketArns" not in template.text
    assert "DumpBucketArns" in template.parameters
