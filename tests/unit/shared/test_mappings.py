from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import pytest

from fleet.lists import parse_entries
from fleet.mappings import structure, yaml_key


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


@dataclass(frozen=True)
class Renamed:
    name: str
    query_type: str = field(default="A", metadata=yaml_key("query-type"))


def test_a_key_may_be_one_that_python_cannot_name() -> None:
    (read,) = parse_entries("- {name: a, query-type: MX}", Renamed, "the list").usable
    assert read == Renamed("a", "MX")
    (fault,) = parse_entries("- {name: a, query_type: MX}", Renamed, "the list").faults
    assert fault.reason == "entry 1 of the list: unknown: query_type (known: name, query-type)"
