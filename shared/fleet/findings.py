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
Facts = Mapping[str, Fact]
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
    detail: Facts = field(default_factory=dict)
    link: str = ""

    def __post_init__(self) -> None:
        length = len(self.subject)
        if not 0 < length <= SUBJECT_CHARACTERS:
            raise ValueError(f"a subject has 1 to {SUBJECT_CHARACTERS} characters, not {length}")
        title = cut(self.title, TITLE_CHARACTERS)
        facts = {}
        for name, fact in self.detail.items():
            short_name = cut(name, TITLE_CHARACTERS)
            facts[short_name] = _cut_fact(fact)
        link = self.link
        if len(link) > LINK_CHARACTERS:
            link = ""
        # The class is frozen, so this is how its own fields are set.
        object.__setattr__(self, "title", title)
        object.__setattr__(self, "detail", facts)
        object.__setattr__(self, "link", link)

    def as_json(self) -> dict[str, Any]:
        """Return the finding as a report has it."""
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


def _cut_fact(fact: Fact) -> Fact:
    if isinstance(fact, str):
        return cut(fact, FACT_CHARACTERS)
    return fact


def span(length: timedelta) -> str:
    """Write a length of time in its largest units: `3 d 2 h`, `26 h 5 min`, `45 min`, `30 s`.

    Hours become days from 48 on. A second unit of zero is left out, and so is the sign.
    """
    seconds = int(abs(length).total_seconds())
    minutes = seconds // 60
    hours = minutes // 60
    if hours >= 48:
        days = hours // 24
        return _join_units(f"{days} d", hours % 24, "h")
    if hours:
        return _join_units(f"{hours} h", minutes % 60, "min")
    if minutes:
        return f"{minutes} min"
    return f"{seconds} s"


def _join_units(large: str, rest: int, small_unit: str) -> str:
    """Return `3 d 2 h` for `3 d`, 2 and `h`, and `3 d` for a rest of 0."""
    if rest == 0:
        return large
    return f"{large} {rest} {small_unit}"


def fit(facts: Facts, room: int, measure: Callable[[Facts], int]) -> dict[str, Fact]:
    """Return all facts, or as many of the first as fit and the fact `LEFT_OUT`.

    `measure` returns the size of what carries the facts that it is given, in the unit of `room`;
    more facts must make it larger. When there is no room at all, `LEFT_OUT` is the only fact:
    whether that fits is for the caller to check.
    """
    if not facts or measure(facts) <= room:
        return dict(facts)
    items = list(facts.items())
    total = len(items)

    def first(count: int) -> dict[str, Fact]:
        kept = dict(items[:count])
        kept[LEFT_OUT] = f"{total - count} of {total} facts"
        return kept

    def size(count: int) -> int:
        return measure(first(count))

    counts = range(total)
    fitting = bisect_right(counts, room, key=size)
    most = max(fitting - 1, 0)
    return first(most)


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
        """Return the `detail` of a `Job Report` event, as ASCII text: one character is one byte."""
        findings = [finding.as_json() for finding in self.findings]
        document = {
            "job": self.job,
            "scheduled_at": self.scheduled_at.isoformat(),
            "findings": findings,
            "after": self.after,
            "through": self.through,
        }
        return json.dumps(document, allow_nan=False)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the `detail` of a `Job Report` event.

        Raises `KeyError`, `TypeError` or `ValueError` for any other.
        """
        findings = [_read_finding(finding) for finding in document["findings"]]
        job = document["job"]
        time = datetime.fromisoformat(document["scheduled_at"])
        if not re.fullmatch(JOB, job) or time.tzinfo is None:
            raise ValueError(f"no job, or no time with its zone: {job!r:.100}, {time}")
        return cls(
            job=job,
            scheduled_at=time.astimezone(UTC),
            findings=tuple(findings),
            after=_read_bound(document, "after"),
            through=_read_bound(document, "through"),
        )


def _read_bound(document: Mapping[str, Any], name: str) -> str | None:
    bound = document.get(name)
    if bound is None or isinstance(bound, str):
        return bound
    raise TypeError(f"bounds must be text or null, got {bound!r:.100}")


def _read_finding(document: Any) -> Finding:
    if not isinstance(document, dict):
        raise TypeError("expected a finding, which is an object")
    detail = document.get("detail", {})
    if not isinstance(detail, dict):
        raise TypeError("expected facts in the detail of a finding")
    fields = dict(document)
    fields["severity"] = Severity(document["severity"])
    return Finding(**fields)


Group = tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The subjects after `after`, through `through` (None: without bound), as text is sorted."""

    after: str | None = None
    through: str | None = None

    def __contains__(self, subject: str) -> bool:
        if self.after is not None and subject <= self.after:
            return False
        if self.through is None:
            return True
        return subject <= self.through


EVERYTHING = Range()


def reports(
    job: str,
    scheduled_at: datetime,
    findings: Iterable[Finding],
    about: Range = EVERYTHING,
) -> list[Report]:
    """Put the findings about a range, sorted by subject, into as few reports as they need.

    Each has at most `REPORT_BYTES`. Without findings there is one report, which is empty. No report
    covers what is `Unread`. Raises `ValueError` when two findings share a subject, when one is
    about something unread, or when one is outside the range.
    """
    ordered = sorted(findings, key=lambda finding: finding.subject)
    _check(job, ordered, about)
    room = _room(job, scheduled_at, ordered, about)
    result: list[Report] = []
    for part in _parts(ordered, about):
        in_part = [finding for finding in ordered if finding.subject in part]
        fitting = [_shorten(finding, room) for finding in in_part]
        result += _reports_about(part, job, scheduled_at, _groups(fitting, room))
    return result


def _reports_about(
    part: Range,
    job: str,
    scheduled_at: datetime,
    groups: Sequence[Group],
) -> Iterator[Report]:
    """Yield a report for each group. Together they cover the part, without a gap."""
    after = part.after
    for group in groups[:-1]:
        last = group[-1]
        yield Report(job, scheduled_at, group, after, last.subject)
        after = last.subject
    yield Report(job, scheduled_at, groups[-1], after, part.through)


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
    prefixes = [f"{finding.subject}/" for finding in unread]
    return sorted(prefixes)


def _room(job: str, scheduled_at: datetime, ordered: Iterable[Finding], about: Range) -> int:
    """Return how many bytes of a report its findings may have, whatever its bounds are."""
    bounds = [f"{finding.subject}/{LAST}" for finding in ordered]
    bounds.append(about.after or "")
    bounds.append(about.through or "")
    longest_bytes = max(_json_bytes(bound) for bound in bounds)
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
    through_end = about.through
    if after is None or through_end is None or after < through_end:
        yield Range(after, through_end)


def _json_bytes(value: Any) -> int:
    """Return the size of a value as a report has it: ASCII, so a character is a byte."""
    text = json.dumps(value)
    return len(text)


def _size(finding: Finding) -> int:
    document = finding.as_json()
    return _json_bytes(document) + len(", ")


def _groups(findings: Iterable[Finding], room: int) -> list[Group]:
    """Divide findings into as few groups as fit into reports; without findings, one empty group."""
    groups: list[Group] = []
    group: Group = ()
    used = 0
    for finding in findings:
        size = _size(finding)
        if group and used + size > room:
            groups.append(group)
            group = ()
            used = 0
        group += (finding,)
        used += size
    groups.append(group)
    return groups


def _shorten(finding: Finding, room: int) -> Finding:
    """Leave out the last facts of a finding that would not fit into a report."""

    def size(facts: Facts) -> int:
        shorter = replace(finding, detail=facts)
        return _size(shorter)

    facts = fit(finding.detail, room, size)
    return replace(finding, detail=facts)
