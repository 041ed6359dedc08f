from collections.abc import Callable
from threading import Event

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from fleet.settings import SettingsError
from fleet_console.reading import Reading, health
from fleet_console.reading.health import HealthReader
from fleet_console.settings import Settings

DEPENDENCIES = ("ledger", "queues", "scheduler", "logs")
DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "of user x"}}, "GetItem")
UNREACHABLE = EndpointConnectionError(endpoint_url="https://secret.example.com")


def failing(error: Exception) -> Callable[[object], None]:
    """A check that raises an error."""

    def check(_reader: object) -> None:
        raise error

    return check


def passing(_reader: object) -> None:
    """A check that passes."""


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> HealthReader:
    """A reader all of whose checks pass."""
    for name in DEPENDENCIES:
        monkeypatch.setattr(HealthReader, f"_ask_{name}", passing)
    return Reading(Settings("fleet-test", "ledger", "https://queue")).health


def test_all_dependencies_may_pass(reader: HealthReader) -> None:
    verdicts = reader.checks()

    assert verdicts == dict.fromkeys(DEPENDENCIES, "pass")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (DENIED, "refused: AccessDenied"),
        (SettingsError("set STACK"), "set STACK"),
        (UNREACHABLE, "no answer: EndpointConnectionError"),
        (ZeroDivisionError("1 / 0"), "failed: ZeroDivisionError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_dependency_that_fails_says_no_more_than_a_code(
    reader: HealthReader, monkeypatch: pytest.MonkeyPatch, error: Exception, verdict: str
) -> None:
    monkeypatch.setattr(HealthReader, "_ask_queues", failing(error))

    verdicts = reader.checks()

    assert verdicts["queues"] == verdict
    assert verdicts["ledger"] == "pass"


def test_a_dependency_that_does_not_answer_keeps_nobody_waiting(
    reader: HealthReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = Event()
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(HealthReader, "_ask_logs", lambda _reader: answered.wait(10))

    verdicts = reader.checks()
    answered.set()

    assert verdicts["logs"] == "no answer within 0 s"
    assert verdicts["ledger"] == "pass"
