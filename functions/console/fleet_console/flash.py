"""What an operation did, shown once by the page that follows it.

It travels in a cookie that the browser gives back to that page, so it needs neither a store nor a
secret. People who forge one only send a message to themselves: it is shown as text.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, Self

from flask import Response, g, request
from flask.sansio.app import App

COOKIE = "fleet-console-notice"
SECONDS = 60
# Browsers need not keep cookies of more than 4,096 bytes in all (RFC 6265, section 6.1).
COOKIE_CHARACTERS = 3_500


@dataclass(frozen=True, slots=True)
class Flash:
    """What was done, and its details; `good` is whether it is good news."""

    text: str
    items: tuple[str, ...] = ()
    good: bool = True

    def encode(self) -> str:
        """Return it as a cookie holds it, with as many details as fit."""
        kept = len(self.items)
        while True:
            cookie = self._cookie_with(kept)
            if not kept or len(cookie) <= COOKIE_CHARACTERS:
                return cookie
            kept //= 2

    @classmethod
    def decode(cls, cookie: str) -> Self | None:
        """Return what `encode` made a cookie of, or None for any other text."""
        try:
            match json.loads(urlsafe_b64decode(cookie)):
                case {"text": str(text), "items": list(items), "good": bool(good)}:
                    return cls(text, tuple(map(str, items)), good)
        except (ValueError, RecursionError):  # somebody else's cookie: there is nothing to show
            return None
        return None

    def _cookie_with(self, kept: int) -> str:
        items = list(self.items[:kept])
        if left_out := len(self.items) - kept:
            items.append(f"and {left_out:,} more")
        document = {"text": self.text, "items": items, "good": self.good}
        return urlsafe_b64encode(json.dumps(document).encode()).decode()


def install(app: App) -> None:
    """Let every page show what was done before it, once."""

    @app.context_processor
    def show() -> dict[str, Any]:
        flash = None
        if request.method == "GET":
            flash = Flash.decode(request.cookies.get(COOKIE, ""))
        g.flash_shown = flash is not None
        return {"flash": flash}

    @app.after_request
    def forget(response: Response) -> Response:
        if g.get("flash_shown"):
            response.delete_cookie(COOKIE, httponly=True, samesite="Strict")
        return response


def send(response: Response, flash: Flash) -> Response:
    """Let the page that a response leads to show this."""
    response.set_cookie(
        COOKIE,
        flash.encode(),
        max_age=SECONDS,
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
    )
    return response
