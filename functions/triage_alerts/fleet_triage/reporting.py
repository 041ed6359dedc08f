"""How a job's report changes the rows of its findings."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from fleet.alerts import Observation, Status
from fleet.findings import Finding, Report
from fleet.ledger.reports import Part, Reports
from fleet.ledger.rows import Row
from fleet_triage.life import Rules, apply_observation, apply_report_finding


@dataclass(frozen=True)
class ReportUpdate:
    """A report, and the parts of it that count because no newer report covers them."""

    report: Report
    event_id: str
    reports: Reports
    """What the job has reported, this report included."""
    parts: Sequence[Part]
    owner: Callable[[Observation], str]
    """Returns who owns a finding that opens."""
    rules: Rules

    @cached_property
    def findings(self) -> Mapping[str, Finding]:
        """The report's findings by subject."""
        return {finding.subject: finding for finding in self.report.findings}

    def covers(self, subject: str) -> bool:
        """Whether the report counts for a subject."""
        return any(part.covers(subject) for part in self.parts)

    def new_rows(self, stored: Iterable[Row]) -> list[Row]:
        """Return an empty row for each finding that the ledger does not have yet."""
        known = {row.subject for row in stored}
        new = [subject for subject in self.findings if subject not in known]
        return [Row(self.report.job, subject) for subject in sorted(new) if self.covers(subject)]

    def apply(self, row: Row) -> Row:
        """Return the row as the report leaves it; the same row when there is nothing to write."""
        if not self.covers(row.subject):
            return row
        finding = self.findings.get(row.subject)
        if finding is None and not row.is_open:
            return row
        current = catch_up(row, self.reports.runs - 1, self.reports.previous_report)
        if finding is None:
            changed = apply_observation(current, self._resolution(row), self.rules)
        else:
            changed = apply_report_finding(current, self._failure(row, finding), self.rules)
        return row if changed is current else changed

    def _failure(self, row: Row, finding: Finding) -> Observation:
        failure = Observation(
            source=self.report.job,
            subject=finding.subject,
            status=Status.FAILING,
            severity=finding.severity,
            title=finding.title,
            at=self.report.scheduled_at,
            event_id=self.event_id,
            detail=finding.detail,
            link=finding.link,
        )
        owner = row.owner if row.is_open else self.owner(failure)
        return replace(failure, owner=owner)

    def _resolution(self, row: Row) -> Observation:
        """The report is complete: what it does not list any more has been resolved."""
        return Observation(
            source=row.source,
            subject=row.subject,
            status=Status.OK,
            severity=row.severity,
            title=row.title,
            at=self.report.scheduled_at,
            event_id=self.event_id,
        )


def catch_up(row: Row, runs: int, last_report: datetime) -> Row:
    """Bring a row up to date with the job's first `runs` runs, of which the last was `last_report`.

    A finding that stays the same is not written in each run: how often it was reported, and when
    last, follows from the number of runs since. A finding that opens now was reported by the next
    run first; one that flaps goes on counting.
    """
    if row.is_open:
        return replace(
            row,
            count=max(row.count, runs - row.run + 1),
            last_seen=max(row.last_seen, last_report),
        )
    counted = row.count if row.settles_at else 0
    return replace(row, run=runs + 1 - counted)
