"""What goes wrong, as it is observed (`Observation`) and as people are told of it (`Alert`)."""

from datetime import datetime
from typing import Any

from fleet.alerts.model import Alert, AlertStatus, Observation, Status

__all__ = ["Alert", "AlertStatus", "Observation", "Status", "from_message"]


def from_message(body: Any, *, now: datetime | None = None) -> list[Observation]:
    """Return what a message says, whatever wraps it, in its order. Never raises.

    `body` is the text or the decoded JSON of an EventBridge event, an SNS envelope, a bare SNS message or plain text.
    What is known and no news (a pipeline started) gives nothing. What is not known becomes one `info` occurrence that
    shows the text. `now` stands in for a time that is missing, or lies in the future.
    """
    from fleet.alerts import messages  # what only delivers alerts need not import all sources

    return messages.observations(body, now)
