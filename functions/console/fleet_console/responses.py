"""Responses as every server and adapter can send them."""

from collections.abc import Callable
from typing import Any

from flask import Response

Headers = list[tuple[str, str]]
Wsgi = Callable[..., Any]


class EncodableResponse(Response):
    """A response whose text can always be sent: half a surrogate pair becomes a question mark."""

    def set_data(self, value: bytes | str) -> None:
        """Set the body of the response."""
        if isinstance(value, str):
            value = value.encode(errors="replace")
        super().set_data(value)


def join_headers(app: Wsgi) -> Wsgi:
    """Join repeated headers into one, as HTTP permits: the adapter keeps only the last of them."""

    def with_joined_headers(environ: Any, start_response: Wsgi) -> Any:
        def start(status: str, headers: Headers, error: Any = None) -> Any:
            joined = _joined(headers)
            return start_response(status, joined, error)

        return app(environ, start)

    return with_joined_headers


def _joined(headers: Headers) -> Headers:
    single: dict[str, str] = {}
    cookies: Headers = []
    for name, value in headers:
        lower = name.lower()
        if lower == "set-cookie":  # cookies cannot be joined, and the adapter keeps each
            cookies.append((name, value))
        elif lower in single:
            single[lower] += f", {value}"
        else:
            single[lower] = value
    joined = list(single.items())
    return joined + cookies
