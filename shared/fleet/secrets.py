"""Secrets, by the name of an SSM SecureString; their values never reach a log line, an alert or a parked message."""

import json
from collections.abc import Callable
from typing import TypeVar

from fleet import aws
from fleet.errors import Refused

T = TypeVar("T")

# Without a bound, redacting a secret such as "on" would garble whatever it stands in.
SHORTEST = 8
_fetched: set[str] = set()


def using(name: str, attempt: Callable[[str], T]) -> T:
    """Call `attempt` with the secret's value; if it raises `Refused`, fetch the secret anew and call it once more.

    A rotated secret so costs one refused call, not five minutes of them. Raises what `attempt` raises the second time.
    """
    try:
        return attempt(_fetch(name))
    except Refused:  # it may have been rotated since
        return attempt(_fetch(name, anew=True))


def redact(text: str) -> str:
    """Return `text` with every secret fetched by this process replaced, as it is and as JSON or `repr` writes it."""
    for value in sorted(_fetched, key=len, reverse=True):
        as_json, as_utf8 = (
            json.dumps(value, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)
        )
        for written in (value, as_json, as_utf8, repr(value)[1:-1]):
            text = text.replace(written, "[secret]")
    return text


def _fetch(name: str, *, anew: bool = False) -> str:
    value = aws.parameter(name, decrypt=True, anew=anew)
    if len(value) >= SHORTEST:
        _fetched.add(value)
    return value
