"""Turn job reports and AWS events into alerts with a life: opened, escalated, reminded, resolved.

Trigger: queue, fed by `Job Report` events, AWS events, the alerts topic, and a sweep every 5
minutes. Reads: owners in SSM, the ledger. Writes: the ledger, `Alert` events.

Anything may be in a message, so a message that nothing recognises becomes an alert that shows it.
The package `fleet_triage` says what messages mean and how findings live.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from fleet import aws
from fleet.alerts import DETAIL_TYPE, Alert, Observation
from fleet.errors import Permanent
from fleet.events import Event, unwrap
from fleet.findings import REPORT, SOURCE, Report
from fleet.ledger.mutes import matches
from fleet.ledger.rows import Row
from fleet.ledger.table import Table
from fleet.lists import entries
from fleet.runtime.queued import Message, for_each, queued
from fleet.runtime.telemetry import count, logger
from fleet.settings import SettingsError, load
from fleet_triage.life import Rules
from fleet_triage.messages import CLOCKS_DIFFER, from_message
from fleet_triage.protocol import Triage

# EventBridge makes ids of 36 characters; the ledger's items have room for a few longer ones.
ID_CHARACTERS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(Rules):
    """Where things are stored, beside the rules of a finding's life."""

    ledger_table: str
    owners_parameter: str


@dataclass(frozen=True, slots=True)
class Owner:
    """An entry of the list of owners. The first whose pattern matches a finding owns it."""

    pattern: str
    """As mutes have it, such as `subject:shop-*`."""
    owner: str


def report_or_sweep(body: str) -> Event | None:
    """Return the `Job Report` or the sweep in a message's body; None when it is anything else."""
    try:
        events = list(unwrap(body))
    except Permanent:  # plain text is a message too, and so is whatever AWS may send
        return None
    match events:
        case [Event(source="fleet", type="Job Report" | "Sweep") as event]:
            return event
    return None


def read_report(event: Event, now: datetime) -> Report:
    """Return the report that an event carries. Raises `Permanent` when it cannot be applied."""
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
            f"the Job Report is from the future ({report.scheduled_at}): "
            "accepting it would make every report before then look old"
        )
    return report


def find_owner(parameter: str, about: Row | Observation) -> str:
    """Return the owner by the list in an SSM parameter, or an empty text when nobody is named.

    A list that cannot be read delays no alert.
    """
    try:
        owners = entries(parameter, Owner, optional=True)
    except SettingsError:  # an alert that nobody owns is better than none
        logger.exception("owners not read")
        return ""
    for fault in owners.faults:
        logger.warning("owner not used", reason=fault.reason)
    for entry in owners.usable:
        if matches(entry.pattern, about):
            return entry.owner
    return ""


def publish(alerts: Sequence[Alert]) -> None:
    """Publish every alert as an event. Raises `Transient` unless EventBridge took them all."""
    aws.put_events(
        [
            {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": alert.as_json()}
            for alert in alerts
        ]
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


@queued
def handler(message: Message) -> None:
    settings = load(Settings)
    now = datetime.now(UTC)
    triage = Triage(
        ledger=Table(settings.ledger_table),
        publish=publish,
        owner=partial(find_owner, settings.owners_parameter),
        rules=settings,
        now=now,
    )
    event = report_or_sweep(message.body)
    if event is None:
        for_each(from_message(message.body), triage.observe)
    elif event.type == REPORT:
        triage.report(read_report(event, now), event.id)
    else:
        for_each(triage.due(), triage.attend)
