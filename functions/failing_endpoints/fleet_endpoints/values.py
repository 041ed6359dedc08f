"""The values that conditions compare: texts, of which some are numbers or durations."""

import json
import operator
import re
from collections.abc import Callable
from typing import Any

ORDERINGS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    ">": operator.gt,
    "<": operator.lt,
}

# A duration as Go's time.ParseDuration reads it: https://pkg.go.dev/time#ParseDuration.
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
# A whole number as Go's strconv.ParseInt reads it with base 0, so that 010 is 8.
OCTAL = re.compile(r"[+-]?0[0-7_]+")
INTEGER = re.compile(r"[+-]?[0-9][0-9A-Za-z_]*")
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
NUMBER_CHARACTERS = 64  # nobody means a number by anything longer
EXACT = 1e15  # below this, a float that is whole has all its digits


def same(one: str, other: str) -> bool:
    """Whether two values are equal: as whole numbers if both are (`0x10` is `16`), else as text."""
    one_number, other_number = integer(one), integer(other)
    if one_number is None or other_number is None:
        return one == other
    return one_number == other_number


def in_order(left: str, sign: str, right: str) -> bool:
    """Whether two numbers or durations stand in an order; False for what is neither."""
    left_number = number(left)
    right_number = number(right)
    if left_number is None or right_number is None:
        return False
    return ORDERINGS[sign](left_number, right_number)


def number(text: str) -> float | None:
    """Read a duration (as its milliseconds) or a number; None for anything else."""
    if len(text) > NUMBER_CHARACTERS:
        return None
    whole = integer(text)
    if whole is not None:
        return whole
    if DECIMAL.fullmatch(text):
        return float(text)
    try:
        return duration(text)
    except ValueError:  # then it is neither
        return None


def duration(text: str) -> float:
    """Read a duration such as `1h30m` or `500ms`, in milliseconds. Raises `ValueError`."""
    amounts = text[1:] if text.startswith(("-", "+")) else text
    if not AMOUNTS.fullmatch(amounts):
        raise ValueError(f"expected a duration such as 500ms, 10s or 1h30m, got {text!r}")
    milliseconds = 0.0
    for amount, unit in AMOUNT.findall(amounts):
        milliseconds += float(amount) * MILLISECONDS[unit]
    return -milliseconds if text.startswith("-") else milliseconds


def integer(text: str) -> int | None:
    """Read a whole number, whose prefix 0x, 0b, 0o or 0 gives its base; None for anything else."""
    if not INTEGER.fullmatch(text):
        return None
    base = 8 if OCTAL.fullmatch(text) else 0  # 0: Python takes the base from the prefix
    try:
        return int(text, base)
    except ValueError:  # it has digits that its base does not have
        return None


def as_text(value: Any) -> str | None:
    """Write a value of a JSON document as conditions compare it; None for a null.

    Lists are written as Go prints them, `[a b <nil>]`, and objects as JSON. Raises
    `RecursionError` for a value that is nested too deeply.
    """
    match value:
        case None | str():
            return value
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < EXACT:
            return str(int(value))
        case list():
            items = [as_text(item) for item in value]
            return f"[{' '.join('<nil>' if item is None else item for item in items)}]"
        case dict():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return str(value)


def length(value: Any) -> str | None:
    """Return how many items a list has, or characters its text; None for a null.

    Raises `RecursionError` for a value that is nested too deeply.
    """
    text = as_text(value)
    if text is None:
        return None
    return str(len(value) if isinstance(value, list) else len(text))
