from datetime import UTC, datetime
from typing import Any

import pytest

from fleet_triage import documents

DOCUMENT = {"a": [{"b": "x\x1b[1m "}, 7, 7.5, True], "n": "12.50", "big": 2**60, "none": None}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("a", 1), 7),
        (("a", 0, "b"), "x\x1b[1m "),
        (("a", 9), None),
        (("a", "b"), None),
        ((0,), None),
        (("none", "x"), None),
    ],
)
def test_a_value_is_what_stands_at_its_path(path: tuple[str | int, ...], value: Any) -> None:
    assert documents.value(DOCUMENT, *path) == value


@pytest.mark.parametrize(
    ("path", "text", "number"),
    [
        (("a", 0, "b"), "x[1m", None),
        (("a", 1), "7", 7.0),
        (("a", 2), "7.5", 7.5),
        (("a", 3), "", None),
        (("n",), "12.50", 12.5),
        (("big",), "", None),
        (("none",), "", None),
    ],
)
def test_text_and_numbers_are_read_as_either(
    path: tuple[str | int, ...], text: str, number: float | None
) -> None:
    assert documents.text(DOCUMENT, *path) == text
    assert documents.number(DOCUMENT, *path) == number


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-11-20T01:00:00.500Z", datetime(2026, 11, 20, 1, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-20 01:00:00", datetime(2026, 11, 20, 1, tzinfo=UTC)),
        ("Fri, 20 Nov 2026 02:00:00 +0100", datetime(2026, 11, 20, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59-23:59", None),
        ("soon", None),
        (None, None),
    ],
)
def test_a_time_is_iso_8601_or_rfc_5322(written: Any, moment: datetime | None) -> None:
    assert documents.moment(written) == moment


def test_only_what_is_not_empty_is_joined() -> None:
    assert documents.join("a", "", "b") == "a, b"
    assert documents.join("", by="/") == ""
    assert (documents.first_text("", "b", "c"), documents.first_text("")) == ("b", "")


def test_what_cannot_be_written_as_json_is_named() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert documents.as_text(circle) == "a list that cannot be shown"
