import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tools.paths import ROOT

from fleet.dead_letters.journal import STREAM, NotRecorded, recorder
from fleet.dead_letters.letters import read

LETTER = read(json.loads((ROOT / "tests/events/dead_letters/job.json").read_text()))


class Logs:
    """CloudWatch Logs, as far as it is used; `rejected` is what it answers."""

    class exceptions:  # noqa: N801 - as boto3 has it
        class ResourceAlreadyExistsException(ClientError):
            pass

    def __init__(self, rejected: Any = None) -> None:
        self.streams: set[tuple[str, str]] = set()
        self.lines: list[Any] = []
        self.rejected = rejected

    def create_log_stream(self, logGroupName: str, logStreamName: str) -> None:  # noqa: N803
        if (logGroupName, logStreamName) in self.streams:
            raise self.exceptions.ResourceAlreadyExistsException({"Error": {}}, "CreateLogStream")
        self.streams.add((logGroupName, logStreamName))

    def put_log_events(self, logGroupName: str, logStreamName: str, logEvents: list[Any]) -> Any:  # noqa: N803
        assert (logGroupName, logStreamName) in self.streams
        self.lines += [json.loads(event["message"]) for event in logEvents]
        return {"rejectedLogEventsInfo": self.rejected} if self.rejected else {}


def test_a_line_says_who_discarded_what_and_why() -> None:
    logs: Any = Logs()
    for _ in range(2):  # the stream is there the second time
        recorder(logs, "/fleet/dev", "ada (arn:x)", "a test")(LETTER)
    assert logs.streams == {("/fleet/dev", STREAM)}
    assert [
        (line["author"], line["why"], line["letter"], line["cause"]) for line in logs.lines
    ] == [("ada (arn:x)", "a test", LETTER.id, LETTER.cause.id)] * 2
    assert datetime.fromisoformat(logs.lines[0]["first_seen"]) == datetime(
        2026, 11, 20, 1, 54, 35, tzinfo=UTC
    )
    assert LETTER.body not in json.dumps(logs.lines)


def test_a_line_that_is_not_taken_is_an_error() -> None:
    logs: Any = Logs(rejected={"tooNewLogEventStartIndex": 0})
    with pytest.raises(NotRecorded, match="the log group /fleet/dev did not take the line"):
        recorder(logs, "/fleet/dev", "ada", "a test")(LETTER)
