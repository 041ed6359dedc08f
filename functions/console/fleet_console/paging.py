"""Cursors, which say where a list goes on, and ids of findings, which are made the same way.

To clients both are texts without a meaning.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection
from typing import Any

from fleet_console.problems import Invalid

CURSOR_CHARACTERS = 8_192


def encode(place: Any) -> str:
    """Return the cursor of a place in a list, or the id of a key; both are JSON values."""
    compact = (",", ":")
    document = json.dumps(place, separators=compact)
    padded = urlsafe_b64encode(document.encode())
    return padded.decode().rstrip("=")


def decode(cursor: str) -> Any:
    """Return the place that `encode` made a cursor of. Raises `Invalid` for any other text."""
    text = cursor[:CURSOR_CHARACTERS]
    padding = "=" * (-len(text) % 4)
    try:
        document = urlsafe_b64decode(text + padding)
        return json.loads(document)
    except (ValueError, RecursionError):
        beginning = repr(cursor)[:100]
        raise Invalid(f"not a cursor of this list: {beginning}") from None


def decode_fields(cursor: str, *names: str) -> dict[str, str]:
    """Return the place of a cursor that has exactly these fields, each a text. Raises `Invalid`."""
    place = decode(cursor)
    if not _is_of(place, names):
        raise Invalid("the cursor belongs to another list")
    return dict(place)


def _is_of(place: Any, names: Collection[str]) -> bool:
    if not isinstance(place, dict):
        return False
    if place.keys() != set(names):
        return False
    values = place.values()
    return all(isinstance(value, str) for value in values)
