"""Keep who discarded a dead letter, and why, in the fleet's log, where the jobs' own lines are."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from fleet.dead_letters.letters import Letter

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

STREAM = "operators"
SERVICE = "dead_letters"


class NotRecorded(Exception):
    """CloudWatch Logs did not take a line, so the action that it records must not be done."""


def recorder(
    logs: "CloudWatchLogsClient", group: str, author: str, reason: str
) -> Callable[[Letter], None]:
    """Return a function that records that `author` discards a letter for `reason`.

    It raises unless that is kept.
    """
    with suppress(logs.exceptions.ResourceAlreadyExistsException):  # somebody discarded one before
        logs.create_log_stream(logGroupName=group, logStreamName=STREAM)

    def record(letter: Letter) -> None:
        line = {
            "level": "WARNING",
            "message": "discarded",
            "service": SERVICE,
            "author": author,
            "why": reason,
            "letter": letter.id,
            "job": letter.job,
            "cause": letter.cause.id,
            "reason": letter.reason,
            "error_type": letter.error_type,
            "first_seen": letter.first_seen.isoformat(),
            "source": letter.source,
        }
        event = {"timestamp": int(time.time() * 1000), "message": json.dumps(line)}
        answer = logs.put_log_events(
            logGroupName=group,
            logStreamName=STREAM,
            logEvents=[event],  # type: ignore[list-item]
        )
        if rejected := answer.get("rejectedLogEventsInfo"):
            raise NotRecorded(f"the log group {group} did not take the line: {rejected}")

    return record
