"""What a scheduled job finds, and the report that carries it."""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, Self

SOURCE = "fleet"
REPORT = "Job Report"

# PutEvents refuses an entry of more than 256 KB, and the event is always larger than its entry
# (EventBridge User Guide, "Calculating PutEvents event entry size"); SQS carries 256 KiB everywhere.
REPORT_BYTES = 240_000
SUBJECT_CHARACTERS = 1_024
TITLE_CHARACTERS = 256
FACT_CHARACTERS = 2_048
LINK_CHARACTERS = 2_048
LAST = "\U0010ffff"
"""No subject that anybody makes begins with this: it stands behind all others."""

Fact = str | int | float | bool
LEFT_OUT = "left out"
"""The name of the fact that says how many others there was no room for."""
JOB = "[a-z][a-z0-9_]{0,63}"  # a function's name is no longer


class Severity(StrEnum):
    """How much a finding matters: `info` is kept, `warning` reaches a channel, `critical` wakes somebody."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong now.

    `subject` is stable within its job: the same trouble bears the same subject in every report, and its absence
    from a report means that the trouble is over. `detail` is a flat mapping of facts for people. Title and facts
    are cut to what a report can carry, and the cut says so; a link that is too long is left out.
    """

    subject: str
    title: str
    severity: Severity = Severity.WARNING
    detail: Mapping[str, Fact] = field(default_factory=dict)
    link: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.subject) <= SUBJECT_CHARACTERS:
            raise ValueError(
                f"a subject has 1 to {SUBJECT_CHARACTERS} characters, not {len(self.subject)}"
            )
        if len(self.link) > LINK_CHARACTERS:
            object.__setattr__(self, "link", "")
        object.__setattr__(self, "title", cut(self.title, TITLE_CHARACTERS))
        object.__setattr__(
            self,
            "detail",
            {
                cut(name, TITLE_CHARACTERS): cut(fact, FACT_CHARACTERS)
                if isinstance(fact, str)
                else fact
                for name, fact in self.detail.items()
            },
        )

    def as_json(self) -> dict[str, Any]:
        """The finding as it stands in a report."""
        return {
            "subject": self.subject,
            "title": self.title,
            "severity": self.severity.value,
            "detail": dict(self.detail),
            "link": self.link,
        }


@dataclass(frozen=True, slots=True)
class Unread(Finding):
    """A source that could not be read: nobody knows of the subjects that begin with this one's and a slash.

    No report speaks of those, so that what was found there before stays as it was.
    """


def cut(text: str, characters: int) -> str:
    """Return `text` in at most `characters`, saying so where some were cut."""
    if len(text) <= characters:
        return text
    notice = f"… (cut from {len(text)} characters)"
    return text[: characters - len(notice)] + notice


def span(length: timedelta) -> str:
    """Write a length of time in its largest units: `3 d 2 h`, `26 h 5 min`, `45 min`, `30 s`.

    Hours become days from 48 on. A second unit of zero is left out, and so is the sign.
    """
    seconds = int(abs(length).total_seconds())
    minutes = seconds // 60
    hours = minutes // 60
    if hours >= 48:
        days, rest = divmod(hours, 24)
        return f"{days} d {rest} h" if rest else f"{days} d"
    if hours:
        rest = minutes % 60
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"


def fit(
    facts: Mapping[str, Fact], room: int, measure: Callable[[Mapping[str, Fact]], int]
) -> dict[str, Fact]:
    """Return all facts, or as many of the first as fit and the fact `LEFT_OUT`.

    `measure` returns the size of what carries the facts that it is given, in the unit of `room`; more facts must
    make it larger. When there is no room at all, `LEFT_OUT` is the only fact: whether that fits is for the caller
    to see.
    """
    if not facts or measure(facts) <= room:
        return dict(facts)
    whole = list(facts.items())

    def first(count: int) -> dict[str, Fact]:
        note = f"{len(whole) - count} of {len(whole)} facts"
        return {**dict(whole[:count]), LEFT_OUT: note}

    def size(count: int) -> int:
        return measure(first(count))

    fitting = bisect_right(range(len(whole)), room, key=size)
    return first(max(fitting - 1, 0))


@dataclass(frozen=True, slots=True)
class Report:
    """What one run found among the subjects after `after`, through `through` (None: without bound).

    A report is complete for its range of subjects: what was reported there last time and is missing now has been
    resolved. A run that finds more than one event can carry publishes several reports whose ranges meet, and each
    can be applied by itself, in any order, any number of times.
    """

    job: str
    scheduled_at: datetime
    findings: tuple[Finding, ...]
    after: str | None = None
    through: str | None = None

    def as_json(self) -> str:
        """The `detail` of a `Job Report` event, as ASCII text: one character is one byte."""
        return json.dumps(
            {
                "job": self.job,
                "scheduled_at": self.scheduled_at.isoformat(),
                "findings": [finding.as_json() for finding in self.findings],
                "after": self.after,
                "through": self.through,
            },
            allow_nan=False,
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the `detail` of a `Job Report` event. Raises `KeyError`, `TypeError` or `ValueError` for any other."""
        if not all(
            isinstance(each, dict) and isinstance(each.get("detail", {}), dict)
            for each in document["findings"]
        ):
            raise TypeError("expected findings, and facts in the detail of each")
        findings = (
            Finding(**{**each, "severity": Severity(each["severity"])})
            for each in document["findings"]
        )
        at = datetime.fromisoformat(document["scheduled_at"])
        if not re.fullmatch(JOB, document["job"]) or at.tzinfo is None:
            raise ValueError(f"no job, or no time with its zone: {document['job']!r:.100}, {at}")
        after, through = document.get("after"), document.get("through")
        if not all(isinstance(bound, str | None) for bound in (after, through)):
            raise TypeError(f"bounds must be text or null, got {after!r:.100} and {through!r:.100}")
        return cls(document["job"], at.astimezone(UTC), tuple(findings), after, through)


@dataclass(frozen=True, slots=True)
class Range:
    """The subjects after `after`, through `through` (None: without bound), as text is sorted."""

    after: str | None = None
    through: str | None = None

    def __contains__(self, subject: str) -> bool:
        return (self.after is None or self.after < subject) and (
            self.through is None or subject <= self.through
        )


EVERYTHING = Range()


def reports(
    job: str,
    scheduled_at: datetime,
    findings: Iterable[Finding],
    limit: int = REPORT_BYTES,
    about: Range = EVERYTHING,
) -> list[Report]:
    """Put what was found in a range, sorted by subject, into as few reports of at most `limit` bytes as they need.

    Without findings this is one empty report. What is `Unread` lies between two reports. Raises `ValueError` when two
    findings share a subject, or one is about what is unread, or not in the range.
    """
    ordered = sorted(findings, key=lambda finding: finding.subject)
    for one, other in pairwise(ordered):
        if one.subject == other.subject:
            raise ValueError(
                f"two findings of {job} share the subject {one.subject!r}: make the subjects distinct"
            )
    if outside := [finding.subject for finding in ordered if finding.subject not in about]:
        raise ValueError(
            f"a run of {job} about {about} found something about {outside[0]!r}, which is not its part"
        )
    bounding = [
        *(f"{finding.subject}/{LAST}" for finding in ordered),
        about.after or "",
        about.through or "",
    ]
    longest = max(len(json.dumps(bound)) for bound in bounding)
    room = limit - len(Report(job, scheduled_at, (), "", "").as_json()) - 2 * longest
    made: list[Report] = []
    for after, through, among in _read(job, ordered, about):
        groups = list(_groups((_fitting(finding, room) for finding in among), room)) or [()]
        bounds = [after, *(group[-1].subject for group in groups[:-1]), through]
        ranges = zip(groups, pairwise(bounds), strict=True)
        made += (Report(job, scheduled_at, group, *ends) for group, ends in ranges)
    return made


def _read(
    job: str, ordered: list[Finding], about: Range
) -> Iterator[tuple[str | None, str | None, list[Finding]]]:
    """Yield the ranges of subjects between what is unread, each with its findings."""
    unread = sorted(f"{finding.subject}/" for finding in ordered if isinstance(finding, Unread))
    for finding in ordered:
        if finding.subject.startswith(tuple(unread)):
            raise ValueError(
                f"{job} found {finding.subject!r} in what it reports as unread: report one of the two"
            )
    ends = zip(
        [about.after, *(f"{each}{LAST}" for each in unread)], [*unread, about.through], strict=True
    )
    for after, through in ends:
        end = min((bound for bound in (through, about.through) if bound is not None), default=None)
        if after is None or end is None or after < end:
            read = Range(after, end)
            yield after, end, [each for each in ordered if each.subject in read]


def _size(finding: Finding) -> int:
    return len(json.dumps(finding.as_json())) + len(", ")


def _groups(findings: Iterable[Finding], room: int) -> Iterator[tuple[Finding, ...]]:
    group: list[Finding] = []
    used = 0
    for finding in findings:
        size = _size(finding)
        if group and used + size > room:
            yield tuple(group)
            group, used = [], 0
        group.append(finding)
        used += size
    if group:
        yield tuple(group)


def _fitting(finding: Finding, room: int) -> Finding:
    def size(facts: Mapping[str, Fact]) -> int:
        return _size(replace(finding, detail=facts))

    return replace(finding, detail=fit(finding.detail, room, size))
