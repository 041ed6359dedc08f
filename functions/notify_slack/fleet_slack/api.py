"""Slack's Web API and incoming webhooks, with secrets by the names of their SSM parameters."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fleet import http, secrets
from fleet.errors import Permanent, Refused, Transient
from fleet.network import Answer

# What Slack answers with 200 and `"ok": false`, as the "Errors" of each method list them:
# https://docs.slack.dev/reference/methods/chat.postMessage and
# https://docs.slack.dev/reference/methods/chat.update
TRANSIENT = {
    "fatal_error",
    "internal_error",
    "ratelimited",
    "request_timeout",
    "service_unavailable",
}
TOKEN_REFUSED = {"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"}
DELETED = "message_not_found"


class MessageDeleted(Permanent):
    """The message to update was deleted."""


@dataclass(frozen=True, slots=True)
class WebApi:
    """The Web API at `url`, as the bot whose token is in the SecureString `token`."""

    url: str
    token: str

    def call(self, method: str, document: dict[str, Any]) -> dict[str, Any]:
        """Call a method such as `chat.postMessage`; return Slack's answer, which is `ok`.

        Raises what `fleet.http.post` raises, also for an answer that is not `ok`; `MessageDeleted`
        when there is nothing to update.
        """
        return secrets.using(self.token, partial(self._call, method, document))

    def _call(self, method: str, document: dict[str, Any], token: str) -> dict[str, Any]:
        headers = {
            "Authorization": f"Bearer {token.strip()}",
            "Content-Type": "application/json; charset=utf-8",
        }
        response = http.post(f"{self.url}/{method}", json.dumps(document).encode(), headers)
        try:
            answer = json.loads(response.body)
            if answer["ok"] is True:
                return dict(answer)
            error = str(answer["error"])
        except (ValueError, KeyError, TypeError):
            raise Transient(f"Slack did not answer {method} with its usual JSON") from None
        text = f"Slack refused {method} in {document['channel']}: {error}"
        if error in TRANSIENT:
            raise Transient(text, retry_after=_retry_after(response))
        if error in TOKEN_REFUSED:
            raise Refused(text)
        if error == DELETED:
            raise MessageDeleted(text)
        raise Permanent(text)


def post_to_webhook(webhook: str, document: dict[str, Any]) -> None:
    """Post a message to the URL in the SecureString `webhook`.

    Raises what `fleet.http.post` raises.
    https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
    """
    body = json.dumps(document).encode()
    headers = {"Content-Type": "application/json"}
    secrets.using(webhook, lambda url: http.post(url, body, headers))


def _retry_after(response: Answer) -> float | None:
    return http.retry_after(response.headers.get("retry-after", ""), datetime.now(UTC))
