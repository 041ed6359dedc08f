"""What cannot be read is named once and asked for once; a strict answer fails instead."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from fleet.settings import SettingsError
from fleet_console.partial import Partial
from fleet_console.reading import Reading
from fleet_console.settings import Settings
from fleet_console.status import Place

REFUSED = ClientError({"Error": {"Code": "AccessDenied", "Message": "password=hunter2"}}, "Query")


@pytest.fixture
def reading() -> Reading:
    return Reading(Settings("fleet-test", "ledger", "https://queue"))


@pytest.mark.parametrize(
    ("error", "cause"),
    [(REFUSED, "AccessDenied: [masked]"), (SettingsError("set STACK"), "set STACK")],
)
def test_a_place_that_fails_is_named_and_not_asked_again(
    reading: Reading, error: Exception, cause: str
) -> None:
    part = Partial(reading)
    asked: list[str] = []

    def read() -> Any:
        asked.append("read")
        raise error

    assert [part.get(Place.LEDGER, read, "nothing") for _ in range(2)] == ["nothing"] * 2
    assert part.get(Place.QUEUES, lambda: "something", "nothing") == "something"
    assert part.faults == {Place.LEDGER: cause}
    assert asked == ["read"]


def test_a_strict_answer_raises_what_was_raised(reading: Reading) -> None:
    def read() -> Any:
        raise REFUSED

    with pytest.raises(ClientError):
        Partial(reading, strict=True).get(Place.LEDGER, read, "nothing")
