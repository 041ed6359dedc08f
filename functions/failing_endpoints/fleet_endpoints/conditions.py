"""The language of conditions that gatus made known: `[STATUS] == 200`, `len([BODY].items) > 0`, `[IP] == pat(10.*)`.

It means what it means there, except where a mistake would pass: what is no number is neither smaller nor larger than
one (gatus takes it for 0), fractions count, and what cannot be understood is refused when it is read. Nothing in a
response is ever taken for a function or a pattern.
"""

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

ORDERINGS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    ">": operator.gt,
    "<": operator.lt,
}
SIGNS = ("==", "!=", *ORDERINGS)  # the first of these that a condition holds divides it

CALL = re.compile(r"([a-z]+)\((.*)\)", re.DOTALL)
PLACEHOLDER = re.compile(r"\[([A-Za-z_]{2,})\](.*)", re.DOTALL)
STEP = re.compile(r"\.?\[(\d{1,9})\]|\.?([^.\[\]]+)")
GLOB = re.compile(r"(\*+)|(\?)|\[(\^?)((?:\\.|[^\\\]])+)\]|\\(.)|([^\[\\])", re.DOTALL)

AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
AMOUNTS = re.compile(rf"({AMOUNT.pattern})+")
MILLISECONDS = {
    "ns": 1e-6,
    "us": 1e-3,
    "µs": 1e-3,
    "μs": 1e-3,
    "ms": 1.0,
    "s": 1e3,
    "m": 60e3,
    "h": 3600e3,
}
OCTAL = re.compile(r"[+-]?0[0-7_]+")
INTEGER = re.compile(r"[+-]?[0-9][0-9A-Za-z_]*")
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
NUMBER_CHARACTERS = 64  # what is longer is no number that anybody means


@dataclass(frozen=True)
class Facts:
    """What a probe learnt. Times are in milliseconds; that of the certificate is 0 where none was shown."""

    connected: bool = False
    status: int = 0
    response_time: float = 0
    ip: str = ""
    body: bytes = b""
    certificate_expiration: float = 0
    dns_rcode: str = ""

    @cached_property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace").strip()

    @cached_property
    def document(self) -> Any:
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body, parse_constant=int)  # NaN is no JSON
        except (ValueError, RecursionError):  # then it has no paths, and is only text
            return None


PLACEHOLDERS: dict[str, Callable[[Facts], str]] = {
    "STATUS": lambda facts: str(facts.status),
    "RESPONSE_TIME": lambda facts: str(int(facts.response_time)),
    "IP": lambda facts: facts.ip,
    "BODY": lambda facts: facts.text,
    "CONNECTED": lambda facts: str(facts.connected).lower(),
    "CERTIFICATE_EXPIRATION": lambda facts: str(int(facts.certificate_expiration)),
    "DNS_RCODE": lambda facts: facts.dns_rcode,
}


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a condition. `value` is None where the facts have no such thing.

    `fact` is the placeholder that it names, if it names one. `pat` and `any` have `fits`, which takes the other side.
    """

    text: str
    value: Callable[[Facts], str | None]
    fact: str = ""
    fits: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a condition holds, and the values of the placeholders in it."""

    holds: bool
    got: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Condition:
    """Two sides and the sign between them; `text` is all of it, as people wrote it."""

    text: str
    left: Side
    sign: str
    right: Side

    def about(self, fact: str) -> bool:
        """Whether the condition looks at a fact, such as `BODY`."""
        return fact in (self.left.fact, self.right.fact)

    def judge(self, facts: Facts) -> Judgement:
        """Say whether the condition holds."""
        try:
            left, right = self.left.value(facts), self.right.value(facts)
        except RecursionError:  # which is the judgement
            named = [side.text for side in (self.left, self.right) if side.fact]
            return Judgement(False, dict.fromkeys(named, "nested too deeply to be compared"))
        seen = ((self.left, left), (self.right, right))
        got = {side.text: "absent" if value is None else value for side, value in seen if side.fact}
        return Judgement(self._holds(left, right), got)

    def _holds(self, left: str | None, right: str | None) -> bool:
        if left is None or right is None:
            return self.sign == "!="  # what is absent is like nothing else
        if ordered := ORDERINGS.get(self.sign):
            one, other = number(left), number(right)
            return one is not None and other is not None and ordered(one, other)
        if self.right.fits:
            equal = self.right.fits(left)
        else:
            equal = self.left.fits(right) if self.left.fits else same(left, right)
        return equal == (self.sign == "==")


def parse(text: str) -> Condition:
    """Read a condition. Raises `ValueError` that says what is wrong with it."""
    sign = next((sign for sign in SIGNS if f" {sign} " in text), "")
    left, _, right = text.partition(f" {sign} ")
    if not sign or not left.strip() or not right.strip():
        raise ValueError(
            f"{text!r} is no condition: write VALUE, one of {' '.join(SIGNS)}, VALUE, with spaces between"
        )
    try:
        sides = _side(left.strip()), _side(right.strip())
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    if all(side.fits for side in sides):
        raise ValueError(
            f"{text!r}: one side must be a value that pat() or any() can be compared with"
        )
    for side in sides if sign in ORDERINGS else ():
        if side.fits:
            raise ValueError(f"{text!r}: {side.text} goes with == and != only")
        if not side.fact and number(side.text) is None:
            raise ValueError(
                f"{text!r}: {side.text!r} is neither a number nor a duration such as 500ms or 48h"
            )
    return Condition(text, sides[0], sign, sides[1])


def same(one: str, other: str) -> bool:
    """Whether two values are equal: as whole numbers if both are (`0x10` is `16`), else as text."""
    first, second = integer(one), integer(other)
    return one == other if first is None or second is None else first == second


def number(text: str) -> float | None:
    """Read a duration (as its milliseconds) or a number; None for anything else."""
    if len(text) > NUMBER_CHARACTERS:
        return None
    if (whole := integer(text)) is not None:
        return whole
    try:
        return float(text) if DECIMAL.fullmatch(text) else duration(text)
    except ValueError:  # then it is neither
        return None


def duration(text: str) -> float:
    """Read a duration as Go writes it, such as `1h30m` or `500ms`, in milliseconds. Raises `ValueError`."""
    sign, amounts = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if not AMOUNTS.fullmatch(amounts):
        raise ValueError(f"expected a duration such as 500ms, 10s or 1h30m, got {text!r}")
    return sign * sum(
        float(amount) * MILLISECONDS[unit] for amount, unit in AMOUNT.findall(amounts)
    )


def integer(text: str) -> int | None:
    """Read a whole number, whose prefix 0x, 0b, 0o or 0 tells its base; None for anything else."""
    if not INTEGER.fullmatch(text):
        return None
    try:
        return int(text, 8 if OCTAL.fullmatch(text) else 0)
    except ValueError:  # then it is none
        return None


def glob(pattern: str) -> Callable[[str], bool]:
    """Make of a pattern with `*`, `?`, `[a-z]`, `[^a-z]` and backslashes what tells whether a whole text fits it.

    Slashes are left out on both sides, as gatus does. Raises `ValueError`.
    """
    segments = [""]
    bare = pattern.replace("/", "")
    if GLOB.sub("", bare):
        raise ValueError(f"pat({pattern}) is no pattern: a [ or a backslash stands alone")
    for stars, one, negated, members, escaped, plain in GLOB.findall(bare):
        if stars:
            segments.append("")
        elif members:
            segments[-1] += f"[{negated}{_members(members)}]"
        else:
            segments[-1] += "." if one else re.escape(escaped or plain)
    first, *others = segments
    # What stands between two stars is looked for only once, so no text takes long: its first place is as good as any.
    between = "".join(f"(?>.*?{segment})" for segment in others[:-1])
    try:
        whole = re.compile(
            first + between + "".join(f".*{last}" for last in others[-1:]), re.DOTALL
        )
    except re.error as error:
        raise ValueError(f"pat({pattern}) is no pattern: {error}") from None
    return lambda text: whole.fullmatch(text.replace("/", "")) is not None


def _members(text: str) -> str:
    """The members of a set, as a regular expression writes them."""
    members = re.findall(r"\\.|.", text, re.DOTALL)
    inner = range(1, len(members) - 1)
    return "".join(
        "-" if one == "-" and at in inner else re.escape(one[-1]) for at, one in enumerate(members)
    )


def _side(text: str) -> Side:
    call = CALL.fullmatch(text)
    name, inner = (call[1], call[2].strip()) if call else ("", text)
    if name == "pat":
        return Side(text, lambda _: "", fits=glob(inner))
    if name == "any":
        options = [option.strip() for option in inner.split(",")]
        return Side(
            text, lambda _: "", fits=lambda value: any(same(option, value) for option in options)
        )
    fact, steps = _placeholder(inner)
    if name in FUNCTIONS and not fact:
        raise ValueError(f"{name}() takes a placeholder such as [BODY].name, not {inner!r}")
    if fact and call and name not in FUNCTIONS:
        raise ValueError(f"there is no function {name}() here, only len(), has(), pat() and any()")
    if not fact:
        if within := next((name for name in PLACEHOLDERS if f"[{name}]" in text), ""):
            raise ValueError(
                f"{text!r} is not understood; [{within}] stands by itself, or within len() or has()"
            )
        return Side(text, lambda _: text)
    read = FUNCTIONS.get(name, _text)
    if fact == "BODY" and steps:
        return Side(text, lambda facts: read(_walk(facts.document, steps)), fact)
    if name == "len" and fact == "BODY":
        return Side(
            text,
            lambda facts: read(items if isinstance(items := facts.document, list) else facts.text),
            fact,
        )
    return Side(
        text, lambda facts: read(PLACEHOLDERS[fact](facts) or (None if name == "has" else "")), fact
    )


def _placeholder(text: str) -> tuple[str, list[int | str]]:
    """Return the fact that a text names, and the path into it; no fact if it is a text that means itself."""
    match = PLACEHOLDER.fullmatch(text)
    if not match or (match[1].upper() not in PLACEHOLDERS and not match[1].isupper()):
        return "", []
    fact, path = match[1].upper(), match[2]
    if fact not in PLACEHOLDERS:
        raise ValueError(
            f"there is no [{fact}] here, only {' '.join(f'[{name}]' for name in PLACEHOLDERS)}"
        )
    if path and (fact != "BODY" or STEP.sub("", path) or path[0] not in ".["):
        raise ValueError(f"{text} is no path: write [BODY].name, [BODY][0] or [BODY].items[0].id")
    return fact, [int(index) if index else name for index, name in STEP.findall(path)]


def _walk(document: Any, steps: list[int | str]) -> Any:
    """Follow a path into a document; None if it leads nowhere."""
    for step in steps:
        match document, step:
            case dict(), str():
                document = document.get(step)
            case list(), int() if step < len(document):
                document = document[step]
            case _:
                return None
    return document


def _text(value: Any) -> str | None:
    """A value of a document as conditions compare it."""
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case list():
            return f"[{' '.join('<nil>' if item is None else str(_text(item)) for item in value)}]"
        case dict():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return str(value)


def _length(value: Any) -> str | None:
    text = _text(value)
    return None if text is None else str(len(value if isinstance(value, list) else text))


FUNCTIONS: dict[str, Callable[[Any], str | None]] = {
    "len": _length,
    "has": lambda value: str(value is not None).lower(),
}
