"""Turn job reports and what AWS tells into alerts with a life: opened, escalated, reminded, resolved.

Trigger: queue, fed by `Job Report` events, AWS events, the alerts topic, and a sweep every 5 minutes. Reads: owners in
SSM, the ledger. Writes: the ledger, `Alert` events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from fleet import aws
from fleet.alerts import DETAIL_TYPE, Alert, Observation
from fleet.errors import Permanent, Transient
from fleet.events import Event, unwrap
from fleet.findings import REPORT, SOURCE, Report
from fleet.ledger.mutes import matches
from fleet.ledger.rows import Row
from fleet.ledger.table import Table
from fleet.runtime.queued import Message, for_each, queued
from fleet.runtime.telemetry import count, logger
from fleet.settings import SettingsError, entries, load
from fleet_triage.life import Rules
from fleet_triage.messages import from_message
from fleet_triage.protocol import Triage

# PutEvents takes ten events, of 256 KB together.
EVENTS_AT_ONCE = 10
BYTES_AT_ONCE = 240_000
CLOCKS_DIFFER = timedelta(hours=1)
ID_CHARACTERS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Rules):
    ledger_table: str
    owners_parameter: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose findings those are that match the pattern, such as `subject:shop-*`; the first that does counts."""

    pattern: str
    owner: str


def report_of(event: Event, now: datetime) -> Report:
    """Read the report in an event. Raises `Permanent` for what is none."""
    try:
        report = Report.from_json(event.detail)
    except (KeyError, TypeError, ValueError) as error:
        raise Permanent(f"the Job Report cannot be read: {error!r:.200}") from error
    if len(event.id) > ID_CHARACTERS:
        raise Permanent(
            f"the Job Report's id has {len(event.id)} characters, and EventBridge's have 36"
        )
    if report.scheduled_at > now + CLOCKS_DIFFER:
        raise Permanent(
            f"the Job Report is of the future, and would make all until then old: {report.scheduled_at}"
        )
    return report


def owner_of(parameter: str, about: Row | Observation) -> str:
    """Return the owner whom the list names, or nobody. A list that cannot be read delays no alert."""
    try:
        owners = entries(parameter, Owner, optional=True)
    except SettingsError:  # an alert that nobody owns is better than none
        logger.exception("owners not read")
        return ""
    for fault in owners.faults:
        logger.warning("owner not used", reason=fault.reason)
    return next((entry.owner for entry in owners.usable if matches(entry.pattern, about)), "")


def batches(documents: Sequence[str]) -> Iterator[list[str]]:
    """Yield the documents, of ASCII text, in as few groups as PutEvents takes."""
    batch: list[str] = []
    for document in documents:
        if len(batch) == EVENTS_AT_ONCE or sum(map(len, batch)) + len(document) > BYTES_AT_ONCE:
            yield batch
            batch = []
        batch.append(document)
    yield batch


def publish(alerts: Sequence[Alert]) -> None:
    """Publish every alert as an event. Raises `Transient` unless EventBridge took them all."""
    for batch in batches([alert.as_json() for alert in alerts]):
        answer = aws.client("events").put_events(
            Entries=[
                {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": document}
                for document in batch
            ]
        )
        if refused := [entry for entry in answer["Entries"] if "ErrorCode" in entry]:
            raise Transient(
                f"EventBridge did not take {len(refused)} alerts, the first for: {refused[0]}"
            )
    count(Alerts=len(alerts))
    for alert in alerts:
        logger.info(
            "alert",
            id=alert.id,
            status=alert.status,
            severity=alert.severity,
            dedup_key=alert.dedup_key,
        )


def own_event(body: str) -> Event | None:
    """Return the fleet's own event that the body is, or None."""
    try:
        inside = list(unwrap(body))
    except Permanent:  # plain text is a message too, and so is whatever AWS may send
        return None
    match inside:
        case [Event(source="fleet", type="Job Report" | "Sweep") as event]:
            return event
    return None


@queued
def handler(message: Message) -> None:
    settings, now = load(Settings), datetime.now(UTC)
    owner = partial(owner_of, settings.owners_parameter)
    triage = Triage(Table(settings.ledger_table), publish, owner, settings, now)
    event = own_event(message.body)
    if event is None:
        for_each(from_message(message.body), triage.observe)
    elif event.type == REPORT:
        triage.report(report_of(event, now), event.id)
    else:
        for_each(triage.due(), triage.attend)
