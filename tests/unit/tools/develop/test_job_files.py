"""A job is named after what it is for."""

import pytest
from tools.develop import job_files


@pytest.mark.parametrize("name", ["stale_images", "a_b"])
def test_two_words_in_snake_case_are_a_name(name: str) -> None:
    assert job_files.fault(name) == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("images", "use snake_case of two or more words"),
        ("StaleImages", "use snake_case"),
        ("image_utils", "says nothing by utils"),
        ("x" * 20 + "_" + "y" * 20, "is longer than 40 characters"),
    ],
)
def test_another_name_has_a_fault(name: str, message: str) -> None:
    assert message in job_files.fault(name)


def test_the_console_is_not_a_job() -> None:
    jobs = job_files.jobs()

    assert "prune_objects" in jobs
    assert "console" not in jobs
