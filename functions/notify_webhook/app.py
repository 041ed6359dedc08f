"""Send alerts to the webhooks of other systems, signed as Standard Webhooks asks.

Trigger: queue, fed by `fleet` / `Alert` events of every severity. Reads: endpoints in SSM, signing keys in SSM.
Writes: signed requests; what was delivered and which endpoint is gone, in the ledger; an alert about that.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from fleet import aws, http, secrets
from fleet.alerts import DETAIL_TYPE, SOURCE, Alert, AlertStatus, dedup_key
from fleet.deliveries import Destination, Memory, once
from fleet.errors import Permanent, Transient
from fleet.findings import Severity
from fleet.runtime.queued import Message, for_each, queued
from fleet.runtime.telemetry import count, job_name, logger
from fleet.settings import entries, load
from fleet.sinks import Route, alerts, fitted

BODY_BYTES = 20_000
GONE_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Settings:
    ledger_table: str
    endpoints_parameter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Route):
    """Which alerts go to this URL. `keys` names the SecureString with its key, or with two while one is replaced."""

    url: str
    keys: str

    @property
    def name(self) -> str:
        """What the ledger calls it: the URL itself may be a secret."""
        return hashlib.sha256(self.url.encode()).hexdigest()[:32]


def content(alert: Alert) -> bytes:
    """The body of a request: the alert, in the envelope that Standard Webhooks suggests."""
    detail = json.loads(alert.as_json())
    return json.dumps(
        {"type": f"alert.{alert.status}", "timestamp": alert.last_seen.isoformat(), "data": detail}
    ).encode()


def signed(alert_id: str, at: datetime, body: bytes, keys: str) -> dict[str, str]:
    """The headers of a request; with two keys, a receiver that knows either of them accepts it."""
    try:
        signatures = [Webhook(key).sign(alert_id, at, body.decode()) for key in keys.split()]
    except (ValueError, EmptyWebhookSecretError) as error:
        raise Permanent(
            f"a signing key is no base64, with or without whsec_ before it: {error}"
        ) from None
    if not signatures:
        raise Permanent("there is no signing key")
    return {
        "Content-Type": "application/json",
        "webhook-id": alert_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def about(endpoint: Endpoint, now: datetime) -> Alert:
    """The alert that says that an endpoint is gone; of one day, they all bear one id."""
    subject = f"{endpoint.url.split('/')[2]} ({endpoint.name[:8]})"
    return Alert(
        id=hashlib.sha256(f"{endpoint.name} gone on {now:%Y-%m-%d}".encode()).hexdigest(),
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


def is_gone(at: Destination) -> bool:
    found = aws.client("dynamodb").get_item(
        TableName=at.table, Key=at.key("gone"), ConsistentRead=True
    )
    return "Item" in found


def disable(at: Destination, endpoint: Endpoint, now: datetime) -> None:
    """Tell people, then remember it: whoever dies between the two tells them again, in the same words."""
    detail = about(endpoint, now).as_json()
    (answer,) = aws.client("events").put_events(
        Entries=[{"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": detail}]
    )["Entries"]
    if "ErrorCode" in answer:
        raise Transient(
            f"EventBridge did not take the alert about {endpoint.name}: {answer['ErrorCode']}"
        )
    expires = str(int(now.timestamp()) + GONE_SECONDS)
    aws.client("dynamodb").put_item(
        TableName=at.table, Item={**at.key("gone"), "expires": {"N": expires}}
    )


def send(alert: Alert, endpoint: Endpoint, _: Memory) -> Memory:
    def attempt(keys: str) -> None:
        body = fitted(alert, content, BODY_BYTES)
        http.post(
            endpoint.url,
            body,
            signed(alert.id, datetime.fromtimestamp(time.time(), UTC), body, keys),
        )

    secrets.using(endpoint.keys, attempt)
    return {}


def deliver(table: str, alert: Alert, endpoint: Endpoint) -> None:
    at = Destination(table, "webhook", endpoint.name)
    if is_gone(at):
        logger.info("the endpoint is gone", endpoint=endpoint.name, alert=alert.id)
        return
    try:
        new = once(at, alert.id, alert.id, partial(send, alert, endpoint))
    except http.Gone:  # people are told by an alert of its own
        logger.exception("the endpoint is gone", endpoint=endpoint.name, alert=alert.id)
        disable(at, endpoint, datetime.now(UTC))
    else:
        count(**{"Delivered" if new else "Repeated": 1})


@queued
def handler(message: Message) -> None:
    settings = load(Settings)

    def attend(alert: Alert) -> None:
        endpoints = entries(settings.endpoints_parameter, Endpoint, optional=True)
        taking = [endpoint for endpoint in endpoints.usable if endpoint.takes(alert)]
        for_each(taking, partial(deliver, settings.ledger_table, alert))
        if endpoints.faults:
            raise Permanent("; ".join(fault.reason for fault in endpoints.faults))

    for_each(alerts(message.events()), attend)
