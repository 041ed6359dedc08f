"""Cursors, which say where a list goes on and are nothing that a client need understand."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from fleet_console.problems import Invalid

CURSOR_CHARACTERS = 8_192


def cursor(place: Any) -> str:
    """Return the cursor of a place, or the id of a key."""
    return (
        urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).rstrip(b"=").decode()
    )


def place_of(text: str) -> Any:
    """Return the place that a cursor is of. Raises `Invalid`."""
    short = text[:CURSOR_CHARACTERS]
    try:
        return json.loads(urlsafe_b64decode(short + "=" * (-len(short) % 4)))
    except (ValueError, RecursionError):
        raise Invalid(f"this is no cursor of this list: {text!r:.100}") from None


def texts(place: Any, *names: str) -> dict[str, str]:
    """Return a place that has exactly these parts, each a text. Raises `Invalid`."""
    if (
        not isinstance(place, dict)
        or place.keys() != set(names)
        or not all(isinstance(v, str) for v in place.values())
    ):
        raise Invalid("this is a cursor of another list")
    return place
