"""Read documents that anybody may have written, and make observations of them, without ever raising.

A value of another type than the one asked for counts as missing. Text loses the characters that control a screen
(escapes, bidirectional overrides, lone surrogates); it is not escaped, since only a sink knows how.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from fleet import aws
from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import (
    FACT_CHARACTERS,
    LINK_CHARACTERS,
    SUBJECT_CHARACTERS,
    TITLE_CHARACTERS,
    Fact,
    Severity,
    cut,
)

EXACT = (
    2**53
)  # beyond it a float no longer tells neighbouring numbers apart, and str() of an int may refuse
MOST_RESOURCES = 20

# AWS's words for how bad a finding is, as Security Hub, Inspector and ECR share them.
LABELS = {
    "CRITICAL": Severity.CRITICAL,
    "HIGH": Severity.WARNING,
    "MEDIUM": Severity.INFO,
    "LOW": Severity.INFO,
    "INFORMATIONAL": Severity.INFO,
    "UNDEFINED": Severity.INFO,
    "UNTRIAGED": Severity.INFO,
}

_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\uffff]"
)
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LINK = re.compile(r"https://[!-~]+")
_REGION = re.compile(r"[a-z]{2,8}(-[a-z]{2,16}){1,3}-\d{1,2}")


def value(document: Any, *path: str | int) -> Any:
    """What stands at `path`, or None."""
    for step in path:
        if isinstance(document, Mapping) and isinstance(step, str):
            document = document.get(step)
        elif isinstance(document, list | tuple) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return None
    return document


def text(document: Any, *path: str | int) -> str:
    """The text or number at `path` as clean text, or nothing."""
    found = value(document, *path)
    if isinstance(found, str):
        return clean(found)
    return (
        "" if (exact := number(found)) is None else f"{exact:g}" if exact % 1 else str(int(exact))
    )


def number(document: Any, *path: str | int) -> float | None:
    """The number at `path`, also when it is written as text."""
    found = value(document, *path)
    if isinstance(found, str) and re.fullmatch(r"[+-]?\d{1,15}(\.\d{1,15})?", found):
        found = float(found)
    if isinstance(found, int | float) and not isinstance(found, bool) and -EXACT < found < EXACT:
        return float(found)
    return None


def items(document: Any, *path: str | int) -> list[Any]:
    """The list at `path`, or an empty one."""
    found = value(document, *path)
    return list(found) if isinstance(found, list | tuple) else []


def texts(document: Any, *path: str | int) -> list[str]:
    """What of the list at `path` is text."""
    return [text(item) for item in items(document, *path) if text(item)]


def moment(document: Any, *path: str | int) -> datetime | None:
    """The time at `path`, in UTC, written as ISO 8601 or RFC 5322; one without a zone is meant to be in UTC."""
    written = text(document, *path).strip()[:64]
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(written)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError, TypeError, IndexError):  # in another format, or in none
            continue
    return None


def clean(written: str) -> str:
    """The text without the characters that control a screen, and without space around it."""
    return _UNFIT.sub("", written.replace("\r\n", "\n")).strip()


def line(written: str) -> str:
    """The text in one line."""
    return " ".join(clean(written).split())


def shown(document: Any) -> str:
    """The whole document as text, whatever it is."""
    if isinstance(document, str):
        return clean(document)
    if isinstance(document, bytes | bytearray):
        return clean(document.decode(errors="replace"))
    try:
        return clean(json.dumps(document, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):  # no JSON, a circle, or too deep to write
        return f"a {type(document).__name__} that cannot be shown"


def last(arn: str) -> str:
    """The last part of an ARN, which names the resource."""
    return re.split("[:/]", arn)[-1]


def console(region: str, path: str, fragment: str = "") -> str:
    """The address of a page of AWS's console, or nothing when the region is none: it becomes a part of the host."""
    if not _REGION.fullmatch(region):
        return ""
    return aws.console_url(f"{path}?region={region}" + (f"#{fragment}" if fragment else ""), region)


def escaped(part: str) -> str:
    """A part of an address."""
    return quote(part, safe="")


def where(event: Event, *parts: str) -> str:
    """A subject inside the event's account and region."""
    return "/".join(part for part in (event.account, event.region, *parts) if part)


def observe(  # noqa: PLR0913 - an observation has that many fields
    event: Event,
    subject: str,
    status: Status,
    title: str,
    severity: Severity = Severity.INFO,
    *,
    detail: Mapping[str, Fact | None] | None = None,
    link: str = "",
    at: datetime | None = None,
    event_id: str = "",
    resources: Iterable[str] | None = None,
) -> Observation:
    """Make an observation within all limits; facts that are missing are left out.

    Its time is `at`, or the event's. What is well again is no longer severe.
    """
    facts = {
        cut(line(name), TITLE_CHARACTERS) or "fact": _fact(fact)
        for name, fact in (detail or {}).items()
    }
    title = cut(line(title), TITLE_CHARACTERS) or "untitled"
    return Observation(
        source=event.source if _SOURCE.fullmatch(event.source) else "unknown",
        subject=_subject(line(subject) or title),
        status=status,
        severity=Severity.INFO if status is Status.OK else severity,
        title=title,
        at=at or moment(event.time) or datetime.fromtimestamp(0, UTC),
        event_id=_subject(line(event_id) or line(event.id) or "unknown"),
        detail={name: fact for name, fact in facts.items() if fact not in ("", None)},
        link=link if len(link) <= LINK_CHARACTERS and _LINK.fullmatch(link) else "",
        resources=_resources(event.resources if resources is None else resources),
    )


def _fact(fact: Fact | None) -> Fact | None:
    if isinstance(fact, str):
        return cut(clean(fact), FACT_CHARACTERS)
    if isinstance(fact, float):
        return None if not math.isfinite(fact) else int(fact) if fact.is_integer() else fact
    return fact


def _subject(subject: str) -> str:
    """Keep what is too long distinct."""
    if len(subject) <= SUBJECT_CHARACTERS:
        return subject
    digest = hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest()
    return f"{subject[: SUBJECT_CHARACTERS - len(digest) - 2]}… {digest}"


def _resources(named: Iterable[str]) -> tuple[str, ...]:
    arns = (line(arn) for arn in named)
    return tuple(arn for arn in arns if arn.startswith("arn:") and len(arn) <= SUBJECT_CHARACTERS)[
        :MOST_RESOURCES
    ]
