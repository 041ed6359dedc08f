"""For which subjects a job's last reports are complete: what tells an old report from a new one.

Reports are complete for ranges of subjects, and come in any order. The moment of the last report is therefore kept for
each range, and a report counts only where none newer was announced.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from zlib import crc32

from fleet.findings import Report
from fleet.ledger.reports import Part, Ran, Reports
from fleet.ledger.rows import Row, State

RECENT = 30


def announced(reports: Reports, report: Report, event_id: str) -> tuple[Reports, list[Part]]:
    """Announce a report. Return also the parts for which it counts: none when newer ones have covered its range."""
    new = Part(report.after or "", report.through, report.scheduled_at, event_id)
    parts = tuple(_joined(piece for part in reports.parts for piece in _overlaid(part, new)))
    if new.at > reports.last_report:
        reports = replace(
            reports,
            runs=reports.runs + 1,
            last_report=new.at,
            previous_report=reports.last_report,
            parts=parts,
        )
    else:
        reports = replace(reports, parts=parts)
    reports = replace(reports, recent=_with_run(reports.recent, report))
    return reports, [
        part
        for part in parts
        if (part.at, part.event_id) == (new.at, event_id) and _meet(part, new)
    ]


def counted(row: Row, runs: int, last_report: datetime) -> Row:
    """Return the row with what need not be written in each run: how often it was seen, and when last."""
    if row.state is State.OPEN:
        count = max(row.count, runs - row.run + 1)
        return replace(row, count=count, last_seen=max(row.last_seen, last_report))
    return replace(row, run=runs + 1 - (row.count if row.settles_at else 0))


def _with_run(recent: tuple[Ran, ...], report: Report) -> tuple[Ran, ...]:
    runs = {ran.at: ran.found for ran in recent}
    part = f"{crc32(json.dumps([report.after, report.through]).encode()):08x}"
    runs[report.scheduled_at] = {**runs.get(report.scheduled_at, {}), part: len(report.findings)}
    return tuple(Ran(at, runs[at]) for at in sorted(runs)[-RECENT:])


def _overlaid(part: Part, new: Part) -> Iterator[Part]:
    """Yield the part's pieces: what the new report does not speak of, and what it does."""
    stale = part.at > new.at or (
        part.at == new.at and new.event_id in (part.event_id, *part.superseded)
    )
    if stale or not _meet(part, new):
        yield part
        return
    after, through = max(part.after, new.after), min(part.through, new.through, key=_end)
    if part.after < after:
        yield replace(part, through=after)
    superseded = (*part.superseded, part.event_id) if part.at == new.at else ()
    yield replace(new, after=after, through=through, superseded=superseded)
    if through is not None and _end(through) < _end(part.through):
        yield replace(part, after=through)


def _meet(one: Part, other: Part) -> bool:
    through = min(one.through, other.through, key=_end)
    return through is None or max(one.after, other.after) < through


def _joined(pieces: Iterator[Part]) -> Iterator[Part]:
    """Yield fewer parts: neighbours of one report are one."""
    last = next(pieces)
    for piece in pieces:
        if replace(piece, after="", through=None) == replace(last, after="", through=None):
            last = replace(last, through=piece.through)
        else:
            yield last
            last = piece
    yield last


def _end(through: str | None) -> tuple[bool, str]:
    return through is None, through or ""
