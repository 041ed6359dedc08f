import re
from datetime import datetime, tzinfo
from typing import Any, Literal

import pytest
from aws_lambda_powertools.utilities.parameters import base
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from fleet import aws
from fleet.errors import Transient


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetThing")


def test_a_client_is_made_once_for_each_service() -> None:
    first, again, other = (aws.client(service) for service in ("sqs", "sqs", "events"))
    assert first is again is not other


def test_every_client_has_short_timeouts_and_bounded_retries() -> None:
    configs: list[Any] = [aws.client("sqs").meta.config, aws.client("events").meta.config]
    assert [(config.connect_timeout, config.read_timeout) for config in configs] == [(2, 10)] * 2
    assert [config.retries for config in configs] == [
        {"mode": "standard", "total_max_attempts": 3}
    ] * 2


def keep(value: str, kind: Literal["String", "SecureString"] = "String") -> None:
    aws.client("ssm").put_parameter(Name="/fleet/list", Type=kind, Value=value, Overwrite=True)


class Clock(datetime):
    """A clock that stands still, until it is put forward."""

    passed = 0.0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Clock":
        return cls.fromtimestamp(1_000_000 + cls.passed, tz)


@pytest.mark.usefixtures("moto")
@pytest.mark.parametrize(("passed", "value"), [(0, "old"), (299, "old"), (301, "new")])
def test_a_parameter_is_at_most_300_seconds_old(
    passed: float, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "datetime", Clock)
    keep("old")
    assert aws.read_parameter("/fleet/list") == "old"
    keep("new")
    monkeypatch.setattr(Clock, "passed", passed)
    assert aws.read_parameter("/fleet/list") == value


@pytest.mark.usefixtures("moto")
def test_a_parameter_may_be_read_afresh_and_is_then_kept() -> None:
    keep("old")
    aws.read_parameter("/fleet/list")
    keep("new")
    assert [aws.read_parameter("/fleet/list", fresh=fresh) for fresh in (False, True, False)] == [
        "old",
        "new",
        "new",
    ]


@pytest.mark.usefixtures("moto")
@pytest.mark.parametrize("decrypt", [True, False])
def test_a_parameter_is_decrypted_when_one_asks_for_it(decrypt: bool) -> None:
    keep("s3cr3t", "SecureString")
    assert (aws.read_parameter("/fleet/list", decrypt=decrypt) == "s3cr3t") is decrypt


@pytest.mark.usefixtures("moto")
def test_a_parameter_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(GetParameterError, match="ParameterNotFound"):
        aws.read_parameter("/fleet/gone")


@pytest.mark.usefixtures("moto")
def test_a_parameter_that_does_not_come_is_asked_for_three_times_by_the_fleets_own_client(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    asked: list[Any] = []

    def time_out(request: Any, **_: Any) -> None:
        asked.append(request)
        raise ReadTimeoutError(endpoint_url=request.url)

    aws.client("ssm").meta.events.register_first("before-send.ssm.GetParameter", time_out)
    with pytest.raises(GetParameterError, match="Read timeout"):
        aws.read_parameter("/fleet/list")
    assert len(asked) == 3


def test_an_error_is_named_by_its_code() -> None:
    assert aws.error_code(refused("NoSuchBucket")) == "NoSuchBucket"
    assert aws.error_code(ClientError({}, "GetThing")) == "Unknown"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (refused("AccessDenied"), "AccessDenied: no"),
        (ClientError({"Error": {"Code": "404"}}, "HeadObject"), "404"),
        (ClientError({}, "GetThing"), "Unknown"),
        (
            EndpointConnectionError(endpoint_url="https://sqs"),
            'EndpointConnectionError: Could not connect to the endpoint URL: "https://sqs"',
        ),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_the_trouble_of_any_call_is_its_code_and_its_text(error: Exception, said: str) -> None:
    assert aws.trouble(error) == said


def entry(detail: str = "{}") -> Any:
    return {"Source": "fleet", "DetailType": "Alert", "Detail": detail}


def test_events_are_put_in_as_few_calls_as_putevents_takes() -> None:
    assert [len(batch) for batch in aws.event_batches([entry()] * 21)] == [10, 10, 1]
    large = entry("é" * 50_000)  # of two bytes each
    assert [len(batch) for batch in aws.event_batches([large] * 5)] == [2, 2, 1]
    too_large = entry("a" * 300_000)
    assert [len(batch) for batch in aws.event_batches([entry(), too_large, entry()])] == [1, 1, 1]
    assert list(aws.event_batches([])) == []


class Bus:
    """Takes events, but none whose detail is among those refused."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.calls = 0

    def put_events(self, Entries: list[Any]) -> Any:  # noqa: N803 - boto3's name
        self.calls += 1
        return {"Entries": [self.result(entry["Detail"]) for entry in Entries]}

    def result(self, detail: str) -> dict[str, str]:
        if detail in self.refused:
            return {"ErrorCode": "InternalFailure", "ErrorMessage": f"no {detail}"}
        return {"EventId": f"id of {detail}"}


def test_events_that_are_put_have_their_ids() -> None:
    bus: Any = Bus()
    entries = [entry(str(number)) for number in range(11)]
    assert aws.put_events(entries, bus) == [f"id of {number}" for number in range(11)]
    assert bus.calls == 2


def test_an_event_that_eventbridge_does_not_take_is_an_error_that_names_the_first() -> None:
    bus: Any = Bus("3", "4", "10")
    entries = [entry(str(number)) for number in range(11)]
    said = "^EventBridge did not take 2 of 10 events: InternalFailure: no 3$"
    with pytest.raises(Transient, match=said):
        aws.put_events(entries, bus)
    assert bus.calls == 1


@pytest.mark.parametrize(
    ("region", "partition", "domain", "address"),
    [
        ("eu-west-2", "aws", "amazonaws.com", "https://eu-west-2.console.aws.amazon.com/s3"),
        ("cn-north-1", "aws-cn", "amazonaws.com.cn", "https://cn-north-1.console.amazonaws.cn/s3"),
        (
            "us-gov-west-1",
            "aws-us-gov",
            "amazonaws.com",
            "https://us-gov-west-1.console.amazonaws-us-gov.com/s3",
        ),
    ],
)
def test_each_partition_has_its_own_console_and_domain(
    region: str, partition: str, domain: str, address: str
) -> None:
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
