"""Call out to the world: one guarded POST, and the one place that says what an answer means.

The host is resolved once and the connection goes to an address that was looked at, so a name cannot lead elsewhere
between the look and the call. Time is limited as a whole: a destination that sends a byte now and then cannot outlast
it, which a time-out for each read would allow. No proxy of the environment is used and no redirect is followed.
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
from ipaddress import ip_address
from urllib.parse import urlsplit

from fleet import secrets
from fleet.errors import Permanent, Refused, Transient
from fleet.network import HOST, NUMERIC_END, Address, Answer, ask, connect, left, public, resolve

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 10.0
BODY_BYTES = 64 * 1024
SHOWN_CHARACTERS = 200


class Gone(Permanent):
    """The destination says that it is no more, and wants no further calls."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads. `guarded` unless the allow-list names its host and port."""

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
    """POST `body`, and return the answer if it is a success (2xx), with at most `BODY_BYTES` of its body.

    Raises `Transient` for what may pass, `Refused` for a secret that was not accepted, `Permanent` for the rest. The
    environment variable `ALLOWED_DESTINATIONS` (host:port, comma-separated) names what may be private, or plain HTTP.
    """
    place = target(url.strip(), frozenset(os.environ.get("ALLOWED_DESTINATIONS", "").split(",")))
    sent = {name: value.strip() for name, value in headers.items()}
    if not all(value.isascii() and value.isprintable() for value in sent.values()):
        raise Permanent(
            f"{place.origin} was not called: a header, a secret perhaps, is no printable ASCII text"
        )
    try:
        answer = _exchange(place, body, sent, time.monotonic())
    except (OSError, HTTPException) as error:
        raise Transient(
            f"{place.origin} did not answer: {type(error).__name__} {_shown(str(error), place)}"
        ) from None
    judge(place, answer.status, answer.headers, answer.body)
    return answer


def target(url: str, allowed: Container[str] = ()) -> Target:
    """Take a URL apart. Raises `Permanent` for one that no call should follow, whatever it resolves to.

    A number for a host is only taken as dotted decimal IPv4 or bracketed IPv6: other spellings (octal, hexadecimal,
    short, Unicode) read otherwise elsewhere.
    """
    if not (url.isascii() and url.isprintable()) or re.search(r"[\s\\]", url):
        raise Permanent(
            "the URL has characters other than printable ASCII: write names in punycode, and encode the rest"
        )
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        raise Permanent("the URL is malformed") from None
    host = parts.hostname or ""
    if "@" in parts.netloc:
        raise Permanent(f"the URL of {host!r} holds credentials: leave them out")
    guarded = f"{host}:{port}" not in allowed
    if parts.scheme != "https" and (guarded or parts.scheme != "http"):
        raise Permanent(f"the URL of {host!r} is not https")
    if "[" in parts.netloc or NUMERIC_END.fullmatch(host):
        try:
            plain = (
                ip_address(host).version == (6 if "[" in parts.netloc else 4) and "%" not in host
            )
        except ValueError:  # it is refused below
            plain = False
        if not plain:
            raise Permanent(f"{host!r} is no address in its plain form")
    elif not HOST.fullmatch(host):
        raise Permanent(f"{host!r} is no host name")
    return Target(
        parts.scheme,
        host,
        port,
        (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        guarded,
    )


def judge(place: Target, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Say what an answer means: return for a success, and raise for anything else."""
    if 200 <= status < 300:
        return
    said = _shown(body.decode(errors="replace"), place)
    text = f"{place.origin} answered {status}" + (f": {said}" if said else "")
    if status in (401, 403):
        raise Refused(text)
    if status in (429, 503):
        raise Transient(
            text, retry_after=retry_after(headers.get("retry-after", ""), datetime.now(UTC))
        )
    if status == 408 or status >= 500:
        raise Transient(text)
    raise (Gone if status == 410 else Permanent)(text)


def retry_after(value: str, now: datetime) -> float | None:
    """The seconds that a `Retry-After` header asks for, whether as a number or as a date; None if it is neither."""
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:  # it is no date either, so the runtime chooses the wait
        return None
    return float(max(0, math.ceil((date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())))


def _shown(text: str, place: Target) -> str:
    """A beginning of what a destination said, without the secrets that it might repeat."""
    shown = (
        secrets.redact(text).replace(place.path, "[path]")
        if place.path != "/"
        else secrets.redact(text)
    )
    return " ".join(shown.split())[:SHOWN_CHARACTERS]


def _exchange(place: Target, body: bytes, headers: Mapping[str, str], began: float) -> Answer:
    connected_by, deadline = began + CONNECT_SECONDS, began + TOTAL_SECONDS
    raw = connect(_addresses(place, connected_by), connected_by)
    try:
        if place.scheme == "https":
            raw.settimeout(left(connected_by))
            raw = _tls().wrap_socket(raw, server_hostname=place.host)
        return ask(
            raw, (place.host, place.port), "POST", place.path, body, headers, BODY_BYTES, deadline
        )
    finally:
        raw.close()


def _addresses(place: Target, deadline: float) -> list[Address]:
    """Resolve the host, once. Raises `Permanent` if any address is not public, as one name may lead to several."""
    addresses = resolve(place.host, place.port, deadline)
    if place.guarded and not all(public(address[0]) for _, address in addresses):
        raise Permanent(
            f"{place.host!r} leads to an address that is not public, so it was not called"
        )
    return addresses


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
