"""The language of conditions that gatus made known: `[STATUS] == 200`, `len([BODY].items) > 0`.

It means what it means there (https://github.com/TwiN/gatus#conditions), except where a mistake
would pass: what is not a number is neither smaller nor larger than one (gatus takes it for 0),
fractions count, and what cannot be understood is refused when it is read. Nothing in a response is
ever taken for a function or a pattern.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fleet_endpoints.facts import PLACEHOLDERS, Facts
from fleet_endpoints.patterns import Matcher, any_of, glob
from fleet_endpoints.values import ORDERINGS, as_text, in_order, length, number, same

SIGNS = ("==", "!=", *ORDERINGS)  # the first of these that a condition holds divides it
FUNCTIONS = ("len", "has")  # those that take a placeholder

CALL = re.compile(r"([a-z]+)\((.*)\)", re.DOTALL)
PLACEHOLDER = re.compile(r"\[([A-Za-z_]{2,})\](.*)", re.DOTALL)
STEP = re.compile(r"\.?\[(\d{1,9})\]|\.?([^.\[\]]+)")

Path = tuple[int | str, ...]
"""The way into a JSON document: indices of lists, and keys of objects."""


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a condition, as people wrote it: by itself, a text that means itself.

    `fact` is the placeholder that it names, if it names one.
    """

    text: str
    fact: str = ""

    def read(self, facts: Facts) -> str | None:  # noqa: ARG002 - what a placeholder needs
        """Return its value; None where the facts have no such thing. Raises `RecursionError`."""
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder(Side):
    """A side that names a fact, and perhaps a path into the body and one of `FUNCTIONS`."""

    path: Path = ()
    function: str = ""

    def read(self, facts: Facts) -> str | None:
        """Return the value of the fact, of what the path leads to, or of the function."""
        value = self._find(facts)
        if self.function == "len":
            return length(value)
        if self.function == "has":
            is_there = value is not None if self.path else value != ""
            return as_text(is_there)
        return as_text(value)

    def _find(self, facts: Facts) -> Any:
        if self.path:
            return follow(facts.document, self.path)
        if self.fact == "BODY" and self.function == "len":
            document = facts.document
            if isinstance(document, list):
                return document
        return facts.value(self.fact)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingSide(Side):
    """The side `pat(...)` or `any(...)`: `matches` tests the value of the other side."""

    matches: Matcher


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Whether a condition holds, and the values of its placeholders, by how people wrote them."""

    condition: str
    holds: bool
    got: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Condition:
    """Two sides and the sign between them; `text` is all of it, as people wrote it."""

    text: str
    left: Side
    sign: str
    right: Side

    def looks_at(self, fact: str) -> bool:
        """Whether the condition is about a fact, such as `BODY`."""
        return fact in (self.left.fact, self.right.fact)

    def evaluate(self, facts: Facts) -> Evaluation:
        """Say whether the condition holds. A value that is nested too deeply fails it."""
        try:
            left = self.left.read(facts)
            right = self.right.read(facts)
        except RecursionError:  # which is the result
            too_deep = "nested too deeply to be compared"
            got = self._got(too_deep, too_deep)
            return Evaluation(self.text, False, got)
        return Evaluation(
            condition=self.text,
            holds=self._holds(left, right),
            got=self._got(left, right),
        )

    def _got(self, left: str | None, right: str | None) -> dict[str, str]:
        """Return the values of placeholders; a text needs no explaining."""
        got = {}
        for side, value in ((self.left, left), (self.right, right)):
            if side.fact:
                got[side.text] = "absent" if value is None else value
        return got

    def _holds(self, left: str | None, right: str | None) -> bool:
        if left is None or right is None:
            return self.sign == "!="  # what is absent equals nothing
        if self.sign in ORDERINGS:
            return in_order(left, self.sign, right)
        equal = self._equal(left, right)
        return equal if self.sign == "==" else not equal

    def _equal(self, left: str, right: str) -> bool:
        if isinstance(self.right, MatchingSide):
            return self.right.matches(left)
        if isinstance(self.left, MatchingSide):
            return self.left.matches(right)
        return same(left, right)


# Lives as long as the process: many endpoints have the same conditions, in every run.
@lru_cache(maxsize=4_096)
def parse(text: str) -> Condition:
    """Read a condition. Raises `ValueError` that says what is wrong with it."""
    try:
        left_text, sign, right_text = _split(text)
        left = _parse_side(left_text)
        right = _parse_side(right_text)
        _check_sides(left, sign, right)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    return Condition(
        text=text,
        left=left,
        sign=sign,
        right=right,
    )


def _split(text: str) -> tuple[str, str, str]:
    for sign in SIGNS:
        left, found, right = text.partition(f" {sign} ")
        if found:
            break
    left, right = left.strip(), right.strip()
    if not left or not right:
        signs = " ".join(SIGNS)
        raise ValueError(
            f"this is not a condition: write VALUE, one of {signs}, VALUE, with spaces between"
        )
    return left, sign, right


def _check_sides(left: Side, sign: str, right: Side) -> None:
    """Raise `ValueError` for sides that cannot be compared by a sign."""
    tests = [side.text for side in (left, right) if isinstance(side, MatchingSide)]
    if len(tests) == 2:
        raise ValueError("one side must be a value that pat() or any() can be compared with")
    if sign not in ORDERINGS:
        return
    if tests:
        raise ValueError(f"{tests[0]} goes with == and != only")
    for side in (left, right):
        if not side.fact and number(side.text) is None:
            raise ValueError(
                f"{side.text!r} is neither a number nor a duration such as 500ms or 48h"
            )


def _parse_side(text: str) -> Side:
    function, argument = "", text
    if call := CALL.fullmatch(text):
        function, argument = call[1], call[2].strip()
    if function == "pat":
        return MatchingSide(text, matches=glob(argument))
    if function == "any":
        return MatchingSide(text, matches=any_of(argument.split(",")))
    match = PLACEHOLDER.fullmatch(argument)
    if match:
        name = match[1]
        if name.isupper() or name.upper() in PLACEHOLDERS:
            return _parse_placeholder(text, function, match)
    return _parse_text(text, function, argument)


def _parse_text(text: str, function: str, argument: str) -> Side:
    """Return a text that means itself. Raises `ValueError` for one that was meant otherwise."""
    if function in FUNCTIONS:
        raise ValueError(f"{function}() takes a placeholder such as [BODY].name, not {argument!r}")
    for name in PLACEHOLDERS:
        if f"[{name}]" in text:
            raise ValueError(
                f"{text!r} is not understood; [{name}] stands by itself, or within len() or has()"
            )
    return Side(text)


def _parse_placeholder(text: str, function: str, match: re.Match[str]) -> Placeholder:
    fact = match[1].upper()
    if fact not in PLACEHOLDERS:
        known = " ".join(f"[{placeholder}]" for placeholder in PLACEHOLDERS)
        raise ValueError(f"there is no [{fact}] here, only {known}")
    if function not in ("", *FUNCTIONS):
        known = "only len(), has(), pat() and any()"
        raise ValueError(f"there is no function {function}() here, {known}")
    rest = match[2]
    if rest and not _is_path(fact, rest):
        examples = "[BODY].name, [BODY][0] or [BODY].items[0].id"
        raise ValueError(f"{match[0]} is not a path: write {examples}")
    return Placeholder(
        text,
        fact,
        path=_parse_path(rest),
        function=function,
    )


def _is_path(fact: str, text: str) -> bool:
    begins_well = text.startswith((".", "["))
    return fact == "BODY" and begins_well and not STEP.sub("", text)


def _parse_path(text: str) -> Path:
    steps: list[int | str] = []
    for index, key in STEP.findall(text):
        steps.append(int(index) if index else key)
    return tuple(steps)


def follow(document: Any, path: Path) -> Any:
    """Follow a path into a document; None if it leads nowhere."""
    for step in path:
        match document, step:
            case dict(), str():
                document = document.get(step)
            case list(), int() if step < len(document):
                document = document[step]
            case _:
                return None
    return document
