"""Numbers and durations as conditions write them, and values of JSON as they compare them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_endpoints.values import (
    NUMBER_CHARACTERS,
    as_text,
    duration,
    in_order,
    integer,
    length,
    number,
    same,
)


@given(st.integers(), st.sampled_from([str, hex, oct, bin]), st.sampled_from([str, hex, oct, bin]))
def test_whole_numbers_are_equal_however_they_are_written(value: int, one: Any, other: Any) -> None:
    assert same(one(value), other(value))
    assert not same(one(value), other(value + 1))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_is_read_as_it_is(value: float) -> None:
    assert number(str(value)) == value


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("500ms", 500),
        ("1h30m", 5_400_000),
        ("1.5s", 1_500),
        (".5s", 500),
        ("-2m", -120_000),
        ("+1us", 0.001),
        ("1µs", 0.001),
    ],
)
def test_durations_are_read_in_milliseconds(text: str, milliseconds: float) -> None:
    assert duration(text) == pytest.approx(milliseconds)


@pytest.mark.parametrize("text", ["", "-", "1", "1d", "h", "1h 30m", "1,5s", "٣s"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 500ms, 10s or 1h30m"):
        duration(text)


@given(st.text(max_size=12))
def test_any_text_is_a_number_or_none(text: str) -> None:
    whole = integer(text)
    assert whole is None or number(text) == whole


def test_what_is_too_long_is_not_a_number() -> None:
    assert number("9" * NUMBER_CHARACTERS) == int("9" * NUMBER_CHARACTERS)
    assert number("9" * (NUMBER_CHARACTERS + 1)) is None
    assert number("1s" * NUMBER_CHARACTERS) is None


@pytest.mark.parametrize(
    ("value", "text", "size"),
    [
        (None, None, None),
        ("jöhn", "jöhn", "4"),
        (True, "true", "4"),
        (2.0, "2", "1"),
        (1.5, "1.5", "3"),
        ([1, None, "a b"], "[1 <nil> a b]", "3"),
        ({"b": 1, "a": [2]}, '{"a":[2],"b":1}', "15"),
    ],
)
def test_values_of_json_are_written_as_people_compare_them(
    value: Any, text: str | None, size: str | None
) -> None:
    assert (as_text(value), length(value)) == (text, size)


def test_only_numbers_and_durations_stand_in_an_order() -> None:
    assert in_order("999ms", "<", "1s")
    assert not in_order("none", "<", "1s")
    assert not in_order("none", ">=", "1s")
