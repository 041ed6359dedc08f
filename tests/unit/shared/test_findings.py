import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.findings import (
    FACT_CHARACTERS,
    LAST,
    REPORT_BYTES,
    SUBJECT_CHARACTERS,
    TITLE_CHARACTERS,
    Fact,
    Finding,
    Range,
    Report,
    Severity,
    Unread,
    cut,
    reports,
    span,
)

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
EVENT_BYTES = 256 * 1_024  # what EventBridge and SQS carry
LONGEST = SUBJECT_CHARACTERS - 5


def subjects(made: list[Report]) -> list[str]:
    return [finding.subject for report in made for finding in report.findings]


def test_a_short_text_is_not_cut() -> None:
    assert cut("x" * 60, 60) == "x" * 60


def test_a_cut_text_fits_and_says_what_it_was() -> None:
    assert cut("x" * 61, 60) == "x" * 34 + "… (cut from 61 characters)"
    assert len(cut("x" * 1_000_000, 60)) == 60


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(days=3, hours=2, minutes=59), "3 d 2 h"),
        (timedelta(days=2), "2 d"),
        (timedelta(days=2) - timedelta(seconds=1), "47 h 59 min"),
        (timedelta(hours=26), "26 h"),
        (timedelta(hours=1, minutes=5), "1 h 5 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(seconds=59.9), "59 s"),
        (timedelta(0), "0 s"),
        (-timedelta(hours=3), "3 h"),
    ],
)
def test_a_span_is_written_in_its_two_largest_units(length: timedelta, text: str) -> None:
    assert span(length) == text


@pytest.mark.parametrize("length", [0, SUBJECT_CHARACTERS + 1])
def test_a_subject_is_never_cut_but_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 1024 characters, not {length}"):
        Finding("x" * length, "title")


def test_long_titles_and_facts_are_cut_and_say_so() -> None:
    finding = Finding("s", "t" * 1_000, detail={"n" * 300: "v" * 5_000, "count": 10**30})
    (name, fact), count = next(iter(finding.detail.items())), finding.detail["count"]
    assert [len(text) for text in (finding.title, name, str(fact))] == [
        TITLE_CHARACTERS,
        TITLE_CHARACTERS,
        FACT_CHARACTERS,
    ]
    assert all("(cut from" in str(text) for text in (finding.title, name, fact))
    assert count == 10**30


def test_a_finding_keeps_its_facts_when_the_callers_mapping_changes() -> None:
    facts: dict[str, Fact] = {"a": 1}
    finding = Finding("s", "t", detail=facts)
    facts["a"] = 2
    assert finding.detail == {"a": 1}


def test_a_report_is_the_json_that_triage_reads() -> None:
    finding = Finding(
        "web",
        "web is paused",
        Severity.CRITICAL,
        {"stage": "Déploy", "days": 3, "old": True},
        "https://x",
    )
    assert json.loads(Report("paused_pipelines", NOW, (finding,), "api", "web").as_json()) == {
        "job": "paused_pipelines",
        "scheduled_at": "2026-11-20T08:00:00+00:00",
        "findings": [
            {
                "subject": "web",
                "title": "web is paused",
                "severity": "critical",
                "detail": {"stage": "Déploy", "days": 3, "old": True},
                "link": "https://x",
            }
        ],
        "after": "api",
        "through": "web",
    }


def test_a_run_without_findings_makes_one_report_that_is_empty_and_complete() -> None:
    assert reports("job", NOW, []) == [Report("job", NOW, (), None, None)]


def test_a_few_findings_make_one_report_in_the_order_of_their_subjects() -> None:
    found = [Finding(subject, "title") for subject in ("b", "é", "a", "🚀", "B")]
    (report,) = reports("job", NOW, iter(found))
    assert (subjects([report]), report.after, report.through) == (
        ["B", "a", "b", "é", "🚀"],
        None,
        None,
    )


def test_two_findings_of_one_subject_are_refused() -> None:
    with pytest.raises(ValueError, match="two findings of job share the subject 'a'"):
        reports("job", NOW, [Finding("a", "one"), Finding("b", "two"), Finding("a", "three")])


def ranges(*findings: Finding) -> list[tuple[str | None, list[str], str | None]]:
    return [(each.after, subjects([each]), each.through) for each in reports("job", NOW, findings)]


def test_no_report_speaks_of_what_is_unread() -> None:
    last = "\U0010ffff"
    found = [Finding(subject, "title") for subject in ("a", "secret-x", "secret.", "secret0", "z")]
    assert ranges(*found, Unread("secret", "cannot be read")) == [
        (None, ["a", "secret", "secret-x", "secret."], "secret/"),
        (f"secret/{last}", ["secret0", "z"], None),
    ]
    assert ranges(Unread("b", "cannot be read"), Unread("a", "cannot be read")) == [
        (None, ["a"], "a/"),
        (f"a/{last}", ["b"], "b/"),
        (f"b/{last}", [], None),
    ]


def test_the_ranges_between_what_is_unread_are_split_where_an_event_is_full() -> None:
    found = [
        Finding(f"{letter}{number:04}", "x" * 200) for letter in "ac" for number in range(1_000)
    ]
    made = reports("job", NOW, [*found, Unread("b", "cannot be read")])
    assert subjects(made) == sorted([*(finding.subject for finding in found), "b"])
    edges = [(one.through, other.after) for one, other in pairwise(made)]
    assert len(made) > 2
    assert [edge for edge in edges if edge[0] != edge[1]] == [("b/", "b/\U0010ffff")]


@pytest.mark.parametrize(
    "within",
    [Finding("a/b", "title"), Unread("a/b", "title"), Finding("a/", "title")],
    ids=["finding", "unread", "edge"],
)
def test_a_finding_in_what_is_unread_is_refused(within: Finding) -> None:
    with pytest.raises(
        ValueError, match=f"job found {within.subject!r} in what it reports as unread"
    ):
        reports("job", NOW, [within, Unread("a", "title")])


LIMIT = 40_000
texts = st.sampled_from(["x", "é", "🚀", '"', "\\", "\n"])
long_texts = st.builds(
    lambda character, length: character * length, texts, st.integers(1, FACT_CHARACTERS)
)
found = st.lists(
    st.builds(
        lambda subject, padding, title, facts: Finding(
            subject + padding[: SUBJECT_CHARACTERS - len(subject)],
            title,
            detail=dict(enumerate_names(facts)),
        ),
        st.text(min_size=1, max_size=5),
        long_texts,
        long_texts,
        st.lists(long_texts, max_size=3),
    ),
    max_size=30,
    unique_by=lambda finding: finding.subject,
)


def enumerate_names(facts: list[str]) -> Mapping[str, str]:
    return {f"fact {number}": fact for number, fact in enumerate(facts)}


@settings(max_examples=60)
@given(found)
def test_reports_hold_every_finding_once_within_the_limit_and_their_ranges_meet(
    found: list[Finding],
) -> None:
    with patch("fleet.findings.REPORT_BYTES", LIMIT):
        made = reports("job", NOW, found)
    assert subjects(made) == sorted(finding.subject for finding in found)
    assert max(len(report.as_json().encode()) for report in made) <= LIMIT
    assert (made[0].after, made[-1].through) == (None, None)
    for one, next_one in pairwise(made):
        assert one.through == next_one.after
    for report in made:
        within = [finding.subject for finding in report.findings]
        assert report.after is None or all(report.after < subject for subject in within)
        assert report.through is None or all(subject <= report.through for subject in within)


@pytest.mark.parametrize("character", ["x", "é", "🚀", '"', "\0"], ids=ascii)
def test_reports_of_the_longest_subjects_stay_within_the_limit(character: str) -> None:
    """Each is full to the brim: the facts fill what subjects, whatever they are made of, leave."""
    found = [
        Finding(
            f"{number:05}{character * LONGEST}",
            character * TITLE_CHARACTERS,
            detail={"fact": "x" * size},
        )
        for number, size in enumerate(range(1, FACT_CHARACTERS, 12))
    ]
    made = reports("job", NOW, found)
    assert len(made) > 1
    assert max(len(report.as_json()) for report in made) <= REPORT_BYTES < EVENT_BYTES


def test_as_few_reports_are_made_as_are_needed() -> None:
    found = [
        Finding(f"{number:05}", "x" * 200, detail={"fact": "y" * 700}) for number in range(1_000)
    ]
    total = sum(len(json.dumps(finding.as_json())) for finding in found)
    assert len(reports("job", NOW, found)) <= total // (REPORT_BYTES - 40_000) + 1


def test_a_finding_too_large_for_a_report_is_published_and_says_what_it_leaves_out() -> None:
    huge = Finding(
        "b",
        "huge",
        detail={f"fact {number:03}": "🚀" * FACT_CHARACTERS for number in range(100)},
        link="l",
    )
    made = reports("job", NOW, [Finding("a", "before"), huge, Finding("c", "after")])
    published = next(f for report in made for f in report.findings if f.subject == "b")
    kept = len(published.detail) - 1
    assert subjects(made) == ["a", "b", "c"]
    assert max(len(report.as_json()) for report in made) <= REPORT_BYTES
    assert 1 <= kept < 100
    assert published.detail["left out"] == f"{100 - kept} of 100 facts"
    assert (published.title, published.link) == ("huge", "l")


def test_no_link_makes_a_report_too_large() -> None:
    made = reports("job", NOW, [Finding("a", "title", link=f"https://console/{'x' * 300_000}")])
    assert subjects(made) == ["a"]
    assert max(len(report.as_json()) for report in made) <= REPORT_BYTES


@pytest.mark.parametrize(
    ("about", "found", "expected"),
    [
        (Range("a", "m"), [], [("a", "m", [])]),
        (Range("a", "m"), ["b", "m"], [("a", "m", ["b", "m"])]),
        (Range(None, "m"), [Unread("c", "x")], [(None, "c/", ["c"]), (f"c/{LAST}", "m", [])]),
        (Range("a", "c/5"), [Unread("c", "x")], [("a", "c/", ["c"])]),
        (
            Range("b", None),
            [Unread("c", "x"), "d"],
            [("b", "c/", ["c"]), (f"c/{LAST}", None, ["d"])],
        ),
    ],
    ids=["nothing", "both ends", "unread within", "unread beyond its end", "no end"],
)
def test_a_part_reports_its_range_and_nothing_of_what_is_unread(
    about: Range,
    found: list[str | Unread],
    expected: list[tuple[str | None, str | None, list[str]]],
) -> None:
    findings = [each if isinstance(each, Unread) else Finding(each, "title") for each in found]
    made = reports("job", NOW, findings, about=about)
    assert [
        (each.after, each.through, [finding.subject for finding in each.findings]) for each in made
    ] == expected


@pytest.mark.parametrize("subject", ["a", "n"])
def test_a_part_says_nothing_of_what_is_outside(subject: str) -> None:
    with pytest.raises(
        ValueError, match=f"found something about '{subject}', which is not its part"
    ):
        reports("job", NOW, [Finding(subject, "title")], about=Range("a", "m"))


@pytest.mark.parametrize("findings", [["text"], [None], [{"detail": "text"}], ["text" * 9], "text"])
def test_what_holds_no_findings_is_no_report(findings: Any) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Report.from_json({"job": "j", "scheduled_at": "2026-11-20T08:00:00Z", "findings": findings})


def test_no_function_bears_a_name_of_65_characters() -> None:
    with pytest.raises(ValueError, match="no job"):
        Report.from_json({"job": "j" * 65, "scheduled_at": "2026-11-20T08:00:00Z", "findings": []})
