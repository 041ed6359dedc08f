from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import pytest

from fleet.settings import SettingsError, duration, load, required, within


@dataclass(frozen=True)
class Job:
    routes_parameter: str
    max_deletions: int
    ratio: float = 0.5
    dry_run: bool = True
    older_than: timedelta = timedelta(days=30)
    metrics: Literal["all", "none"] = "all"


NEEDED = {"ROUTES_PARAMETER": "/routes", "MAX_DELETIONS": "5"}


def test_a_variable_of_every_function_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAGE", "prod")
    assert required("STAGE") == "prod"


def test_a_variable_that_every_function_should_have_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("STAGE")
    with pytest.raises(SettingsError) as raised:
        required("STAGE")
    assert (
        str(raised.value)
        == "the environment has no STAGE; template.yaml sets it for every function"
    )


def test_fields_are_read_from_variables_of_their_name() -> None:
    given = {"RATIO": "0.25", "DRY_RUN": "false", "OLDER_THAN": "12h", "METRICS": "none"}
    assert load(Job, NEEDED | given | {"UNRELATED": "x"}) == Job(
        "/routes", 5, 0.25, False, timedelta(hours=12), "none"
    )


def test_a_field_that_is_not_set_has_its_default() -> None:
    assert load(Job, NEEDED) == Job("/routes", 5, 0.5, True, timedelta(days=30))


def test_settings_come_from_the_functions_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    assert load(Job) == Job("/routes", 5)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False)],
)
def test_a_boolean_is_true_or_false(text: str, value: bool) -> None:
    assert load(Job, NEEDED | {"DRY_RUN": text}).dry_run is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("12h", timedelta(hours=12)),
        ("30d", timedelta(days=30)),
        ("2w", timedelta(weeks=2)),
        ("0d", timedelta(0)),
        ("999999w", timedelta(weeks=999_999)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, value: timedelta) -> None:
    assert duration(text) == value


@pytest.mark.parametrize(
    "text", ["", "5", "h", "-5h", "1.5h", "12H", "12 hours", "5h 3m", "1000000d", "5h\n"], ids=repr
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 12h or 30d"):
        duration(text)


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        pytest.param(
            {"MAX_DELETIONS": "many"},
            "MAX_DELETIONS: expected a whole number, got 'many'",
            id="int",
        ),
        pytest.param(
            {"MAX_DELETIONS": "5.0"},
            "MAX_DELETIONS: expected a whole number, got '5.0'",
            id="no whole number",
        ),
        pytest.param(
            {"MAX_DELETIONS": ""}, "MAX_DELETIONS: expected a whole number, got ''", id="empty"
        ),
        pytest.param({"RATIO": "half"}, "RATIO: expected a number, got 'half'", id="float"),
        pytest.param({"DRY_RUN": "yes"}, "DRY_RUN: expected true or false, got 'yes'", id="bool"),
        pytest.param(
            {"OLDER_THAN": "soon"},
            "OLDER_THAN: expected a duration such as 12h or 30d, got 'soon'",
            id="timedelta",
        ),
        pytest.param(
            {"METRICS": "some"}, "METRICS: expected one of all, none, got 'some'", id="choice"
        ),
    ],
)
def test_a_wrong_variable_is_named_with_its_value(variables: dict[str, str], fault: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(Job, NEEDED | variables)
    assert str(raised.value) == f"the environment: {fault}"


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        load(Job, {"MAX_DELETIONS": "many", "DRY_RUN": "perhaps", "OLDER_THAN": "soon"})
    assert str(raised.value) == (
        "the environment: ROUTES_PARAMETER must be set; "
        "MAX_DELETIONS: expected a whole number, got 'many'; "
        "DRY_RUN: expected true or false, got 'perhaps'; "
        "OLDER_THAN: expected a duration such as 12h or 30d, got 'soon'"
    )


@pytest.mark.parametrize("value", [1, 5], ids=["least", "most"])
def test_a_range_includes_its_ends(value: int) -> None:
    within("keep", value, 1, 5)


@pytest.mark.parametrize("value", [0, 6], ids=["below", "above"])
def test_a_value_out_of_its_range_is_named_with_the_range(value: int) -> None:
    with pytest.raises(ValueError, match=f"keep must be 1 to 5, got {value}"):
        within("keep", value, 1, 5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(hours=25), "25h"),
        (timedelta(days=8), "8d"),
        (timedelta(seconds=59), "59s"),
        (timedelta(0), "0s"),
    ],
)
def test_a_duration_out_of_its_range_is_shown_as_people_write_it(
    value: timedelta, text: str
) -> None:
    with pytest.raises(ValueError, match=f"grace must be 1m to 1d, got {text}$"):
        within("grace", value, timedelta(minutes=1), timedelta(days=1))


@dataclass(frozen=True)
class Bounded:
    most_letters: int = 10
    grace: timedelta = timedelta(minutes=15)
    kind: str = ""

    def __post_init__(self) -> None:
        within("most_letters", self.most_letters, 1, 100)
        within("grace", self.grace, timedelta(minutes=1), timedelta(days=1))
        if self.kind == "odd":
            raise ValueError("KIND must be even")


def test_every_variable_that_is_out_of_its_range_is_named() -> None:
    with pytest.raises(SettingsError) as raised:
        load(Bounded, {"MOST_LETTERS": "0", "GRACE": "2d", "KIND": "odd"})
    assert str(raised.value) == (
        "the environment: MOST_LETTERS must be 1 to 100, got 0; "
        "GRACE must be 1m to 1d, got 2d; KIND must be even"
    )


def test_settings_within_their_ranges_are_as_they_were_set() -> None:
    given = {"MOST_LETTERS": "100", "GRACE": "1m"}
    assert load(Bounded, given) == Bounded(100, timedelta(minutes=1))
