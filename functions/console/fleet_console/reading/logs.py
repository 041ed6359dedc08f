"""What is read of a job's log in CloudWatch Logs."""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from fleet import aws
from fleet.runtime import telemetry
from fleet_console import paging
from fleet_console.problems import Invalid
from fleet_console.reading.memory import Reader

# The last lines are looked for in the last minutes first, and then in the rest of the hour.
LAST_AGES = (timedelta(minutes=5), timedelta(hours=1))
MOST_PAGES = 10
# What FilterLogEvents gives at once, at most (CloudWatch Logs API reference).
LARGEST_PAGE = 10_000
LINE_CHARACTERS = 8_192
# The service is the job, whose log this is.
NOISE = telemetry.NOISE | {"service"}
METRICS_PREFIX = '{"_aws"'


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a job's log. `fields` are what a record says besides its message."""

    at: datetime
    level: str
    message: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogPage:
    """A part of a log, oldest line first. `next` is the cursor of the next part, or None."""

    lines: list[LogLine]
    next: str | None


@dataclass(frozen=True, slots=True)
class LastLines:
    """The last lines of a log, oldest first; `cut` when there were too many to reach its end."""

    lines: tuple[LogLine, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one call gives; `token` leads to the next, and is empty at the end."""

    lines: list[LogLine]
    token: str


class LogReader(Reader):
    """Reads the jobs' lines in the log group of the stack."""

    def page(self, job: str, since: datetime, limit: int, cursor: str) -> LogPage:
        """Return at most `limit` lines since a time, or from `cursor` on. Raises `Invalid`."""
        token = ""
        if cursor:
            place = paging.decode_fields(cursor, "token", "since")
            token = place["token"]
            since = _parse_since(place["since"])
        try:
            batch = next(self._batches(job, since, limit, token))
        except ClientError as error:
            if token and aws.error_code(error) == "InvalidParameterException":
                raise Invalid("the cursor is too old: start again without it") from None
            raise
        if not batch.token:
            return LogPage(batch.lines, None)
        place = {"token": batch.token, "since": since.isoformat()}
        return LogPage(batch.lines, paging.encode(place))

    def last_lines(self, job: str, now: datetime, count: int) -> LastLines:
        """Return the job's last `count` lines of an hour.

        CloudWatch gives the oldest first, so the last minutes of a long log are read before the
        rest of the hour.
        """
        lines: list[LogLine] = []
        until: datetime | None = None
        for age in LAST_AGES:
            earlier = self._last_between(job, now - age, until, count - len(lines))
            lines = [*earlier.lines, *lines]
            if earlier.cut or len(lines) == count:
                return LastLines(tuple(lines), earlier.cut)
            until = now - age
        return LastLines(tuple(lines))

    def _last_between(
        self, job: str, since: datetime, until: datetime | None, count: int
    ) -> LastLines:
        last: deque[LogLine] = deque(maxlen=count)
        batches = self._batches(job, since, LARGEST_PAGE, until=until)
        for number, batch in enumerate(batches, start=1):
            last.extend(batch.lines)
            if number == MOST_PAGES and batch.token:
                return LastLines(tuple(last), cut=True)
        return LastLines(tuple(last))

    def _batches(
        self, job: str, since: datetime, limit: int, token: str = "", until: datetime | None = None
    ) -> Iterator[_Batch]:
        """Yield the job's lines since a time, and before another, in the calls that this takes."""
        logs = aws.client("logs")
        request: dict[str, Any] = {
            "logGroupName": self.places.log_group,
            "filterPattern": f'{{ $.service = "{job}" }}',
            "startTime": _milliseconds(since),
            "limit": limit,
        }
        if until:
            request["endTime"] = _milliseconds(until) - 1  # AWS includes the end
        while True:
            if token:
                request["nextToken"] = token
            answer = logs.filter_log_events(**request)
            token = answer.get("nextToken", "")
            lines = [
                log_line(event["timestamp"], event["message"])
                for event in answer["events"]
                if not event["message"].startswith(METRICS_PREFIX)
            ]
            yield _Batch(lines, token)
            if not token:
                return


def log_line(at_ms: int, text: str) -> LogLine:
    """Read a line of a job's log: a JSON record of Powertools, or any other text as it is.

    `at_ms` is milliseconds since the epoch.
    """
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    text = text.rstrip()[:LINE_CHARACTERS]
    try:
        record = json.loads(text)
        level = str(record.pop("level", ""))
        message = record.pop("message", "")
    except (ValueError, AttributeError, TypeError, RecursionError):
        return LogLine(at, "", text, {})  # not a record
    record.pop("timestamp", None)
    fields = {name: value for name, value in record.items() if name not in NOISE}
    return LogLine(at, level, message if isinstance(message, str) else json.dumps(message), fields)


def _parse_since(text: str) -> datetime:
    try:
        since = datetime.fromisoformat(text)
        _milliseconds(since)
    except (ValueError, OverflowError):
        raise Invalid("not a cursor of this list") from None
    return since


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)
