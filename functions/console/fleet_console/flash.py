"""What an operation has done, told once by the page that follows it.

It travels in a cookie that the browser gives back to that page, so that it needs neither a store nor a secret. Whoever
forges one can only tell himself something: it is shown as text.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from flask import Response, g, request
from flask.sansio.app import App

COOKIE = "fleet-console-told"
SECONDS = 60
COOKIE_CHARACTERS = 3_500


@dataclass(frozen=True, slots=True)
class Flash:
    """What was done, and its particulars; `well` is whether it is good news."""

    text: str
    items: tuple[str, ...] = ()
    well: bool = True

    def encoded(self) -> str:
        """Return it as a cookie holds it, with as many particulars as fit."""
        return _encoded(self, self.items)

    @classmethod
    def decoded(cls, cookie: str) -> Self | None:
        """Read a cookie, or None for what is none of ours."""
        try:
            match json.loads(urlsafe_b64decode(cookie)):
                case {"text": str(text), "items": list(items), "well": bool(well)}:
                    return cls(text, tuple(map(str, items)), well)
        except (ValueError, RecursionError):  # whatever stands there, nothing was told
            return None
        return None


def install(app: App) -> None:
    """Let every page tell what is to be told, once."""

    @app.context_processor
    def told() -> dict[str, Any]:
        flash = Flash.decoded(request.cookies.get(COOKIE, "")) if request.method == "GET" else None
        g.told = flash is not None
        return {"flash": flash}

    @app.after_request
    def forget(response: Response) -> Response:
        if g.get("told"):
            response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
        return response


def tell(response: Response, flash: Flash) -> Response:
    """Let the page that a response leads to tell this."""
    response.set_cookie(
        COOKIE,
        flash.encoded(),
        max_age=SECONDS,
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
    )
    return response


def _encoded(flash: Flash, items: Sequence[str]) -> str:
    left = len(flash.items) - len(items)
    shown = [*items, f"and {left:,} more"] if left else [*items]
    cookie = urlsafe_b64encode(json.dumps(asdict(flash) | {"items": shown}).encode()).decode()
    return (
        cookie
        if len(cookie) <= COOKIE_CHARACTERS or not items
        else _encoded(flash, items[: len(items) // 2])
    )
