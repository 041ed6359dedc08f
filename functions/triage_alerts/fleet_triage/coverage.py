"""Which report is the newest about each subject of a job.

Each report is complete for a range of subjects, and reports arrive in any order. The ledger
therefore keeps the time of the last report for each range, and a report counts only where no newer
one has been announced.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from zlib import crc32

from fleet.findings import Report
from fleet.ledger.reports import Part, Ran, Reports

# So many runs are kept for people to read.
RECENT = 30


@dataclass(frozen=True, slots=True)
class Announcement:
    """What announcing a report comes to."""

    reports: Reports
    """What the job has reported, the new report included."""
    counting: list[Part]
    """The parts for which the report counts: none when newer reports cover its range."""


def announce(reports: Reports, report: Report, event_id: str) -> Announcement:
    """Add a report to what its job has reported, and see where it counts."""
    new = Part(
        after=report.after or "",
        through=report.through,
        at=report.scheduled_at,
        event_id=event_id,
    )
    pieces: list[Part] = []
    for part in reports.parts:
        pieces += _overlay(part, new)
    parts = _join(pieces)
    if new.at > reports.last_report:
        reports = replace(
            reports,
            runs=reports.runs + 1,
            last_report=new.at,
            previous_report=reports.last_report,
        )
    reports = replace(
        reports,
        parts=tuple(parts),
        recent=_add_run(reports.recent, report),
    )
    own = [part for part in parts if _same_report(part, new)]
    return Announcement(
        reports=reports,
        counting=[part for part in own if part.overlaps(new)],
    )


def _add_run(recent: tuple[Ran, ...], report: Report) -> tuple[Ran, ...]:
    at = report.scheduled_at
    runs = {run.at: run for run in recent}
    run = runs.get(at, Ran(at, {}))
    found = dict(run.found)
    found[_checksum(report)] = len(report.findings)
    runs[at] = replace(run, found=found)
    newest = sorted(runs)[-RECENT:]
    return tuple(runs[at] for at in newest)


def _checksum(report: Report) -> str:
    """Name the range that the report is complete for."""
    bounds = json.dumps([report.after, report.through])
    checksum = crc32(bounds.encode())
    return f"{checksum:08x}"


def _overlay(part: Part, new: Part) -> Iterator[Part]:
    """Yield the pieces of a part: the new report takes over what it covers, unless it is older."""
    if not part.overlaps(new):
        yield part
        return
    if _is_stale(new, part):
        yield part
        return
    if part.after < new.after:
        yield replace(part, through=new.after)
    yield replace(
        new,
        after=max(part.after, new.after),
        through=part.first_end(new),
        superseded=_superseded(part, new),
    )
    ends_within = part.first_end(new) != part.through
    if ends_within and new.through is not None:
        yield replace(part, after=new.through)


def _is_stale(new: Part, part: Part) -> bool:
    """Whether the part is of a newer report, or the new report is one that it has superseded."""
    if new.at != part.at:
        return new.at < part.at
    if new.event_id == part.event_id:
        return True
    return new.event_id in part.superseded


def _superseded(part: Part, new: Part) -> tuple[str, ...]:
    if part.at != new.at:
        return ()
    return (*part.superseded, part.event_id)


def _same_report(one: Part, other: Part) -> bool:
    same_event = one.event_id == other.event_id
    return same_event and one.at == other.at


def _same_apart_from_range(one: Part, other: Part) -> bool:
    same_superseded = one.superseded == other.superseded
    return same_superseded and _same_report(one, other)


def _join(pieces: Iterable[Part]) -> list[Part]:
    """Make one part of neighbouring pieces of one report."""
    parts: list[Part] = []
    for piece in pieces:
        last = parts[-1] if parts else None
        if last and _same_apart_from_range(piece, last):
            parts[-1] = replace(last, through=piece.through)
        else:
            parts.append(piece)
    return parts
