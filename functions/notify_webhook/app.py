"""Send alerts to the webhooks of other systems, signed as Standard Webhooks asks.

Trigger: queue, fed by `fleet` / `Alert` events of every severity. Reads: webhooks in SSM, signing
keys in SSM. Writes: signed requests; what was delivered and which webhook is gone, in the ledger;
an alert about that.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from standardwebhooks.webhooks import EmptyWebhookSecretError
from standardwebhooks.webhooks import Webhook as Signer

from fleet import aws, http, secrets
from fleet.alerts import DETAIL_TYPE, Alert, AlertStatus, dedup_key
from fleet.deliveries import Destination, Memory, once
from fleet.errors import Permanent
from fleet.findings import SOURCE, Severity
from fleet.lists import entries
from fleet.runtime.queued import Message, for_each, queued
from fleet.runtime.telemetry import job_name, logger
from fleet.settings import load
from fleet.sinks import Route, alerts, count_delivery, fit_alert

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

# The specification recommends payloads of less than 20 kB:
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
BODY_BYTES = 20_000
GONE_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Settings:
    """`endpoints_parameter` names the list of webhooks."""

    ledger_table: str
    endpoints_parameter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Route):
    """Which alerts go to `url`; `keys` names the SecureString with the key that signs them.

    It holds two keys, with a space between, while one is being replaced.
    """

    url: str
    keys: str

    @property
    def name(self) -> str:
        """What the ledger calls it, since the URL itself may be a secret."""
        digest = hashlib.sha256(self.url.encode())
        return digest.hexdigest()[:32]


def content(alert: Alert) -> bytes:
    """Return the body of a request: the alert, in the envelope that the specification suggests."""
    document = {
        "type": f"alert.{alert.status}",
        "timestamp": alert.last_seen.isoformat(),
        "data": json.loads(alert.as_json()),
    }
    return json.dumps(document).encode()


def sign(alert_id: str, at: datetime, body: bytes, keys: str) -> dict[str, str]:
    """Return the headers of a request; a receiver accepts it by any of its keys.

    Raises `Permanent` when there is no key, or one is not base64.
    """
    text = body.decode()
    try:
        signatures = [Signer(key).sign(alert_id, at, text) for key in keys.split()]
    except (ValueError, EmptyWebhookSecretError) as error:
        reason = "a signing key is not base64, with or without whsec_ before it"
        raise Permanent(f"{reason}: {error}") from None
    if not signatures:
        raise Permanent("there is no signing key")
    return {
        "Content-Type": "application/json",
        "webhook-id": alert_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def gone_alert(webhook: Webhook, now: datetime) -> Alert:
    """Return the alert that says that a webhook is gone; those of one day have the same id."""
    host = webhook.url.split("/")[2]
    subject = f"{host} ({webhook.name[:8]})"
    identity = f"{webhook.name} gone on {now:%Y-%m-%d}"
    digest = hashlib.sha256(identity.encode())
    return Alert(
        id=digest.hexdigest(),
        dedup_key=dedup_key(job_name(), subject),
        status=AlertStatus.OPENED,
        severity=Severity.WARNING,
        title=f"The webhook of {subject} answered that it is gone; it gets no more alerts",
        subject=subject,
        source=job_name(),
        owner="",
        count=1,
        first_seen=now,
        last_seen=now,
    )


def is_gone(destination: Destination) -> bool:
    """Whether the webhook answered before that it is gone."""
    answer = aws.client("dynamodb").get_item(
        TableName=destination.table,
        Key=destination.key("gone"),
        ConsistentRead=True,
    )
    return "Item" in answer


def mark_gone(destination: Destination, webhook: Webhook, now: datetime) -> None:
    """Publish an alert about it, then send nothing more to the webhook for a year.

    A process that dies between the two publishes the same alert again.
    """
    alert = gone_alert(webhook, now)
    entry: PutEventsRequestEntryTypeDef = {
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": alert.as_json(),
    }
    aws.put_events([entry])
    expires = int(now.timestamp()) + GONE_SECONDS
    aws.client("dynamodb").put_item(
        TableName=destination.table,
        Item={**destination.key("gone"), "expires": {"N": str(expires)}},
    )


def post(alert: Alert, url: str, keys: str) -> None:
    """Post the signed alert. Raises what `fleet.http.post` and `sign` raise."""
    body = fit_alert(alert, content, BODY_BYTES)
    now = datetime.fromtimestamp(time.time(), UTC)
    headers = sign(alert.id, now, body, keys)
    http.post(url, body, headers)


def send(alert: Alert, webhook: Webhook, _: Memory) -> Memory:
    """Send the alert, of which nothing is remembered but that it was delivered."""
    secrets.using(webhook.keys, partial(post, alert, webhook.url))
    return {}


def deliver(settings: Settings, alert: Alert, webhook: Webhook) -> None:
    """Deliver an alert to one webhook, unless that was done before or the webhook is gone."""
    destination = Destination(settings.ledger_table, "webhook", webhook.name)
    if is_gone(destination):
        logger.info("the webhook is gone", webhook=webhook.name, alert=alert.id)
        return
    send_alert = partial(send, alert, webhook)
    try:
        delivered = once(destination, alert.id, alert.id, send_alert)
    except http.DestinationGone:  # an alert of its own says so
        logger.exception("the webhook is gone", webhook=webhook.name, alert=alert.id)
        mark_gone(destination, webhook, datetime.now(UTC))
    else:
        count_delivery(delivered=delivered)


def deliver_to_all(settings: Settings, alert: Alert) -> None:
    """Deliver an alert to every webhook that takes it.

    Raises `Permanent`, at last, for entries of the list that cannot be used.
    """
    webhooks = entries(settings.endpoints_parameter, Webhook, optional=True)
    taking = [webhook for webhook in webhooks.usable if webhook.takes(alert)]
    for_each(taking, partial(deliver, settings, alert))
    reasons = [fault.reason for fault in webhooks.faults]
    if reasons:
        raise Permanent("; ".join(reasons))


@queued
def handler(message: Message) -> None:
    settings = load(Settings)
    for_each(alerts(message.events()), partial(deliver_to_all, settings))
