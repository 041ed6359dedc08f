"""What a scheduled job finds, and the report that carries it."""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, Self

SOURCE = "fleet"
REPORT = "Job Report"

# PutEvents refuses an entry of more than 256 KB, and the event is always larger than its entry
# (EventBridge User Guide, "Calculating PutEvents event entry size"); SQS carries 256 KiB
# everywhere.
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
    """How much a finding matters.

    `info` is kept, `warning` reaches a channel, `critical` wakes somebody.
    """

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong now.

    `subject` is stable within its job: the same trouble has the same subject in every report, and
    its absence from a report means that the trouble is over. `detail` is a flat mapping of facts
    for people. Title and facts are cut to what a report can carry, and the cut says so; a link that
    is too long is left out.
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
        facts: dict[str, Fact] = {}
        for name, fact in self.detail.items():
            short = cut(fact, FACT_CHARACTERS) if isinstance(fact, str) else fact
            facts[cut(name, TITLE_CHARACTERS)] = short
        link = self.link
        if len(link) > LINK_CHARACTERS:
            link = ""
        # The class is frozen, so this is how its own fields are set.
        object.__setattr__(self, "title", cut(self.title, TITLE_CHARACTERS))
        object.__setattr__(self, "detail", facts)
        object.__setattr__(self, "link", link)

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
    """A source that could not be read: the state of every subject below `subject/` is unknown.

    No report covers them, so their earlier findings stay open.
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

    `measure` returns the size of what carries the facts that it is given, in the unit of `room`;
    more facts must make it larger. When there is no room at all, `LEFT_OUT` is the only fact:
    whether that fits is for the caller to see.
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

    A report is complete for its range of subjects: what was reported there last time and is missing
    now has been resolved. A run that finds more than one event can carry publishes several reports
    whose ranges meet, and each can be applied by itself, in any order, any number of times.
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
        """Read the `detail` of a `Job Report` event.

        Raises `KeyError`, `TypeError` or `ValueError` for any other.
        """
        findings = tuple(_read_finding(finding) for finding in document["findings"])
        job = document["job"]
        at = datetime.fromisoformat(document["scheduled_at"])
        if not re.fullmatch(JOB, job) or at.tzinfo is None:
            raise ValueError(f"no job, or no time with its zone: {job!r:.100}, {at}")
        after = document.get("after")
        through = document.get("through")
        for bound in (after, through):
            if not isinstance(bound, str | None):
                raise TypeError(f"bounds must be text or null, got {bound!r:.100}")
        return cls(job, at.astimezone(UTC), findings, after, through)


def _read_finding(document: Any) -> Finding:
    if not isinstance(document, dict):
        raise TypeError("expected a finding, which is an object")
    if not isinstance(document.get("detail", {}), dict):
        raise TypeError("expected facts in the detail of a finding")
    severity = Severity(document["severity"])
    return Finding(**{**document, "severity": severity})


@dataclass(frozen=True, slots=True)
class Range:
    """The subjects after `after`, through `through` (None: without bound), as text is sorted."""

    after: str | None = None
    through: str | None = None

    def __contains__(self, subject: str) -> bool:
        if self.after is not None and subject <= self.after:
            return False
        return self.through is None or subject <= self.through


EVERYTHING = Range()


def reports(
    job: str,
    scheduled_at: datetime,
    findings: Iterable[Finding],
    about: Range = EVERYTHING,
) -> list[Report]:
    """Put the findings about a range, sorted by subject, into as few reports as they need.

    Each has `REPORT_BYTES` at most; without findings there is one, which is empty. What is `Unread`
    lies between two reports. Raises `ValueError` when two findings share a subject, or one is about
    what is unread, or not in the range.
    """
    ordered = sorted(findings, key=lambda finding: finding.subject)
    _check(job, ordered, about)
    room = _room(job, scheduled_at, ordered, about)
    made: list[Report] = []
    for part in _parts(ordered, about):
        fitting = [_fitting(finding, room) for finding in ordered if finding.subject in part]
        groups = list(_groups(fitting, room)) or [()]
        after = part.after
        for group in groups[:-1]:
            through = group[-1].subject
            made.append(Report(job, scheduled_at, group, after, through))
            after = through
        made.append(Report(job, scheduled_at, groups[-1], after, part.through))
    return made


def _check(job: str, ordered: Sequence[Finding], about: Range) -> None:
    """Raise `ValueError` unless one run may report all of these findings."""
    for one, other in pairwise(ordered):
        if one.subject == other.subject:
            raise ValueError(
                f"two findings of {job} share the subject {one.subject!r}: "
                "make the subjects distinct"
            )
    unread = tuple(_prefixes_of_unread(ordered))
    for finding in ordered:
        if finding.subject not in about:
            raise ValueError(
                f"a run of {job} about {about} found something about {finding.subject!r}, "
                "which is not its part"
            )
        if finding.subject.startswith(unread):
            raise ValueError(
                f"{job} found {finding.subject!r} in what it reports as unread: "
                "report one of the two"
            )


def _prefixes_of_unread(ordered: Iterable[Finding]) -> list[str]:
    unread = [finding for finding in ordered if isinstance(finding, Unread)]
    return sorted(f"{finding.subject}/" for finding in unread)


def _room(job: str, scheduled_at: datetime, ordered: Iterable[Finding], about: Range) -> int:
    """Return how many bytes of a report its findings may have, whatever its bounds are."""
    bounds = [f"{finding.subject}/{LAST}" for finding in ordered]
    bounds += [about.after or "", about.through or ""]
    longest_bytes = max(len(json.dumps(bound)) for bound in bounds)
    empty = Report(job, scheduled_at, (), after="", through="")
    empty_bytes = len(empty.as_json())
    return REPORT_BYTES - empty_bytes - 2 * longest_bytes


def _parts(ordered: Iterable[Finding], about: Range) -> Iterator[Range]:
    """Yield the parts of a range before, between and behind the subjects that are unread."""
    after = about.after
    for prefix in _prefixes_of_unread(ordered):
        through = prefix
        if about.through is not None:
            through = min(prefix, about.through)
        if after is None or after < through:
            yield Range(after, through)
        after = f"{prefix}{LAST}"
    if after is None or about.through is None or after < about.through:
        yield Range(after, about.through)


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
