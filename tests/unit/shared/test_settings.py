from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import pytest

from fleet import aws, settings
from fleet.settings import (
    SettingsError,
    duration,
    entries,
    load,
    parse_entries,
    required,
    structure,
    within,
    written,
)


@dataclass(frozen=True)
class Job:
    routes_parameter: str
    max_deletions: int
    ratio: float = 0.5
    dry_run: bool = True
    older_than: timedelta = timedelta(days=30)


NEEDED = {"ROUTES_PARAMETER": "/routes", "MAX_DELETIONS": "5"}


@dataclass(frozen=True)
class Part:
    name: str
    kind: Literal["LARGE", "SMALL"] = "SMALL"


@dataclass(frozen=True)
class Entry:
    bucket: str
    keep: int
    ratio: float = 0.5
    dry_run: bool = True
    older_than: timedelta = timedelta(0)
    tags: dict[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()

    def __post_init__(self) -> None:
        if self.keep < 1:
            raise ValueError(f"keep must be 1 or more, got {self.keep}")


def parsed(text: str) -> Entry:
    (entry,) = parse_entries(text, Entry, "the list").usable
    return entry


def reason(text: str) -> str:
    (fault,) = parse_entries(text, Entry, "the list").faults
    return fault.reason


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
    given = {"RATIO": "0.25", "DRY_RUN": "false", "OLDER_THAN": "12h", "UNRELATED": "x"}
    assert load(Job, NEEDED | given) == Job("/routes", 5, 0.25, False, timedelta(hours=12))


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
        "the environment: ROUTES_PARAMETER: required field missing; "
        "MAX_DELETIONS: expected a whole number, got 'many'; "
        "DRY_RUN: expected true or false, got 'perhaps'; "
        "OLDER_THAN: expected a duration such as 12h or 30d, got 'soon'"
    )


def test_an_entry_is_read_as_yaml_types_it() -> None:
    text = """
    - bucket: caches
      keep: 3
      ratio: 1
      dry_run: false
      older_than: 30d
      tags: {team: web}
      parts: [{name: a, kind: LARGE}, {name: b}]
    """
    parts = (Part("a", "LARGE"), Part("b", "SMALL"))
    assert parsed(text) == Entry("caches", 3, 1, False, timedelta(days=30), {"team": "web"}, parts)


@pytest.mark.parametrize("text", ["", "[]", "null", "# nothing yet", "---"], ids=repr)
def test_an_empty_list_has_no_entries(text: str) -> None:
    listed = parse_entries(text, Entry, "the list")
    assert (listed.usable, listed.faults) == ((), ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: [", "the list is not YAML: ", id="torn"),
        pytest.param("- a\n- b: c: d", "the list is not YAML: ", id="misplaced colon"),
        pytest.param(
            "- {bucket: b, keep: 1, tags: {day: 2026-13-45}}",
            "the list is not YAML: ",
            id="no such day",
        ),
        pytest.param("- !!python/name:os.system x", "the list is not YAML: ", id="unsafe tag"),
        pytest.param("[" * 3_000, "the list is not YAML: ", id="too deep"),
        pytest.param(
            "- {bucket: b, keep: 1, keep: 2}",
            "the list is not YAML: 'keep' stands twice",
            id="key twice",
        ),
        pytest.param(
            "- bucket: b\n  bucket: b",
            "the list is not YAML: 'bucket' stands twice",
            id="twice the same",
        ),
        pytest.param(
            "- {tags: {a: x, b: y, a: z}}",
            "the list is not YAML: 'a' stands twice",
            id="key twice inside",
        ),
        pytest.param(
            "- {1: x, true: y}", "the list is not YAML: True stands twice", id="keys that are equal"
        ),
        pytest.param(
            "{a: [], a: []}", "the list is not YAML: 'a' stands twice", id="key twice, no list"
        ),
        pytest.param(
            "bucket: b",
            "the list must be a YAML list, and is a dict: {'bucket': 'b'}",
            id="mapping",
        ),
        pytest.param("bucket", "the list must be a YAML list, and is a str: 'bucket'", id="text"),
        pytest.param("5", "the list must be a YAML list, and is a int: 5", id="number"),
    ],
)
def test_a_text_that_is_no_list_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        parse_entries(text, Entry, "the list")
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("- b", "expected a mapping with bucket, keep, got 'b'", id="text"),
        pytest.param("- null", "expected a mapping with bucket, keep, got None", id="null"),
        pytest.param("- [b, 1]", "expected a mapping with bucket, keep, got ['b', 1]", id="list"),
        pytest.param(
            "- {}",
            "bucket: required field missing; keep: required field missing",
            id="empty mapping",
        ),
        pytest.param("- {bucket: b}", "keep: required field missing", id="missing key"),
        pytest.param(
            "- {bucket: b, keep: '5'}", "keep: expected a whole number, got '5'", id="text for int"
        ),
        pytest.param(
            "- {bucket: b, keep: true}",
            "keep: expected a whole number, got True",
            id="bool for int",
        ),
        pytest.param(
            "- {bucket: b, keep: 5.5}", "keep: expected a whole number, got 5.5", id="float for int"
        ),
        pytest.param(
            "- {bucket: b, keep: null}",
            "keep: expected a whole number, got None",
            id="null for int",
        ),
        pytest.param("- {bucket: 5, keep: 1}", "bucket: expected text, got 5", id="int for text"),
        pytest.param(
            "- {bucket: on, keep: 1}", "bucket: expected text, got True", id="YAML's on for text"
        ),
        pytest.param(
            "- {bucket: b, keep: 1, ratio: '1'}",
            "ratio: expected a number, got '1'",
            id="text for float",
        ),
        pytest.param(
            "- {bucket: b, keep: 1, ratio: true}",
            "ratio: expected a number, got True",
            id="bool for float",
        ),
        pytest.param(
            "- {bucket: b, keep: 1, dry_run: 'false'}",
            "dry_run: expected true or false, got 'false'",
            id="text for bool",
        ),
        pytest.param(
            "- {bucket: b, keep: 1, dry_run: 0}",
            "dry_run: expected true or false, got 0",
            id="int for bool",
        ),
        pytest.param(
            "- {bucket: b, keep: 1, older_than: 30}",
            "older_than: expected a duration such as 12h or 30d, got '30'",
            id="duration without unit",
        ),
        pytest.param(
            "- {bucket: b, keep: 1, tags: {a: 5}}",
            "tags['a']: expected text, got 5",
            id="inside a mapping",
        ),
        pytest.param(
            "- {bucket: b, keep: 1, tags: [a]}", "tags: expected a mapping", id="list for mapping"
        ),
        pytest.param(
            "- {bucket: b, keep: 1, parts: [{}]}",
            "parts[0].name: required field missing",
            id="inside a list",
        ),
        pytest.param(
            "- {bucket: b, keep: 0}",
            "keep must be 1 or more, got 0",
            id="refused by the entry itself",
        ),
    ],
)
def test_a_wrong_entry_is_a_fault_that_says_what_was_expected(text: str, fault: str) -> None:
    assert reason(text) == f"entry 1 of the list: {fault}"


KNOWN = "known: bucket, keep, ratio, dry_run, older_than, tags, parts"


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        pytest.param("dryrun: false", f"unknown: dryrun ({KNOWN})", id="misspelt"),
        pytest.param("b: 1, a: 2", f"unknown: a, b ({KNOWN})", id="several"),
        pytest.param("on: push", f"unknown: True ({KNOWN})", id="YAML's on"),
        pytest.param("5: x, a: y", f"unknown: 5, a ({KNOWN})", id="number and text"),
        pytest.param(
            "parts: [{name: x, size: 1}]",
            "parts[0]: unknown: size (known: name, kind)",
            id="inside, with its own keys",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_those_that_are_known(keys: str, fault: str) -> None:
    assert reason(f"- {{bucket: b, keep: 1, {keys}}}") == f"entry 1 of the list: {fault}"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        pytest.param(
            "parts: [{name: a, kind: HUGE}]",
            ["parts[0].kind", "HUGE", "LARGE", "SMALL"],
            id="not in a choice",
        ),
        pytest.param(
            "parts: [a]", ["parts[0]", "expected a mapping"], id="text for a mapping in a list"
        ),
        pytest.param("parts: 5", ["parts", "expected"], id="number for a list"),
    ],
)
def test_a_wrong_part_is_named_with_what_it_may_be(keys: str, words: list[str]) -> None:
    said = reason(f"- {{bucket: b, keep: 1, {keys}}}")
    assert [word for word in words if word not in said] == []
    assert "unknown error" not in said


def test_a_key_that_stands_twice_is_shown_where_it_stands() -> None:
    with pytest.raises(SettingsError, match=r"'keep' stands twice\n  in .*, line 2, column 3"):
        parse_entries("- {bucket: a, keep: 1}\n- {bucket: b, keep: 1, keep: 2}", Entry, "the list")


def test_an_entry_may_take_over_what_another_says() -> None:
    listed = parse_entries(
        "[&first {bucket: a, keep: 1}, {<<: *first, keep: 2}]", Entry, "the list"
    )
    assert listed.usable == (Entry("a", 1), Entry("a", 2))


def test_a_key_may_stand_once_in_each_mapping() -> None:
    listed = parse_entries(
        "[{bucket: a, keep: 1, tags: {keep: x}}, {bucket: b, keep: 1}]", Entry, "the list"
    )
    assert listed.usable == (Entry("a", 1, tags={"keep": "x"}), Entry("b", 1))


def test_faults_are_numbered_and_leave_the_other_entries_usable() -> None:
    listed = parse_entries(
        "[{bucket: a, keep: 1}, oops, {bucket: b, keep: 2}, {bucket: c}]", Entry, "the list"
    )
    assert listed.usable == (Entry("a", 1), Entry("b", 2))
    assert [(fault.number, fault.entry) for fault in listed.faults] == [
        (2, "oops"),
        (4, {"bucket": "c"}),
    ]


def test_an_entry_that_repeats_the_key_of_an_earlier_one_is_a_fault() -> None:
    text = (
        "[{bucket: a, keep: 1}, {bucket: b, keep: 1}, {bucket: a, keep: 2}, {bucket: a, keep: 3}]"
    )
    listed = parse_entries(text, Entry, "the list", key=lambda entry: entry.bucket)
    assert listed.usable == (Entry("a", 1), Entry("b", 1))
    assert [(fault.number, fault.reason) for fault in listed.faults] == [
        (3, "entry 3 of the list repeats entry 1: a"),
        (4, "entry 4 of the list repeats entry 1: a"),
    ]


def test_entries_may_repeat_where_no_key_tells_them_apart() -> None:
    assert (
        len(parse_entries("[{bucket: a, keep: 1}, {bucket: a, keep: 1}]", Entry, "the list").usable)
        == 2
    )


@pytest.mark.parametrize("value", [1, 5], ids=["least", "most"])
def test_a_range_includes_its_ends(value: int) -> None:
    within("keep", value, 1, 5)


@pytest.mark.parametrize("value", [0, 6], ids=["below", "above"])
def test_a_value_out_of_its_range_is_named_with_the_range(value: int) -> None:
    with pytest.raises(ValueError, match=f"keep must be 1 to 5, got {value}"):
        within("keep", value, 1, 5)


def test_all_faults_of_an_entry_are_said_at_once() -> None:
    assert reason("- {bucket: 5, older_than: soon}") == (
        "entry 1 of the list: bucket: expected text, got 5; keep: required field missing; "
        "older_than: expected a duration such as 12h or 30d, got 'soon'"
    )


@pytest.mark.parametrize(
    "value", [{"bucket": "b", "keep": 1}, {"keep": 1, "bucket": "b"}], ids=repr
)
def test_a_decoded_mapping_is_structured(value: Any) -> None:
    assert structure(value, Entry, "the detail") == Entry("b", 1)


@pytest.mark.usefixtures("moto")
def test_a_list_is_read_from_its_parameter() -> None:
    aws.client("ssm").put_parameter(
        Name="/fleet/list", Type="String", Value="[{bucket: b, keep: 1}, oops]"
    )
    listed = entries("/fleet/list", Entry)
    assert listed.usable == (Entry("b", 1),)
    assert listed.faults[0].reason.startswith(
        "entry 2 of the SSM parameter /fleet/list: expected a mapping"
    )


@pytest.mark.usefixtures("moto")
def test_a_parameter_is_read_once_in_a_while() -> None:
    ssm = aws.client("ssm")
    ssm.put_parameter(Name="/fleet/list", Type="String", Value="[{bucket: b, keep: 1}]")
    entries("/fleet/list", Entry)
    ssm.put_parameter(Name="/fleet/list", Type="String", Value="[]", Overwrite=True)
    assert entries("/fleet/list", Entry).usable == (Entry("b", 1),)


@pytest.mark.usefixtures("moto")
def test_a_list_that_was_mended_is_read_anew_at_once() -> None:
    ssm = aws.client("ssm")
    ssm.put_parameter(Name="/fleet/list", Type="String", Value="[{bucket: b")
    with pytest.raises(SettingsError, match="is not YAML"):
        entries("/fleet/list", Entry)
    ssm.put_parameter(
        Name="/fleet/list", Type="String", Value="[{bucket: b, keep: 1}]", Overwrite=True
    )
    assert entries("/fleet/list", Entry).usable == (Entry("b", 1),)


@pytest.mark.usefixtures("moto")
def test_an_optional_list_that_does_not_exist_is_empty() -> None:
    assert entries("/fleet/list", Entry, optional=True).usable == ()


@pytest.mark.usefixtures("moto")
def test_an_optional_list_that_is_wrong_is_refused_all_the_same() -> None:
    aws.client("ssm").put_parameter(Name="/fleet/list", Type="String", Value="bucket: b")
    with pytest.raises(SettingsError, match="must be a YAML list"):
        entries("/fleet/list", Entry, optional=True)


@pytest.mark.usefixtures("moto")
def test_a_parameter_that_does_not_exist_is_named() -> None:
    with pytest.raises(
        SettingsError, match=r"the SSM parameter /fleet/list cannot be read: .*ParameterNotFound"
    ):
        entries("/fleet/list", Entry)


@pytest.mark.usefixtures("moto")
def test_a_long_list_goes_on_in_further_parameters_and_is_counted_through() -> None:
    for name, text in {
        "list": "[{bucket: b, keep: 1}]",
        "list-2": "[oops, {bucket: b, keep: 2}]",
        "list-4": "[x]",
    }.items():
        aws.client("ssm").put_parameter(Name=f"/fleet/{name}", Type="String", Value=text)
    read = entries("/fleet/list", Entry, key=lambda entry: entry.bucket, parts=3)
    assert read.usable == (Entry("b", 1),)
    assert [fault.number for fault in read.faults] == [2, 3]
    assert "entry 3 of the SSM parameter /fleet/list-2 repeats entry 1: b" in read.faults[1].reason


@pytest.mark.usefixtures("moto")
def test_a_parameter_is_read_as_text() -> None:
    aws.client("ssm").put_parameter(Name="/fleet/pem", Type="String", Value="PEM")
    assert settings.parameter("/fleet/pem") == "PEM"
    with pytest.raises(SettingsError, match="the SSM parameter /fleet/none cannot be read"):
        settings.parameter("/fleet/none")


@dataclass(frozen=True)
class Renamed:
    name: str
    query_type: str = field(default="A", metadata=written("query-type"))


def test_a_key_may_be_one_that_python_cannot_name() -> None:
    (read,) = parse_entries("- {name: a, query-type: MX}", Renamed, "the list").usable
    assert read == Renamed("a", "MX")
    (fault,) = parse_entries("- {name: a, query_type: MX}", Renamed, "the list").faults
    assert fault.reason == "entry 1 of the list: unknown: query_type (known: name, query-type)"


def test_a_list_may_stand_under_a_key_and_what_is_beside_it_is_named() -> None:
    listed = parse_entries(
        "{ui: {}, parts: [{name: a}, {}], 1: x}", Part, "the list", under="parts"
    )
    assert listed.usable == (Part("a"),)
    assert [(fault.number, fault.reason) for fault in listed.faults] == [
        (0, "the list: 1, ui has no effect here: only the list counts"),
        (2, "entry 2 of the list: name: required field missing"),
    ]


@pytest.mark.parametrize("text", ["{other: []}", "{parts: {}}", "parts"])
def test_what_is_no_list_under_its_key_either_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="the list must be a YAML list, and is a"):
        parse_entries(text, Part, "the list", under="parts")
