from datetime import timedelta

import pytest
from tests.unit.functions.console.samples import NOW

from fleet_console.inputs import DiscardRequest, FindingsQuery, LogQuery, MuteRequest, read_form
from fleet_console.problems import Invalid


def test_ages_become_times() -> None:
    wanted = FindingsQuery(older_than=timedelta(days=1), newer_than=timedelta(days=7)).filter(NOW)

    assert wanted.opened_after == NOW - timedelta(days=7)
    assert wanted.opened_before == NOW - timedelta(days=1)


def test_ages_that_exclude_each_other_find_nothing_rather_than_fail() -> None:
    wanted = FindingsQuery(older_than=timedelta(days=7), newer_than=timedelta(days=1)).filter(NOW)

    assert wanted.opened_after == wanted.opened_before


@pytest.mark.parametrize(
    ("fields", "kind", "fault"),
    [
        ({"limit": "0"}, FindingsQuery, "limit must be 1 to 100, got 0"),
        ({"newer_than": "9999d"}, FindingsQuery, "newer_than must be at most 3650d"),
        ({"since": "8d"}, LogQuery, "since must be at most 7d"),
        (
            {"pattern": "x" * 1_001, "reason": "y", "until": "1h"},
            MuteRequest,
            "pattern must have at most 1,000 characters, got 1,001",
        ),
        ({"reason": "\udfff"}, DiscardRequest, "reason must be whole text"),
        ({}, DiscardRequest, "reason"),
    ],
)
def test_a_value_out_of_its_range_is_named(
    fields: dict[str, str], kind: type[object], fault: str
) -> None:
    with pytest.raises(Invalid) as refused:
        read_form(fields, kind, "the form")

    assert fault in str(refused.value.description)
