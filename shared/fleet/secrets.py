"""Secrets, by the name of an SSM SecureString; their values never reach a log line, an alert or a parked message."""

import json
from collections.abc import Callable
from typing import TypeVar

from fleet.errors import Refused

T = TypeVar("T")

CACHE_SECONDS = 300
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
    """Return `text` with every secret fetched by this process replaced, as it is and as JSON writes it."""
    for value in sorted(_fetched, key=len, reverse=True):
        for written in (value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
            text = text.replace(written, "[secret]")
    return text


def _fetch(name: str, *, anew: bool = False) -> str:
    from aws_lambda_powertools.utilities.parameters import get_parameter

    value = str(get_parameter(name, decrypt=True, max_age=CACHE_SECONDS, force_fetch=anew))
    if value:
        _fetched.add(value)
    return value
