import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fleet import aws, secrets
from fleet.dead_letters.parking import REASON_CHARACTERS, Parked, park

MESSAGE = Parked(
    body='{"id": "e1"}',
    job="start_pipeline",
    reason="no such pipeline",
    error_type="Permanent",
    attempts=3,
    first_seen=datetime(2026, 11, 20, 1, 54, 34, tzinfo=UTC),
    source_arn="arn:aws:sqs:eu-west-2:123456789012:fleet-start_pipeline",
    message_id="0d5f3b9e-5a0f-4a53-9a55-6f2a8d3c1f10",
    redrives=2,
)


def text(message: Parked, name: str) -> str:
    return message.attributes()[name]["StringValue"]


def test_a_parked_message_carries_whose_it_was_and_why_it_failed(
    dead_letters: Callable[[], list[Any]],
) -> None:
    park(MESSAGE)
    (message,) = dead_letters()
    attributes = message["MessageAttributes"]
    assert {name: (each["DataType"], each["StringValue"]) for name, each in attributes.items()} == {
        "job": ("String", "start_pipeline"),
        "reason": ("String", "no such pipeline"),
        "error_type": ("String", "Permanent"),
        "attempts": ("Number", "3"),
        "first_seen": ("String", "2026-11-20T01:54:34+00:00"),
        "source_arn": ("String", "arn:aws:sqs:eu-west-2:123456789012:fleet-start_pipeline"),
        "message_id": ("String", "0d5f3b9e-5a0f-4a53-9a55-6f2a8d3c1f10"),
        "redrives": ("Number", "2"),
    }


@pytest.mark.parametrize(
    "body",
    [
        ' {"b" :1,\t"a":1.0}\r\n',
        "plain text",
        "café 🚀 & <b>",
        "\\u00e9",
        json.dumps({"x": "y" * 250_000}),
    ],
    ids=["spaces", "plain text", "not ASCII", "escapes", "large"],
)
def test_the_body_is_kept_byte_for_byte(body: str, dead_letters: Callable[[], list[Any]]) -> None:
    park(replace(MESSAGE, body=body))
    assert [message["Body"] for message in dead_letters()] == [body]


def test_a_long_reason_is_cut_and_says_so() -> None:
    reason = text(replace(MESSAGE, reason="x" * 100_000), "reason")
    assert len(reason) == REASON_CHARACTERS
    assert reason.endswith("… (cut from 100000 characters)")


def test_what_sqs_cannot_carry_is_replaced(dead_letters: Callable[[], list[Any]]) -> None:
    park(replace(MESSAGE, reason="\0\x1b[31mred\x1b[0m\ttab\nline\ufffe"))
    (message,) = dead_letters()
    assert (
        message["MessageAttributes"]["reason"]["StringValue"]
        == "\ufffd\ufffd[31mred\ufffd[0m\ttab\nline\ufffd"
    )


def test_an_empty_fact_is_unknown_because_sqs_refuses_empty_attributes() -> None:
    assert text(replace(MESSAGE, source_arn=""), "source_arn") == "unknown"


def test_no_secret_is_parked_in_a_reason_even_where_the_cut_would_split_it() -> None:
    secrets._fetched.add("s3cr3t-token")
    reason = text(
        replace(MESSAGE, reason=f"s3cr3t-token {'x' * 952} s3cr3t-token {'x' * 500}"), "reason"
    )
    assert "s3cr3t" not in reason


@pytest.mark.usefixtures("moto")
def test_a_message_that_cannot_be_parked_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEAD_LETTERS_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/gone")
    with pytest.raises(aws.client("sqs").exceptions.QueueDoesNotExist):
        park(MESSAGE)


def test_a_message_too_large_for_sqs_is_an_error(dead_letters: Callable[[], list[Any]]) -> None:
    with pytest.raises(ClientError, match="shorter than"):
        park(replace(MESSAGE, body="x" * 2_000_000))
    assert dead_letters() == []
