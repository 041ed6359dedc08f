"""Call other systems: one guarded POST, and the one place that says what an answer means.

The host is resolved once and the connection goes to an address that was checked, so a name cannot
lead elsewhere between the check and the call. Time is limited as a whole: a destination that sends
a byte now and then would outlast a timeout for each read. No proxy of the environment is used and
no redirect is followed.
"""

import math
import os
import re
import ssl
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from http.client import HTTPException
from urllib.parse import SplitResult, urlsplit

from fleet import network, secrets
from fleet.errors import Permanent, Refused, Transient
from fleet.network import Address, Answer, Request, connect, is_public, resolve, seconds_left, send

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 10.0
BODY_BYTES = 64 * 1024
SHOWN_CHARACTERS = 200

PORTS = {"https": 443, "http": 80}


class DestinationGone(Permanent):
    """The destination answered 410: it no longer exists, and wants no further calls."""


@dataclass(frozen=True, slots=True)
class Url:
    """A URL taken apart.

    A `guarded` one may lead to public addresses only. `path` includes the query.
    """

    scheme: str
    host: str
    port: int
    path: str
    guarded: bool

    @property
    def origin(self) -> str:
        """What error texts may show: path and query of some URLs are secrets."""
        return f"{self.scheme}://{self.host}:{self.port}"


def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """POST `body`, and return the answer if it is a success (2xx), with at most `BODY_BYTES` of it.

    The environment variable `ALLOWED_DESTINATIONS` (host:port, comma-separated) names what may be
    private, or plain HTTP. Raises `Transient` for what may pass, `Refused` for a secret that was
    not accepted, `DestinationGone` for a destination that no longer exists, and `Permanent` for the
    rest.
    """
    began = time.monotonic()
    allowed = os.environ.get("ALLOWED_DESTINATIONS", "")
    place = parse_url(url.strip(), allowed.split(","))
    stripped = {name: value.strip() for name, value in headers.items()}
    for value in stripped.values():
        if not (value.isascii() and value.isprintable()):
            fault = "a header, perhaps a secret, is not printable ASCII"
            raise Permanent(f"{place.origin} was not called: {fault}")
    try:
        answer = _exchange(place, body, stripped, began)
    except (OSError, HTTPException) as error:
        kind = type(error).__name__
        text = _excerpt(str(error), place)
        raise Transient(f"{place.origin} did not answer: {kind} {text}") from None
    raise_unless_success(place, answer)
    return answer


def parse_url(text: str, allowed: Container[str] = ()) -> Url:
    """Take a URL apart. One whose `host:port` is `allowed` may be plain HTTP, and is not guarded.

    Raises `Permanent` for a URL that no call should follow, whatever it resolves to.
    """
    if not (text.isascii() and text.isprintable()) or re.search(r"[\s\\]", text):
        raise Permanent(
            "the URL has characters other than printable ASCII: "
            "write names in punycode, and encode the rest"
        )
    try:
        parts = urlsplit(text)
        port = parts.port or PORTS.get(parts.scheme, 0)
    except ValueError:
        raise Permanent("the URL is malformed") from None
    if "@" in parts.netloc:
        raise Permanent(f"the URL of {parts.hostname!r} holds credentials: leave them out")
    host = _host(parts)
    guarded = f"{host}:{port}" not in allowed
    if parts.scheme != "https" and (guarded or parts.scheme != "http"):
        raise Permanent(f"the URL of {host!r} is not https")
    path = parts.path or "/"
    return Url(
        scheme=parts.scheme,
        host=host,
        port=port,
        path=f"{path}?{parts.query}" if parts.query else path,
        guarded=guarded,
    )


def _host(parts: SplitResult) -> str:
    written = parts.hostname or ""
    if "[" in parts.netloc:
        written = f"[{written}]"
    try:
        host = network.host(written)
    except ValueError as error:
        raise Permanent(str(error)) from None
    if host.endswith("."):  # servers and certificates do not know it by that name
        raise Permanent(f"{host!r} ends with a dot: leave it out")
    return host


def raise_unless_success(place: Url, answer: Answer) -> None:
    """Return for a success (2xx); raise what `post` raises for any other answer.

    The meaning of each status is that of RFC 9110, 15, and RFC 6585 (429).
    """
    status = answer.status
    if 200 <= status < 300:
        return
    text = f"{place.origin} answered {status}"
    body = answer.body.decode(errors="replace")
    if excerpt := _excerpt(body, place):
        text += f": {excerpt}"
    if status in (401, 403):
        raise Refused(text)
    if status in (429, 503):
        asked = answer.headers.get("retry-after", "")
        wait = retry_after(asked, datetime.now(UTC))
        raise Transient(text, retry_after=wait)
    if status == 408 or status >= 500:
        raise Transient(text)
    if status == 410:
        raise DestinationGone(text)
    raise Permanent(text)


def retry_after(value: str, now: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3).

    It holds a number or a date; None if it is neither.
    """
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:  # it is not a date either, so the runtime chooses the wait
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    seconds = math.ceil((date - now).total_seconds())
    return float(max(0, seconds))


def _excerpt(text: str, place: Url) -> str:
    """Return the beginning of a destination's answer, without the secrets that it might repeat."""
    redacted = secrets.redact(text)
    if place.path != "/":
        redacted = redacted.replace(place.path, "[path]")
    return " ".join(redacted.split())[:SHOWN_CHARACTERS]


def _exchange(place: Url, body: bytes, headers: Mapping[str, str], began: float) -> Answer:
    """Connect and send the request. Raises `OSError`, `HTTPException` or `Permanent`."""
    connect_by = began + CONNECT_SECONDS
    request = Request(
        host=place.host,
        port=place.port,
        method="POST",
        path=place.path,
        body=body,
        headers=headers,
    )
    addresses = _addresses(place, connect_by)
    raw = connect(addresses, connect_by)
    try:
        if place.scheme == "https":
            raw.settimeout(seconds_left(connect_by))
            raw = _tls().wrap_socket(raw, server_hostname=place.host)
        return send(request, raw, BODY_BYTES, began + TOTAL_SECONDS)
    finally:
        raw.close()


def _addresses(place: Url, deadline: float) -> list[Address]:
    """Resolve the host, once. Raises `Permanent` if any of its addresses is not public."""
    addresses = resolve(place.host, place.port, deadline)
    if place.guarded and not all(is_public(address[0]) for _, address in addresses):
        raise Permanent(
            f"{place.host!r} leads to an address that is not public, so it was not called"
        )
    return addresses


@cache
def _tls() -> ssl.SSLContext:  # lives as long as the process: reading the authorities is slow
    return ssl.create_default_context()
