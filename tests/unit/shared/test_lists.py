from dataclasses import dataclass, field

import pytest

from fleet import aws
from fleet.findings import Finding
from fleet.lists import Fault, entries, fault_findings, parameter_text, parse_entries
from fleet.settings import SettingsError


@dataclass(frozen=True)
class Part:
    name: str


@dataclass(frozen=True)
class Entry:
    bucket: str
    keep: int
    tags: dict[str, str] = field(default_factory=dict)


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
    assert parameter_text("/fleet/pem") == "PEM"
    with pytest.raises(SettingsError, match="the SSM parameter /fleet/none cannot be read"):
        parameter_text("/fleet/none")


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


def test_each_fault_is_a_finding_about_its_entry() -> None:
    faults = [Fault(2, "bucket: expected text, got 5", {"bucket": 5})]
    assert list(fault_findings(faults, "/fleet/list")) == [
        Finding(
            "entry 2 of /fleet/list",
            "entry 2 of /fleet/list cannot be used",
            detail={"reason": "bucket: expected text, got 5"},
        )
    ]
