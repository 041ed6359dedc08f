"""Make observations of events: within all limits, with subjects and links.

What a reader of an event knows goes into `observe`. Text may be whatever the event says: it is
cleaned and cut here.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
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
from fleet_triage.documents import clean, line, moment

MOST_RESOURCES = 20
EPOCH = datetime.fromtimestamp(0, UTC)

# How severe AWS says that a finding is: Security Hub, Inspector and ECR share these labels
# (Security Hub User Guide, "AWS Security Finding Format", "Severity").
LABELS = {
    "CRITICAL": Severity.CRITICAL,
    "HIGH": Severity.WARNING,
    "MEDIUM": Severity.INFO,
    "LOW": Severity.INFO,
    "INFORMATIONAL": Severity.INFO,
    "UNDEFINED": Severity.INFO,
    "UNTRIAGED": Severity.INFO,
}

_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LINK = re.compile(r"https://[!-~]+")
_REGION = re.compile(r"[a-z]{2,8}(-[a-z]{2,16}){1,3}-\d{1,2}")


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
    """Make an observation of an event.

    Time, id and resources are the event's, unless others are given. Facts that are empty or None
    are left out. What is well again is no longer severe.
    """
    title = cut(line(title), TITLE_CHARACTERS) or "untitled"
    return Observation(
        source=event.source if _SOURCE.fullmatch(event.source) else "unknown",
        subject=_fit_subject(line(subject) or title),
        status=status,
        severity=Severity.INFO if status is Status.OK else severity,
        title=title,
        at=at or moment(event.time) or EPOCH,
        event_id=_fit_subject(line(event_id) or line(event.id) or "unknown"),
        detail=_facts(detail or {}),
        link=link if len(link) <= LINK_CHARACTERS and _LINK.fullmatch(link) else "",
        resources=_arns(event.resources if resources is None else resources),
    )


def regional_subject(event: Event, *parts: str) -> str:
    """Return a subject that is unique within the event's account and region only."""
    return "/".join(part for part in (event.account, event.region, *parts) if part)


def console_link(region: str, path: str, fragment: str = "") -> str:
    """Return the address of a page of AWS's console, for a path that is URL-encoded already.

    It is empty when the region is not one, since the region becomes a part of the host.
    """
    if not _REGION.fullmatch(region):
        return ""
    page = f"{path}?region={region}"
    if fragment:
        page = f"{page}#{fragment}"
    return aws.console_url(page, region)


def url_part(text: str) -> str:
    """Return the text URL-encoded, as one part of an address."""
    return quote(text, safe="")


def _facts(detail: Mapping[str, Fact | None]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for name, fact in detail.items():
        fit_name = cut(line(name), TITLE_CHARACTERS) or "fact"
        fit_fact = _fit_fact(fact)
        if fit_fact not in ("", None):
            facts[fit_name] = fit_fact
    return facts


def _fit_fact(fact: Fact | None) -> Fact | None:
    if isinstance(fact, str):
        return cut(clean(fact), FACT_CHARACTERS)
    if not isinstance(fact, float):
        return fact
    if not math.isfinite(fact):
        return None
    return int(fact) if fact.is_integer() else fact


def _fit_subject(subject: str) -> str:
    """Cut a subject that is too long, and keep it distinct by a hash."""
    if len(subject) <= SUBJECT_CHARACTERS:
        return subject
    digest = hashlib.sha256(subject.encode("utf-8", "replace")).hexdigest()
    return f"{subject[: SUBJECT_CHARACTERS - len(digest) - 2]}… {digest}"


def _arns(resources: Iterable[str]) -> tuple[str, ...]:
    arns = []
    for resource in resources:
        arn = line(resource)
        if arn.startswith("arn:") and len(arn) <= SUBJECT_CHARACTERS:
            arns.append(arn)
    return tuple(arns[:MOST_RESOURCES])
