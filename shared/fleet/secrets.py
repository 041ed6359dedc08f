"""Secrets, by the name of an SSM SecureString.

Their values never reach a log line, an alert or a parked message.
"""

import json
from collections.abc import Callable, Iterator
from typing import TypeVar

from fleet import aws
from fleet.errors import Refused

T = TypeVar("T")

# Redacting a shorter secret, such as "on", would garble whatever text has it.
SHORTEST = 8
_fetched: set[str] = set()  # lives as long as the process: what redact() looks for


def using(name: str, attempt: Callable[[str], T]) -> T:
    """Call `attempt` with the secret's value; if it raises `Refused`, once more with a fresh value.

    A rotated secret therefore costs one refused call, not five minutes of them. Raises what the
    second call raises.
    """
    try:
        return attempt(_fetch(name))
    except Refused:  # it may have been rotated since
        return attempt(_fetch(name, fresh=True))


def redact(text: str) -> str:
    """Return the text with `[secret]` in the place of every secret that this process has fetched.

    Each is found as it is, and as JSON or `repr` writes it.
    """
    for value in sorted(_fetched, key=len, reverse=True):
        for spelling in _spellings(value):
            text = text.replace(spelling, "[secret]")
    return text


def _spellings(value: str) -> Iterator[str]:
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]


def _fetch(name: str, *, fresh: bool = False) -> str:
    value = aws.read_parameter(name, decrypt=True, fresh=fresh)
    if len(value) >= SHORTEST:
        _fetched.add(value)
    return value
