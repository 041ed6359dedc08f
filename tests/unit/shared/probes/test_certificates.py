"""What certificates say, and what is wrong with those shown; tests/probes has the servers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import certificate_authority as pki
from tests.certificate_authority import NOW

from fleet.probes.certificates import (
    Certificate,
    Defect,
    Links,
    Refusal,
    chain_upwards,
    find_defects,
    parse,
)

SECOND = timedelta(seconds=1)
LEAF = parse(pki.leaf("good.test").der)
MIDDLE, ROOT = parse(pki.INTERMEDIATE.der), parse(pki.ROOT.der)


def test_a_certificate_says_who_it_is_of_and_how_long_it_holds() -> None:
    assert LEAF.facts == {
        "subject": "good.test",
        "issuer": "Intermediate",
        "valid from": pki.PAST.isoformat(),
        "valid until": pki.FUTURE.isoformat(),
        "names": "good.test",
    }
    assert ROOT.self_issued
    assert not LEAF.self_issued
    assert MIDDLE.issued(LEAF)
    assert not ROOT.issued(LEAF)


def test_what_a_certificate_says_is_shown_in_one_short_line() -> None:
    read = parse(pki.issue("a\x1b[31m\nb" + "c" * 50, names=("a.test",)).der)
    assert read.subject == "a?[31m?b" + "c" * 50


@pytest.mark.parametrize(
    ("beyond", "found"),
    [(-SECOND, []), (0 * SECOND, []), (SECOND, [Defect.EXPIRED])],
    ids=["a second before", "its last second", "a second after"],
)
def test_a_certificate_holds_through_its_last_second(
    beyond: timedelta, found: list[Defect]
) -> None:
    assert list(find_defects([LEAF], [], "good.test", LEAF.not_after + beyond)) == found


@pytest.mark.parametrize(("beyond", "found"), [(-SECOND, [Defect.NOT_YET_VALID]), (0 * SECOND, [])])
def test_a_certificate_holds_from_its_first_second(beyond: timedelta, found: list[Defect]) -> None:
    assert list(find_defects([LEAF], [], "good.test", LEAF.not_before + beyond)) == found


@pytest.mark.parametrize(
    ("names", "host", "covered"),
    [
        (("a.test",), "a.test", True),
        (("b.test", "a.test"), "a.test", True),
        (("a.test",), "b.a.test", False),
        (("*.a.test",), "b.a.test", True),
        (("*.a.test",), "a.test", False),
        (("*.a.test",), "c.b.a.test", False),
        (("b*.a.test",), "bc.a.test", False),
        (("*.test",), "a.test", False),
        (("192.0.2.7",), "192.0.2.7", True),
        (("*.0.2.7",), "192.0.2.7", False),
        (("2001:db8::7",), "2001:db8::7", True),
        ((), "a.test", False),
    ],
)
def test_a_certificate_covers_hosts_among_its_names(
    names: tuple[str, ...], host: str, covered: bool
) -> None:
    assert replace(LEAF, names=names).covers(host) is covered


def test_the_path_leads_upwards_as_far_as_it_was_shown() -> None:
    assert list(chain_upwards([LEAF, ROOT, MIDDLE])) == [LEAF, MIDDLE, ROOT]
    assert list(chain_upwards([LEAF, ROOT])) == [LEAF]
    assert list(chain_upwards([LEAF, LEAF, MIDDLE, MIDDLE])) == [LEAF, MIDDLE]
    assert list(chain_upwards([])) == []


def test_of_two_that_could_be_the_issuer_the_longer_valid_counts() -> None:
    older = replace(MIDDLE, not_after=MIDDLE.not_after - SECOND)
    assert list(chain_upwards([LEAF, older, MIDDLE])) == [LEAF, MIDDLE]


def test_certificates_that_issue_each_other_end_somewhere() -> None:
    one = replace(LEAF, links=Links("a", "b"))
    other = replace(LEAF, links=Links("b", "a"))
    assert list(chain_upwards([one, other])) == [one, other]


@pytest.mark.parametrize(
    ("code", "defect"),
    [
        (9, Defect.NOT_YET_VALID),
        (10, Defect.EXPIRED),
        (18, Defect.UNTRUSTED),
        (20, Defect.UNTRUSTED),
        (62, Defect.WRONG_HOST),
        (64, Defect.WRONG_HOST),
        (66, Defect.INVALID),
        (99_999, Defect.INVALID),
    ],
)
def test_a_refusal_is_a_defect_even_without_a_certificate(code: int, defect: Defect) -> None:
    found = find_defects([], [Refusal(code, "so it is")], "a.test", NOW)
    assert list(found) == [defect]
    assert "so it is" in found[defect] or defect is Defect.WRONG_HOST


@pytest.mark.parametrize("date", [b"00001231235959Z", b"9999123123-0100"])
def test_a_date_that_no_calendar_has_makes_a_certificate_unreadable(date: bytes) -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    der = pki.leaf("good.test", valid=(pki.PAST, last)).der
    assert parse(der).not_after == last
    with pytest.raises(ValueError, match="date"):
        parse(der.replace(b"99991231235959Z", date))


@given(st.data())
def test_whatever_stands_in_place_of_a_certificate_is_read_or_refused(data: st.DataObject) -> None:
    der = bytearray(pki.ROOT.der)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = parse(bytes(der))
    except ValueError:
        return
    assert isinstance(read, Certificate)
