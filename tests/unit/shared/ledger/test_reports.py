from datetime import UTC, datetime

import pytest

from fleet.ledger.reports import Part, Ran

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("part", "subjects"),
    [
        (Part(), "abcd"),
        (Part(after="b"), "cd"),
        (Part(through="b"), "ab"),
        (Part(after="a", through="c"), "bc"),
    ],
)
def test_a_part_covers_what_lies_behind_its_beginning_through_its_end(
    part: Part, subjects: str
) -> None:
    assert "".join(subject for subject in "abcd" if part.covers(subject)) == subjects


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (Part(), Part(), True),
        (Part(through="b"), Part(after="b"), False),
        (Part(through="c"), Part(after="b"), True),
        (Part(after="a", through="b"), Part(after="c", through="d"), False),
    ],
)
def test_parts_overlap_when_they_have_subjects_in_common(
    one: Part, other: Part, overlap: bool
) -> None:
    assert (one.overlaps(other), other.overlaps(one)) == (overlap, overlap)


def test_the_end_of_a_part_without_end_is_the_last() -> None:
    assert Part().first_end(Part()) is None
    assert Part().first_end(Part(through="b")) == "b"
    assert Part(through="c").first_end(Part(through="b")) == "b"


def test_a_run_has_the_findings_of_all_its_parts() -> None:
    assert Ran(NOW, {"1": 3, "2": 4}).findings == 7
