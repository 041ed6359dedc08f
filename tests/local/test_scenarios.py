"""The demo: every job, run through its real trigger, finds what was seeded for it and does its
work.
"""

import pytest
from tools import manifest
from tools.local.play import Outcome

JOBS = [job.name for job in manifest.jobs()]


@pytest.mark.parametrize("job", JOBS)
def test_the_job_does_its_work(outcomes: dict[str, Outcome], job: str) -> None:
    assert outcomes[job].outcome == "ok", outcomes[job].detail
    assert outcomes[job].detail


def test_the_demo_plays_every_job_of_the_template(outcomes: dict[str, Outcome]) -> None:
    assert list(outcomes) == sorted(JOBS)
