"""How every transition is alerted at least once, and only by the process that committed it.

1. Read the item, and publish the alerts that it owes: every process that finds some does so first.
2. Decide what changes (`life`, `storm_life`, `mute_end`, `reporting`), and commit it with the
   alerts of its transitions owed. The commit is conditional on the version that was read. A process
   that loses against another starts again from what is stored then: only the winner's alerts count.
3. Publish the alerts.
4. Commit that nothing is owed, conditional on the version: a process that has changed the item in
   between has published the alerts already.

A process may die between any two steps. What it committed and did not publish is still owed, and
the redelivery of its message, the next message about the item, or a sweep publishes it. An alert
that is published twice is the same both times, its id included.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from fleet.alerts import Alert, Observation
from fleet.errors import Transient
from fleet.findings import Report, Severity
from fleet.ledger.mutes import MUTES, Mute, Withheld, find_mute, withheld_by
from fleet.ledger.reports import Reports
from fleet.ledger.rows import Key, Row, findings_of
from fleet.ledger.storms import STORMS, Storm
from fleet.ledger.table import Conflict, Item, Ledger
from fleet_triage.coverage import announce
from fleet_triage.life import Rules, after_timers, apply_observation, fold_into_storm
from fleet_triage.mute_end import end_mute
from fleet_triage.reporting import ReportUpdate, catch_up
from fleet_triage.storm_life import SUBJECT, count_openings, review

# A commit that loses against others is tried again so often, after random waits that double.
ATTEMPTS = 8
BACKOFF_SECONDS = 0.01
# DynamoDB takes at most 100 items and 4 MB in a transaction (API reference, TransactWriteItems).
COMMITTED_AT_ONCE = 50

S = TypeVar("S", Row, Reports, Storm)


@dataclass(frozen=True, slots=True)
class _Folded:
    """Rows, of which those that open may have been folded into the storm of their source."""

    rows: Sequence[Any]
    write: Sequence[Storm] = field(default=())
    """The storm, if it has changed: it is committed with the first rows."""
    check: Sequence[Storm] = field(default=())
    """The storm, if it has not changed: it must still be as it was read when rows are committed."""


@dataclass(frozen=True, slots=True)
class Triage:
    """Applies what is observed and reported to the ledger, and publishes the alerts."""

    ledger: Ledger
    publish: Callable[[Sequence[Alert]], None]
    """Raises unless every alert was taken."""
    owner: Callable[[Row | Observation], str]
    """Returns the owner of what does not name one itself, or an empty text."""
    rules: Rules
    now: datetime
    """UTC."""

    def observe(self, observation: Observation) -> None:
        """Apply an observation. Applied again, it changes nothing.

        Raises `Transient` when others keep changing the same items, as do `report` and `attend`.
        """
        owner = observation.owner or self.owner(observation)
        observation = replace(observation, owner=owner)
        _until_committed(partial(self._observe, observation))

    def report(self, report: Report, event_id: str) -> None:
        """Apply a job's report to all subjects about which no newer report was announced."""
        _until_committed(partial(self._report, report, event_id))

    def due(self) -> list[Key]:
        """Return the keys of the items that a sweep is to `attend` to."""
        return self.ledger.due(self.now)

    def attend(self, key: Key) -> None:
        """Do what no message will: publish what an item owes, remind, let it settle, end it."""
        kind, _ = key
        attend = self._attend_finding
        if kind == STORMS:
            attend = self._attend_storm
        elif kind == MUTES:
            attend = self._attend_mute
        _until_committed(partial(attend, key))

    def _observe(self, observation: Observation) -> None:
        new = Row(observation.source, observation.subject)
        row = self._stored(new)

        def apply(row: Row) -> Row:
            return apply_observation(row, observation, self.rules)

        self._advance([row], apply)

    def _report(self, report: Report, event_id: str) -> None:
        stored = self._stored(Reports(report.job))
        announced = announce(stored, report, event_id)
        reports = announced.reports
        if reports != stored:
            (reports,) = self._commit([reports])
        if not announced.counting:
            return
        update = ReportUpdate(
            report=report,
            event_id=event_id,
            reports=reports,
            parts=announced.counting,
            owner=self.owner,
            rules=self.rules,
        )
        known = self._findings(report.job)
        new = update.new_rows(known)
        self._advance([*known, *new], update.apply, unchanged=[reports])

    def _attend_finding(self, key: Key) -> None:
        row = self.ledger.get(Row, key)
        if row is None:
            return
        reported_by_a_job = row.run != 0
        if reported_by_a_job:
            reports = self._stored(Reports(row.source))

        def apply(row: Row) -> Row:
            is_due = row.due is not None and row.due <= self.now
            if not is_due:
                return row
            current = row
            if reported_by_a_job and row.is_open:
                current = catch_up(row, reports.runs, reports.last_report)
            changed = after_timers(current, self.now, self.rules)
            if changed is current:
                return row
            return changed

        self._advance([row], apply)

    def _attend_storm(self, key: Key) -> None:
        storm = self.ledger.get(Storm, key)
        if storm is None:
            return
        findings = self._findings(storm.source)

        def apply(storm: Storm) -> Storm:
            return review(storm, findings, self.now, self.rules)

        self._advance([storm], apply)

    def _attend_mute(self, key: Key) -> None:
        mute = self.ledger.get(Mute, key)
        if mute is None or mute.until > self.now:
            return
        if not mute.ended:
            mute = replace(mute, ended=True)
            (mute,) = self._commit([mute])
        partition_key = withheld_by(mute.id)
        withheld = self.ledger.query(Withheld, partition_key)

        def apply(mute: Mute) -> Mute:
            return end_mute(mute, withheld, self.rules)

        self._advance([mute], apply)

    def _advance(
        self,
        stored: Sequence[Row | Mute],
        apply: Callable[[Any], Row | Mute],
        unchanged: Sequence[Item] = (),
    ) -> None:
        """Take items through the four steps of the protocol.

        `apply` returns an item as it is to be. Nothing is committed unless all items of `unchanged`
        are still stored as they were read.
        """
        self._publish_owed(stored)
        changed = []
        for item in stored:
            current = item.without_owed()
            after = apply(current)
            if after != item:
                changed.append(after)
        folded = self._fold(changed)
        committed = self._commit_all(folded, unchanged)
        self._publish_owed(committed)
        for item in committed:
            if item.owed:
                self._clear_owed(item)

    def _commit_all(self, folded: _Folded, unchanged: Sequence[Item]) -> list[Any]:
        """Commit in as few transactions as DynamoDB takes, and return the items as stored.

        A storm is committed with the first rows; it must be unchanged when the others are.
        """
        committed: list[Any] = []
        write = list(folded.write)
        check = [*unchanged, *folded.check]
        for start in range(0, len(folded.rows), COMMITTED_AT_ONCE):
            end = start + COMMITTED_AT_ONCE
            rows = folded.rows[start:end]
            batch = self._commit([*write, *rows], check)
            check += batch[: len(write)]
            write = []
            committed += batch
        return committed

    def _fold(self, rows: list[Any]) -> _Folded:
        """Fold the rows that open into the storm of their source, if there is one or begins one."""
        opening = self._opening(rows)
        if not opening:
            return _Folded(rows)
        new = Storm(opening[0].source, SUBJECT)
        stored = self._stored(new)
        self._publish_owed([stored])
        storm = count_openings(
            stored.without_owed(),
            opening,
            self.now,
            self.rules,
        )
        if storm.is_open:
            subjects = {row.subject for row in opening}
            for at, row in enumerate(rows):
                if row.subject in subjects:
                    rows[at] = fold_into_storm(row, storm.episode)
        if storm == stored:
            return _Folded(rows, check=[storm])
        return _Folded(rows, write=[storm])

    def _opening(self, items: Iterable[Any]) -> list[Row]:
        """Return the findings whose opening counts for a storm: neither `info` nor muted."""
        rows = [item for item in items if type(item) is Row]
        opening = [row for row in rows if row.owes_opening]
        alerting = [row for row in opening if row.severity is not Severity.INFO]
        if not alerting:
            return []
        mutes = self.ledger.query(Mute, MUTES)
        return [row for row in alerting if not find_mute(mutes, row, self.now)]

    def _publish_owed(self, items: Iterable[Row | Mute]) -> None:
        """Publish the alerts that are owed; store those that a mute withholds with the mute."""
        alerts = [alert for item in items for alert in item.owed]
        if not alerts:
            return
        mutes = self.ledger.query(Mute, MUTES)
        audible = []
        for alert in alerts:
            mute = find_mute(mutes, alert, self.now)
            if mute is None:
                audible.append(alert)
            else:
                withheld = Withheld(mute.id, alert, mute.until)
                self.ledger.commit([withheld], [mute])
        if audible:
            self.publish(audible)

    def _findings(self, source: str) -> list[Row]:
        """Return all findings of a source as they are stored."""
        return self.ledger.query(Row, findings_of(source))

    def _stored(self, new: S) -> S:
        """Return the item that is stored under the key of a new one, or else the new one."""
        kind = type(new)
        stored = self.ledger.get(kind, new.key)
        return stored or new

    def _commit(
        self,
        items: Sequence[Any],
        unchanged: Sequence[Item] = (),
    ) -> list[Any]:
        """Commit, and return the items as they are stored."""
        self.ledger.commit(items, unchanged)
        return [_next_version(item) for item in items]

    def _clear_owed(self, item: Row | Mute) -> None:
        with suppress(Conflict):  # the process that changed it has published what it owed
            self.ledger.commit([item.without_owed()])


def _next_version(item: Any) -> Any:
    version = item.version + 1
    return replace(item, version=version)


def _until_committed(act: Callable[[], None]) -> None:
    """Call `act` until no other process gets in between. Raises `Transient` after ATTEMPTS."""
    for attempt in range(ATTEMPTS):
        try:
            return act()
        except Conflict:  # start again from what is stored now
            longest = BACKOFF_SECONDS * 2**attempt
            time.sleep(random.uniform(0, longest))  # noqa: S311 - it parts those who met
    raise Transient(f"others kept changing the same items of the ledger, {ATTEMPTS} times")
