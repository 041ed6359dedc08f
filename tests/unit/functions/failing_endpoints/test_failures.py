"""Why an endpoint fails, by the facts alone; tests/probes has servers that fail."""

from typing import Any

import pytest

from fleet.mappings import structure
from fleet.probes.target import Phase, Unreachable
from fleet_endpoints.endpoints import Endpoint
from fleet_endpoints.facts import Facts
from fleet_endpoints.failures import Failure, find_failure
from fleet_endpoints.probe import ProbeResult


def endpoint(*conditions: str, **entry: Any) -> Endpoint:
    usual = {"name": "web", "url": "https://a.test", "conditions": list(conditions)}
    return structure(usual | entry, Endpoint, "the entry")


def unreached(phase: Phase, *, tried: bool = True) -> ProbeResult:
    """A probe that ended in a phase; with a cause if it was tried at all."""
    failure = Unreachable(phase, "no answer in time")
    failure.__cause__ = TimeoutError() if tried else None
    return ProbeResult(Facts(), unreachable=failure)


def test_an_endpoint_whose_conditions_hold_does_not_fail() -> None:
    assert find_failure(endpoint("[STATUS] == 200"), ProbeResult(Facts(status=200))) is None


def test_conditions_that_fail_are_named_with_what_was_got() -> None:
    asked = endpoint("[STATUS] < 300", "[BODY].up == true", "[IP] == pat(*)", "[BODY] != [STATUS]")
    result = ProbeResult(Facts(status=503, body=b'{"up": false}'))
    assert find_failure(asked, result) == Failure(
        "condition",
        "[STATUS] is 503, [BODY].up is false",
        "[STATUS] < 300; [BODY].up == true",
    )


@pytest.mark.parametrize(
    ("location", "place"), [("https://b.test/", "https://b.test/"), ("", "nowhere")]
)
def test_a_redirect_says_where_it_leads(location: str, place: str) -> None:
    failure = find_failure(
        endpoint("[STATUS] == 200"), ProbeResult(Facts(status=302, location=location))
    )
    assert failure
    assert failure.got == f"[STATUS] is 302; it redirects to {place}, which is not followed"


def test_a_value_may_be_empty_and_a_condition_about_nothing() -> None:
    failure = find_failure(endpoint("[BODY] == x", "1 == 2"), ProbeResult(Facts()))
    assert failure == Failure("condition", "[BODY] is empty", "[BODY] == x; 1 == 2")
    failure = find_failure(endpoint("1 == 2"), ProbeResult(Facts()))
    assert failure == Failure("condition", "what can never hold", "1 == 2")


@pytest.mark.parametrize(
    ("url", "phase", "named"),
    [
        ("https://a.test", Phase.TLS, "tls"),
        ("https://a.test", Phase.EXCHANGE, "http"),
        ("tcp://a.test:1", Phase.EXCHANGE, "tcp"),
    ],
)
def test_an_exchange_is_named_by_its_protocol(url: str, phase: Phase, named: str) -> None:
    failure = find_failure(endpoint("[STATUS] == 0", url=url), unreached(phase))
    assert failure == Failure(named, "no answer in time", "[STATUS] == 0")


def test_an_endpoint_may_be_expected_to_be_unreachable_if_it_was_tried() -> None:
    closed = endpoint("[CONNECTED] == false")
    assert find_failure(closed, unreached(Phase.CONNECT)) is None
    assert find_failure(closed, unreached(Phase.RESOLVE, tried=False))
    assert find_failure(endpoint("[CONNECTED] == true"), unreached(Phase.CONNECT))
