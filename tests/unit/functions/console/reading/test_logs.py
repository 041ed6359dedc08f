import json
from datetime import UTC, datetime

import pytest

from fleet_console.reading.logs import LINE_CHARACTERS, log_line

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
AT_MS = round(AT.timestamp() * 1000)


def test_a_record_is_its_message_and_what_it_says_besides() -> None:
    record = {"level": "INFO", "message": "reported", "service": "look", "findings": 3}

    line = log_line(AT_MS, json.dumps({**record, "timestamp": "x", "cold_start": True}))

    assert (line.at, line.level, line.message) == (AT, "INFO", "reported")
    assert line.fields == {"findings": 3}


def test_a_message_that_is_not_text_is_shown_as_json() -> None:
    assert log_line(AT_MS, '{"message": {"a": 1}}').message == '{"a": 1}'


@pytest.mark.parametrize("text", ["START RequestId", "[1]", "3", "{", "[" * 5_000])
def test_any_other_line_is_shown_as_it_is(text: str) -> None:
    line = log_line(AT_MS, f"{text}\n")

    assert (line.level, line.message, line.fields) == ("", text, {})


def test_a_long_line_is_cut() -> None:
    assert len(log_line(AT_MS, "x" * 100_000).message) == LINE_CHARACTERS
