"""An answer says what its reader may know of an error, and nothing of a fault of the console."""

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from fleet.dead_letters.journal import NotRecorded
from fleet.ledger.table import Conflict
from fleet.settings import SettingsError
from fleet_console.problems import Invalid, Missing, problem

REFUSED = ClientError(
    {"Error": {"Code": "AccessDenied", "Message": "not with password=hunter2hunter2"}}, "Query"
)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (Invalid("limit must be 1"), 400, "limit must be 1"),
        (Missing("there is no job"), 404, "there is no job"),
        (Conflict(), 409, "somebody else has just changed it"),
        (SettingsError("set STACK"), 503, "set STACK"),
        (NotRecorded("the log did not take it"), 503, "the log did not take it"),
        (REFUSED, 503, "AccessDenied: not with [masked]"),
        (EndpointConnectionError(endpoint_url="https://here"), 503, "EndpointConnectionError"),
        (ZeroDivisionError("division by zero"), 500, "the console has a fault"),
    ],
)
def test_each_error_has_its_status_and_words(error: Exception, status: int, words: str) -> None:
    found = problem(error)

    assert found.code == status
    assert str(found.description).startswith(words)
    assert "division" not in str(found.description)
    assert "hunter2" not in str(found.description)
