"""Read documents that anybody may have written, without ever raising.

Every reader takes a document and the path to a place in it. A value of another type than the one
asked for counts as missing. Text loses the characters that control a screen (escapes, bidirectional
overrides, lone surrogates); it is not escaped, since only a sink knows how.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from fleet import events

# Beyond it a float cannot tell neighbouring integers apart, and str() of an int may refuse.
EXACT = 2**53
# No time is written in more.
TIME_CHARACTERS = 64

Step = str | int
"""A step into a document: the name of a member, or the place of an item."""

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # all but tab and newline
    "\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # invisible, or turn the direction
    "\ud800-\udfff\ufff9-\uffff]"  # halves of pairs, and no characters
)
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?")


def value(document: Any, *path: Step) -> Any:
    """Return what stands at `path`, or None."""
    for step in path:
        document = _inside(document, step)
    return document


def _inside(document: Any, step: Step) -> Any:
    if isinstance(document, Mapping) and isinstance(step, str):
        return document.get(step)
    if not isinstance(document, list | tuple) or not isinstance(step, int):
        return None
    return document[step] if step < len(document) else None


def text(document: Any, *path: Step) -> str:
    """Return the text at `path` as `clean` leaves it, or the number as text; else an empty text."""
    written = value(document, *path)
    if isinstance(written, str):
        return clean(written)
    figure = number(written)
    if figure is None:
        return ""
    if figure.is_integer():
        return str(int(figure))
    return f"{figure:g}"


def number(document: Any, *path: Step) -> float | None:
    """Return the number at `path`, also one that is written as text; else None."""
    written = value(document, *path)
    if isinstance(written, str) and _NUMBER.fullmatch(written):
        written = float(written)
    if isinstance(written, bool) or not isinstance(written, int | float):
        return None
    if not -EXACT < written < EXACT:
        return None
    return float(written)


def items(document: Any, *path: Step) -> list[Any]:
    """Return the list at `path`, or an empty one."""
    listed = value(document, *path)
    if not isinstance(listed, list | tuple):
        return []
    return list(listed)


def texts(document: Any, *path: Step) -> list[str]:
    """Return the items of the list at `path` that are text or numbers, as text."""
    listed = items(document, *path)
    written = [text(item) for item in listed]
    return [item for item in written if item]


def moment(document: Any, *path: Step) -> datetime | None:
    """Return the time at `path` in UTC, written as ISO 8601 or RFC 5322; else None.

    A time without a zone is in UTC.
    """
    written = text(document, *path)[:TIME_CHARACTERS]
    return events.moment(written) or _rfc_5322(written)


def _rfc_5322(written: str) -> datetime | None:
    try:
        time = parsedate_to_datetime(written)
        zone = time.tzinfo or UTC
        return time.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):  # other text, or beyond year 9999
        return None


def clean(written: str) -> str:
    """Return the text without characters that control a screen, and without space around it."""
    unified = written.replace("\r\n", "\n")
    return _CONTROLS.sub("", unified).strip()


def line(written: str) -> str:
    """Return the text as one clean line."""
    words = clean(written).split()
    return " ".join(words)


def as_text(document: Any) -> str:
    """Return the whole document as clean text, whatever it is."""
    if isinstance(document, str):
        return clean(document)
    if isinstance(document, bytes | bytearray):
        return clean(document.decode(errors="replace"))
    try:
        written = json.dumps(document, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):  # not JSON, a circle, or too deep to write
        return f"a {type(document).__name__} that cannot be shown"
    return clean(written)


def join(*parts: str, by: str = ", ") -> str:
    """Return the parts that are not empty as one text."""
    return by.join(part for part in parts if part)


def first_text(*choices: str) -> str:
    """Return the first text that is not empty; an empty one when all are."""
    for choice in choices:
        if choice:
            return choice
    return ""


def last_part(arn: str) -> str:
    """Return the last part of an ARN, which names the resource."""
    return re.split("[:/]", arn)[-1]
