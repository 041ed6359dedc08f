"""The protocol by which a transition is told at least once, and by nobody but the one who made it.

1. Read the item. What it owes is published first: whoever finds a debt pays it.
2. Decide (`life`, `storms`, `mutes`), and commit what changed, conditional on the version that was read, with the
   alerts of its transitions owed. Who loses a commit begins anew with what is there now, so only the winner's counts.
3. Publish the alerts. 4. Take the mark away, conditional on the version: who changed the item meanwhile has paid.

A process may die between any two steps: what it committed and did not publish is a debt, and the redelivery of its
message, the next message about the item, or a sweep finds it. Paid twice, an alert is the same once more, id and all.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from fleet.alerts import Alert, Observation, Status
from fleet.errors import Transient
from fleet.findings import Finding, Report, Severity
from fleet.ledger.mutes import MUTES, Mute, Withheld, find_mute, withheld_by
from fleet.ledger.reports import REPORTS, Reports
from fleet.ledger.rows import Key, Row, State, findings_of
from fleet.ledger.storms import STORMS, Storm
from fleet.ledger.table import Conflict, Item, Ledger
from fleet_triage.coverage import announced, counted
from fleet_triage.life import Rules, folded, observed, passed, reported
from fleet_triage.mutes import ended
from fleet_triage.storms import SUBJECT, gathered, looked_at

ATTEMPTS = 8
BACKOFF_SECONDS = 0.01
# A transaction has at most 100 items and 4 MB.
COMMITTED_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Triage:
    """`publish` raises unless every alert was taken. `owner` finds the owner of what names none. `now` is UTC."""

    ledger: Ledger
    publish: Callable[[Sequence[Alert]], None]
    owner: Callable[[Row | Observation], str]
    rules: Rules
    now: datetime

    def observe(self, seen: Observation) -> None:
        """Apply an observation, once however often it comes."""
        _until_committed(
            partial(self._observe, replace(seen, owner=seen.owner or self.owner(seen)))
        )

    def report(self, report: Report, event_id: str) -> None:
        """Apply a job's report, unless a newer one about its subjects was announced."""
        _until_committed(partial(self._report, report, event_id))

    def due(self) -> list[Key]:
        """Return the keys of what a sweep is to `attend` to."""
        return self.ledger.due(self.now)

    def attend(self, key: Key) -> None:
        """Do for one item what no message will: pay its debts, remind, let it settle, end it."""
        attend = {STORMS: self._attend_storm, MUTES: self._attend_mute}.get(
            key[0], self._attend_finding
        )
        _until_committed(partial(attend, key))

    def _observe(self, seen: Observation) -> None:
        key = (findings_of(seen.source), seen.dedup_key)
        row = self.ledger.get(Row, key) or Row(seen.source, seen.subject)
        self._advance([row], lambda row: observed(row, seen, self.rules))

    def _report(self, report: Report, event_id: str) -> None:
        stored = self.ledger.get(Reports, (REPORTS, report.job)) or Reports(report.job)
        reports, parts = announced(stored, report, event_id)
        if reports != stored:
            (reports,) = self._commit([reports])
        if not parts:
            return
        rows = {row.subject: row for row in self.ledger.query(Row, findings_of(report.job))}
        found = {finding.subject: finding for finding in report.findings}
        covered = {
            subject for subject in (*rows, *found) if any(part.covers(subject) for part in parts)
        }

        def decide(row: Row) -> Row:
            if row.subject not in covered or (
                row.state is not State.OPEN and row.subject not in found
            ):
                return row
            known = counted(row, reports.runs - 1, reports.previous_report)
            if row.subject in found:
                seen = _seen(report, found[row.subject], event_id)
                owner = row.owner if row.state is State.OPEN else self.owner(seen)
                changed = reported(known, replace(seen, owner=owner), self.rules)
            else:
                changed = observed(known, _gone(report, row, event_id), self.rules)
            return row if changed is known else changed

        new = (Row(report.job, subject) for subject in sorted(covered - rows.keys()))
        self._advance([*rows.values(), *new], decide, [reports])

    def _attend_finding(self, key: Key) -> None:
        row = self.ledger.get(Row, key)
        if row is None:
            return
        reports = self.ledger.get(Reports, (REPORTS, row.source)) if row.run else None

        def decide(row: Row) -> Row:
            if row.due is None or row.due > self.now:
                return row
            known = (
                counted(row, reports.runs, reports.last_report)
                if reports and row.state is State.OPEN
                else row
            )
            changed = passed(known, self.now, self.rules)
            return row if changed is known else changed

        self._advance([row], decide)

    def _attend_storm(self, key: Key) -> None:
        if storm := self.ledger.get(Storm, key):
            findings = self.ledger.query(Row, findings_of(storm.source))
            self._advance([storm], lambda storm: looked_at(storm, findings, self.now, self.rules))

    def _attend_mute(self, key: Key) -> None:
        mute = self.ledger.get(Mute, key)
        if mute is None or mute.until > self.now:
            return
        if not mute.ended:
            (mute,) = self._commit([replace(mute, ended=True)])
        withheld = self.ledger.query(Withheld, withheld_by(mute.id))
        self._advance([mute], lambda mute: ended(mute, withheld, self.rules))

    def _advance(
        self,
        stored: Sequence[Row | Mute],
        decide: Callable[[Any], Row | Mute],
        unchanged: Sequence[Item] = (),
    ) -> None:
        """Pay what is owed, then bring each item to where `decide` has it, as long as `unchanged` stay as they are."""
        self._tell(stored)
        changed: list[Any] = [new for old in stored if (new := decide(old.paid())) != old]
        first, fixed, rows = self._folded(changed)
        done: list[Any] = []
        for start in range(0, len(rows), COMMITTED_AT_ONCE):
            done += self._commit(
                [*first, *rows[start : start + COMMITTED_AT_ONCE]], [*unchanged, *fixed]
            )
            fixed = done[:1] if first else fixed
            first = []
        self._tell(done)
        for item in done:
            if item.owed:
                self._clear(item)

    def _folded(self, rows: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Fold what opens into its source's storm, when there is one.

        Return the storm if it is to be committed with the first rows, or if it must not change, and the rows.
        """
        opening = [
            row
            for row in rows
            if type(row) is Row and row.opens and row.severity is not Severity.INFO
        ]
        mutes = self.ledger.query(Mute, MUTES) if opening else []
        opening = [row for row in opening if not find_mute(mutes, row, self.now)]
        if not opening:
            return [], [], rows
        source = opening[0].source
        stored = self.ledger.get(Storm, (STORMS, source)) or Storm(source, SUBJECT)
        self._tell([stored])
        storm = gathered(stored.paid(), opening, self.now, self.rules)
        if storm.state is State.OPEN:
            inside = {row.subject for row in opening}
            rows = [folded(row, storm.episode) if row.subject in inside else row for row in rows]
        return ([], [storm], rows) if storm == stored else ([storm], [], rows)

    def _tell(self, items: Iterable[Row | Mute]) -> None:
        """Publish what is owed, or leave it with the mute that withholds it."""
        alerts = [alert for item in items for alert in item.owed]
        mutes = self.ledger.query(Mute, MUTES) if alerts else []
        heard = []
        for alert in alerts:
            if mute := find_mute(mutes, alert, self.now):
                self.ledger.commit([Withheld(mute.id, alert, mute.until)], [mute])
            else:
                heard.append(alert)
        if heard:
            self.publish(heard)

    def _commit(self, items: Sequence[Any], unchanged: Sequence[Item] = ()) -> list[Any]:
        """Commit, and return the items as they are stored."""
        self.ledger.commit(items, unchanged)
        return [replace(item, version=item.version + 1) for item in items]

    def _clear(self, item: Row | Mute) -> None:
        with suppress(Conflict):  # who changed it has found the debt, and paid it first
            self.ledger.commit([item.paid()])


def _seen(report: Report, finding: Finding, event_id: str) -> Observation:
    return Observation(
        source=report.job,
        subject=finding.subject,
        status=Status.FAILING,
        severity=finding.severity,
        title=finding.title,
        at=report.scheduled_at,
        event_id=event_id,
        detail=finding.detail,
        link=finding.link,
    )


def _gone(report: Report, row: Row, event_id: str) -> Observation:
    return Observation(
        row.source, row.subject, Status.OK, row.severity, row.title, report.scheduled_at, event_id
    )


def _until_committed(act: Callable[[], None]) -> None:
    for attempt in range(ATTEMPTS):
        try:
            return act()
        except Conflict:
            time.sleep(random.uniform(0, BACKOFF_SECONDS * 2**attempt))  # noqa: S311 - it parts those who met
    raise Transient(f"others kept changing the same items of the ledger, {ATTEMPTS} times")
