"""The API is as its description says, and the description is whole."""

import re
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from functions.console.app import create_app
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance
from tests.console.conftest import SCHEDULED, WRITE, Account, ago, failing

from fleet.findings import Finding

EXAMPLES = 3


@pytest.fixture
def described(account: Account, function: None) -> Any:
    """The description as the application serves it, for a fleet with something of everything."""
    account.report(SCHEDULED, Finding("a", "A"), at=ago(hours=1))
    account.observe(failing("web", ago(hours=1)))
    account.park("{}")
    app = create_app(identify=lambda _: "ada")
    app.test_client().post(
        "/v1/mutes", json={"pattern": "x", "reason": "y", "until": "1h"}, headers=WRITE
    )
    return schemathesis.openapi.from_wsgi("/v1/openapi.json", app)


def not_said_by_the_schema(case: schemathesis.Case[Any]) -> list[Any]:
    """Leave out what the schema cannot say.

    The header of writes is not a secret, a cursor is only what a page gave, some jobs need an
    event, and ages have an upper limit.
    """
    known = "cursor" in (case.query or {}) or case.operation.label.endswith(
        ("/runs", "/findings", "/log")
    )
    return [ignored_auth, *([positive_data_acceptance] if known else [])]


def test_the_api_is_as_described(described: Any) -> None:
    seen = set()
    for operation in (found.ok() for found in described.get_all_operations()):
        for mode in schemathesis.GenerationMode:
            try:
                cases = operation.as_strategy(generation_mode=mode)

                @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
                @given(case=cases)
                def conforms(case: schemathesis.Case[Any]) -> None:
                    answer = case.call_and_validate(
                        headers=WRITE, excluded_checks=not_said_by_the_schema(case)
                    )
                    seen.add((case.operation.label, answer.status_code))

                conforms()
            except Unsatisfiable:  # what takes no input has nothing that could be wrong
                assert mode is schemathesis.GenerationMode.NEGATIVE

    assert {"GET /v1/findings", "POST /v1/mutes"} <= {
        label for label, status in seen if status < 300
    }
    assert {"GET /v1/findings", "POST /v1/mutes"} <= {
        label for label, status in seen if status >= 400
    }


def test_the_description_names_every_route_and_no_other(client: FlaskClient) -> None:
    document: Any = client.get("/v1/openapi.json").json
    described = {
        (re.sub(r"{\w+}", "{}", path), method.upper())
        for path, item in document["paths"].items()
        for method in item.keys() - {"parameters"}
    }
    routes = {
        (re.sub(r"<\w+>", "{}", rule.rule), method)
        for rule in client.application.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert routes == described
