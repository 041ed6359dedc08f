from datetime import timedelta
from typing import Any

import pytest
from tests.unit.functions.stale_credentials.iam import (
    NOW,
    REPORTED,
    Fake,
    key,
    line,
    password,
    root,
)

from fleet_credentials.report import Key, parse_user, read_report


def test_a_report_that_is_being_made_is_waited_for(waits: list[int]) -> None:
    iam: Any = Fake(line("ann"), states=("STARTED", "INPROGRESS", "INPROGRESS", "COMPLETE"))
    report = read_report(iam)
    assert [line["user"] for line in report.lines] == ["ann"]
    assert (report.made, waits) == (REPORTED, [1, 2, 4])


def test_a_report_that_is_not_made_in_time_fails_the_run(waits: list[int]) -> None:
    iam: Any = Fake(states=("STARTED", "INPROGRESS"))
    with pytest.raises(TimeoutError, match="IAM has not made its credential report in 167 s"):
        read_report(iam)
    assert sum(waits) == 167
    assert iam.calls["get_credential_report"] == 0


def test_a_key_has_the_moments_and_the_place_of_its_line() -> None:
    columns = key(100, used=1) | key(9, number=2)
    assert parse_user(line(**columns)).keys == (
        Key("access_key_1", NOW - timedelta(days=100), NOW - timedelta(days=1), "s3 in us-east-1"),
        Key("access_key_2", NOW - timedelta(days=9), None, "N/A in N/A"),
    )


@pytest.mark.parametrize(
    ("columns", "has_password"),
    [
        (line(), False),
        (line(**password()), True),
        (line(password_enabled="TRUE"), True),
        (line(password_enabled="not_supported"), False),
        (root(), True),
        (root(password_enabled="false"), False),
    ],
    ids=["none", "one", "capitals", "no statement", "root", "root without"],
)
def test_a_password_is_there_if_the_line_says_so_and_the_root_users_unless_it_denies(
    columns: dict[str, str], has_password: bool
) -> None:
    assert parse_user(columns).has_password == has_password


def test_a_password_that_never_changed_has_no_moment() -> None:
    assert parse_user(line(**password(9))).password_changed == NOW - timedelta(days=9)
    assert parse_user(line()).password_changed is None


@pytest.mark.parametrize(
    "columns",
    [
        {"user_creation_time": "N/A"},
        {"user_creation_time": "yesterday", **password(9)},
        {"user_creation_time": "", **key(9)},
    ],
    ids=["no credential", "a password with a time of its own", "a key"],
)
def test_a_user_may_be_without_a_time_that_does_not_count(columns: dict[str, str]) -> None:
    assert parse_user(line(**columns)).created is None


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        (key(9) | {"access_key_1_last_rotated": "N/A"}, "access_key_1 is active, and has no time"),
        (key(9) | {"access_key_1_last_rotated": "soon"}, "got 'soon'"),
        (key(9) | {"access_key_1_last_used_date": "2026-13-01"}, "got '2026-13-01'"),
        (password(9) | {"password_last_changed": "soon"}, "got 'soon'"),
        ({"mfa_active": None}, "its line ends early"),
    ],
    ids=["no time of a key", "garbled time of a key", "garbled use", "garbled password", "cut"],
)
def test_a_line_that_cannot_be_read_is_refused(columns: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        parse_user(line(**columns))
