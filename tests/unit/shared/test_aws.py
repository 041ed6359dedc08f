import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fleet import aws


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetThing")


def test_a_client_is_made_once_for_each_service() -> None:
    first, again, other = (aws.client(service) for service in ("sqs", "sqs", "events"))
    assert first is again is not other


def test_every_client_has_short_time_outs_and_bounded_retries() -> None:
    configs: list[Any] = [aws.client("sqs").meta.config, aws.client("events").meta.config]
    assert [(config.connect_timeout, config.read_timeout) for config in configs] == [(5, 20)] * 2
    assert [config.retries for config in configs] == [{"mode": "standard", "total_max_attempts": 3}] * 2


def test_an_error_is_named_by_its_code() -> None:
    assert aws.error_code(refused("NoSuchBucket")) == "NoSuchBucket"
    assert aws.error_code(ClientError({}, "GetThing")) == "Unknown"


@pytest.mark.parametrize(
    ("region", "partition", "domain", "address"),
    [
        ("eu-west-2", "aws", "amazonaws.com", "https://eu-west-2.console.aws.amazon.com/s3"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn", "https://cn-north-1.console.amazonaws.cn/s3"),
        ("us-gov-west-1", "aws-us-gov", "amazonaws.com", "https://us-gov-west-1.console.amazonaws-us-gov.com/s3"),
    ],
)
def test_each_partition_has_its_own_console_and_domain(region: str, partition: str, domain: str, address: str) -> None:
    assert (aws.partition(region), aws.domain(region)) == (partition, domain)
    assert aws.console_url("s3", region) == address


def test_the_console_is_that_of_the_functions_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "cn-northwest-1")
    assert aws.console_url("s3") == "https://cn-northwest-1.console.amazonaws.cn/s3"


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x0b", "\ud800", "\ufffe"], ids=ascii)
def test_a_character_that_xml_cannot_carry_is_unfit(character: str) -> None:
    assert re.search(aws.UNFIT_FOR_XML, f"a{character}b")


@pytest.mark.parametrize("text", ["", "\t\r\n", "a b&<>", "é…\ufffd", "🚀"], ids=ascii)
def test_a_character_that_xml_can_carry_is_fit(text: str) -> None:
    assert not re.search(aws.UNFIT_FOR_XML, text)
