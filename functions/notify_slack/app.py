"""Show alerts in Slack: one message for each finding, kept up to date, or a message for each alert.

Trigger: queue, fed by warning and critical `fleet` / `Alert` events. Reads: routes in SSM, tokens or webhooks in SSM.
Writes: Slack messages; what was delivered and where each finding's message is, in the ledger.
"""

import json
from dataclasses import dataclass
from datetime import UTC
from functools import partial

from fleet import http, secrets
from fleet.alerts import Alert, AlertStatus
from fleet.deliveries import Destination, Memory, once
from fleet.runtime.queued import Message, for_each, queued
from fleet.runtime.telemetry import count, logger
from fleet.settings import entries, load
from fleet.sinks import Route, alerts, first
from fleet_slack import slack

SPACING_SECONDS = 1.0  # Slack takes one message a second for each channel
IN_THREAD = (AlertStatus.REMINDED, AlertStatus.RESOLVED)


@dataclass(frozen=True, slots=True)
class Settings:
    ledger_table: str
    routes_parameter: str
    slack_url: str = "https://slack.com/api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(Route):
    """Which alerts go where: to `channel` with the bot token that the SecureString `token` holds, or to a `webhook`.

    `webhook` names the SecureString that holds the webhook's URL. Through it messages can be neither updated nor
    answered, so each alert is a message of its own.
    """

    token: str = ""
    channel: str = ""
    webhook: str = ""

    def __post_init__(self) -> None:
        Route.__post_init__(self)
        if bool(self.webhook) == bool(self.token) or bool(self.token) != bool(self.channel):
            raise ValueError("expected token and channel, or webhook alone")


def place_in_life(alert: Alert) -> str:
    """Sorts the alerts of one finding as they happened, its resolution last."""
    at = alert.last_seen.astimezone(UTC).isoformat(timespec="microseconds")
    return f"{alert.status is AlertStatus.RESOLVED:d} {at} {list(AlertStatus).index(alert.status)}"


def converse(alert: Alert, channel: Channel, url: str, memory: Memory) -> Memory:
    """Post the finding's message, or update it and tell its thread; return where the message is.

    What may be done twice comes first: a repeat after half of it updates the message again, and replies once.
    """
    if (told := place_in_life(alert)) < memory.get("told", ""):
        logger.warning("overtaken by a later alert", alert=alert.id)
        return memory

    def attempt(token: str) -> Memory:
        if "ts" in memory:
            there = {"channel": memory["channel"]}
            try:
                slack.call(
                    url, "chat.update", {**there, **slack.message(alert), "ts": memory["ts"]}, token
                )
                if alert.status in IN_THREAD:
                    reply = {**there, **slack.reply(alert), "thread_ts": memory["ts"]}
                    slack.call(url, "chat.postMessage", reply, token)
            except slack.NoMessage:  # somebody deleted it, so it is posted anew
                logger.info("the message is no more", alert=alert.id)
            else:
                return {**memory, "told": told}
        posted = slack.call(
            url, "chat.postMessage", {"channel": channel.channel, **slack.message(alert)}, token
        )
        return {"ts": str(posted["ts"]), "channel": str(posted["channel"]), "told": told}

    return secrets.using(channel.token, attempt)


def announce(alert: Alert, channel: Channel, _: Memory) -> Memory:
    """Post the alert as a message of its own."""
    body = json.dumps(slack.message(alert)).encode()
    secrets.using(
        channel.webhook, lambda url: http.post(url, body, {"Content-Type": "application/json"})
    )
    return {}


@queued
def handler(message: Message) -> None:
    settings = load(Settings)

    def attend(alert: Alert) -> None:
        if not (
            channel := first(entries(settings.routes_parameter, Channel, optional=True), alert)
        ):
            logger.info("no route is configured", alert=alert.id)
            return
        at = Destination(
            settings.ledger_table, "slack", channel.channel or channel.webhook, SPACING_SECONDS
        )
        if channel.webhook:
            new = once(at, alert.id, alert.id, partial(announce, alert, channel))
        else:
            episode = f"{alert.dedup_key}#{alert.first_seen.astimezone(UTC).isoformat()}"
            new = once(at, episode, alert.id, partial(converse, alert, channel, settings.slack_url))
        count(**{"Delivered" if new else "Repeated": 1})

    for_each(alerts(message.events()), attend)
