"""Show alerts in Slack: one message for each finding, kept up to date, or a message for each alert.

Trigger: queue, fed by warning and critical `fleet` / `Alert` events. Reads: routes in SSM, tokens
or webhooks in SSM. Writes: Slack messages; what was delivered and where each finding's message is,
in the ledger.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from fleet.alerts import Alert, AlertStatus
from fleet.deliveries import Destination, Memory, once
from fleet.runtime.queued import Message, queued
from fleet.runtime.telemetry import logger
from fleet.settings import load
from fleet.sinks import Route, to_first_route
from fleet_slack.api import MessageDeleted, WebApi, post_to_webhook
from fleet_slack.messages import finding_message, thread_reply

# One message a second for each channel: https://docs.slack.dev/apis/web-api/rate-limits
SPACING_SECONDS = 1.0
IN_THREAD = (AlertStatus.REMINDED, AlertStatus.RESOLVED)
# In the memory of a thread: the latest alert that its message shows. Stored items have this key.
LAST_SHOWN = "told"


@dataclass(frozen=True, slots=True)
class Settings:
    """`routes_parameter` names the list of channels; `slack_url` is where the Web API is."""

    ledger_table: str
    routes_parameter: str
    slack_url: str = "https://slack.com/api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(Route):
    """Which alerts go to a channel of Slack, through a bot or through a webhook.

    For a bot, `channel` is the channel's id and `token` names the SecureString with the bot's
    token. `webhook` names the SecureString with the webhook's URL. A message that went through a
    webhook can be neither updated nor answered, so each alert is a message of its own.
    """

    token: str = ""
    channel: str = ""
    webhook: str = ""

    def __post_init__(self) -> None:
        by_token = self.token and self.channel and not self.webhook
        by_webhook = self.webhook and not self.token and not self.channel
        if not (by_token or by_webhook):
            raise ValueError("expected token and channel, or webhook alone")


def order_in_life(alert: Alert) -> str:
    """Return a text by which a finding's alerts sort as they happened, its resolution last."""
    resolved = 1 if alert.status is AlertStatus.RESOLVED else 0
    last_seen = in_utc(alert.last_seen)
    rank = list(AlertStatus).index(alert.status)
    return f"{resolved} {last_seen} {rank}"


def in_utc(at: datetime) -> str:
    """Write a time so that later times are later in the alphabet."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def show_finding(slack: WebApi, channel: str, alert: Alert, memory: Memory) -> Memory:
    """Post the finding's message, or update the existing one; return what to remember of it."""
    place = order_in_life(alert)
    if place < memory.get(LAST_SHOWN, ""):
        logger.warning("skipped: a later alert is shown already", alert=alert.id)
        return memory
    if "ts" in memory:
        try:
            update(slack, memory["channel"], memory["ts"], alert)
        except MessageDeleted:  # people still need to see the finding
            logger.info("the message was deleted and is posted again", alert=alert.id)
        else:
            return {**memory, LAST_SHOWN: place}
    message = finding_message(alert)
    posted = slack.call("chat.postMessage", {**message, "channel": channel})
    return {
        "ts": str(posted["ts"]),
        "channel": str(posted["channel"]),
        LAST_SHOWN: place,
    }


def update(slack: WebApi, channel: str, ts: str, alert: Alert) -> None:
    """Update a finding's message, then reply in its thread.

    The reply comes last: a repeat after a failure updates the message again, but never replies
    twice.
    """
    message = finding_message(alert)
    slack.call("chat.update", {**message, "channel": channel, "ts": ts})
    if alert.status in IN_THREAD:
        reply = thread_reply(alert)
        slack.call("chat.postMessage", {**reply, "channel": channel, "thread_ts": ts})


def show_alert(webhook: str, alert: Alert, _: Memory) -> Memory:
    """Post the alert as a message of its own, of which nothing is remembered."""
    message = finding_message(alert)
    post_to_webhook(webhook, message)
    return {}


def deliver(settings: Settings, alert: Alert, channel: Channel) -> bool:
    """Deliver an alert unless that was done before; return whether it was done now."""
    destination = Destination(
        table=settings.ledger_table,
        sink="slack",
        name=channel.channel or channel.webhook,
        spacing=SPACING_SECONDS,
    )
    if channel.webhook:
        show = partial(show_alert, channel.webhook, alert)
        return once(destination, alert.id, alert.id, show)
    slack = WebApi(settings.slack_url, channel.token)
    show = partial(show_finding, slack, channel.channel, alert)
    return once(destination, thread_of(alert), alert.id, show)


def thread_of(alert: Alert) -> str:
    """Name what shares one message: the alerts of a finding from its opening to its resolution."""
    opened = alert.first_seen.astimezone(UTC)
    return f"{alert.dedup_key}#{opened.isoformat()}"


@queued
def handler(message: Message) -> None:
    settings = load(Settings)
    to_first_route(
        message,
        settings.routes_parameter,
        Channel,
        partial(deliver, settings),
    )
