"""Which texts a glob or a list of values matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_endpoints.patterns import any_of, glob


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("*", ["", "x", "a\nb"], []),
        ("living*_*3", ["livingroom_123"], ["livingroom123", "xlivingroom_123"]),
        ("*vin*om*2*", ["livingroom_123"], ["livingroom_13"]),
        ("a?c", ["abc", "a.c"], ["ac", "abbc"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "-x"]),
        ("[^a-c]x", ["dx", "^x"], ["ax"]),
        ("[-a]x", ["-x", "ax"], ["bx"]),
        ("[[&&]x", ["[x", "&x"], ["]x"]),
        ("\\*x", ["*x"], ["ax"]),
        ("[\\]]x", ["]x"], ["\\x"]),
        ("http://*/x", ["http://a/b/x", "http:abx"], ["http://a/b/y"]),
        ("a.c", ["a.c"], ["abc"]),
    ],
)
def test_patterns_fit_whole_texts(pattern: str, fits: list[str], fits_not: list[str]) -> None:
    whether = glob(pattern)
    assert [text for text in fits if not whether(text)] == []
    assert [text for text in fits_not if whether(text)] == []


def test_no_pattern_takes_long() -> None:
    assert not glob("*a" * 12 + "*b")("a" * 50_000)


@given(st.lists(st.sampled_from("ab*?"), max_size=8).map("".join), st.text("ab", max_size=8))
def test_patterns_fit_what_their_definition_says(pattern: str, text: str) -> None:
    def fits(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "*":
            return any(fits(pattern[1:], text[at:]) for at in range(len(text) + 1))
        return bool(text) and pattern[0] in ("?", text[0]) and fits(pattern[1:], text[1:])

    assert glob(pattern)(text) == fits(pattern, text)


@pytest.mark.parametrize("pattern", ["[a", "a\\", "[z-a]"])
def test_what_is_not_a_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a pattern"):
        glob(pattern)


def test_a_list_matches_each_of_its_values_however_it_is_written() -> None:
    matches = any_of([" 200", "0x10 "])
    assert [text for text in ("200", "16", "200.0", " 200") if matches(text)] == ["200", "16"]
