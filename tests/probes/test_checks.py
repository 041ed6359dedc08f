"""Many endpoints at once, again where they fail, and with secrets."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.probes import servers

from fleet import aws
from fleet.mappings import structure
from fleet_endpoints.checks import Check, Pacing, check_all
from fleet_endpoints.endpoints import Endpoint

SECRET = "/fleet/failing_endpoints/secrets/api"
AT_ONCE = Pacing(concurrency=8, retries=1, retry_seconds=0)


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    with servers.listening(servers.http) as port:
        yield f"http://127.0.0.1:{port}"


def endpoint(url: str, name: str = "web", **entry: Any) -> Endpoint:
    usual = {"name": name, "url": url, "conditions": ["[STATUS] == 200"], "private": True}
    return structure(usual | entry, Endpoint, "the entry")


def soon(seconds: float = 10) -> float:
    return time.monotonic() + seconds


def test_what_fails_once_is_flaky_and_what_fails_always_fails(web: str) -> None:
    endpoints = [endpoint(f"{web}/{path}", path) for path in ("health", "flaky/1", "status/500")]
    healthy, flaky, failing = check_all(endpoints, AT_ONCE, soon())
    assert (healthy.attempts, healthy.failure, healthy.flaky) == (1, None, False)
    assert (flaky.attempts, flaky.failure, flaky.flaky) == (2, None, True)
    assert (failing.attempts, failing.failure is not None, failing.flaky) == (2, True, False)


def test_without_retries_every_endpoint_is_probed_once(web: str) -> None:
    (check,) = check_all([endpoint(f"{web}/flaky/2")], Pacing(retries=0), soon())
    assert (check.attempts, check.flaky, check.failure is None) == (1, False, False)


def test_endpoints_wait_for_each_other_only_where_there_are_too_many(web: str) -> None:
    endpoints = [endpoint(f"{web}/slow", str(number)) for number in range(8)]
    began = time.monotonic()
    assert [check.failure for check in check_all(endpoints, AT_ONCE, soon())] == [None] * 8
    assert time.monotonic() - began < 4 * 0.15


def test_what_there_is_no_time_for_is_late_and_what_failed_before_stays_so(web: str) -> None:
    endpoints = [
        endpoint(f"{web}/{path}", path, client={"timeout": "300ms"})
        for path in ("hang", "slow", "health")
    ]
    one_by_one = Pacing(concurrency=1, retries=1, retry_seconds=0)
    hung, slow, late = check_all(endpoints, one_by_one, soon(0.7))
    assert (hung.attempts, hung.late, hung.failure and hung.failure.got) == (
        1,
        False,
        "no answer in time",
    )
    assert (slow.attempts, slow.late, slow.failure) == (1, False, None)
    assert late == Check(endpoints[2])
    assert late.late


@pytest.mark.usefixtures("moto")
def test_a_secret_is_sent_and_fetched_again_when_it_is_refused(web: str) -> None:
    ssm = aws.client("ssm")
    ssm.put_parameter(Name=SECRET, Value="old-secret-value", Type="SecureString")
    guarded = endpoint(
        f"{web}/private",
        headers={"Authorization": f"Bearer ${{{SECRET}}}"},
        conditions=["[STATUS] == 200", "[BODY] == x"],
    )
    (refused,) = check_all([guarded], Pacing(retries=0), soon())
    assert refused.failure
    assert "[STATUS] is 401" in refused.failure.got
    assert "[secret]" in refused.failure.got, "the server repeats it, so this test is one"
    assert "old-secret-value" not in refused.failure.got
    ssm.put_parameter(Name=SECRET, Value="new-secret-value", Type="SecureString", Overwrite=True)
    (accepted,) = check_all([guarded], Pacing(retries=0), soon())
    assert accepted.result
    assert accepted.result.facts.status == 200


@pytest.mark.usefixtures("moto")
def test_a_secret_that_is_not_there_is_the_endpoints_trouble_alone(web: str) -> None:
    guarded = endpoint(web, headers={"Authorization": f"Bearer ${{{SECRET}}}"})
    missing, healthy = check_all([guarded, endpoint(web, "other")], AT_ONCE, soon())
    assert missing.failure
    assert (missing.failure.phase, missing.result) == ("preparation", None)
    assert "ParameterNotFound" in missing.failure.got
    assert healthy.failure is None


@pytest.mark.usefixtures("moto")
def test_a_secret_that_no_header_can_carry_is_named_and_not_shown(web: str) -> None:
    aws.client("ssm").put_parameter(Name=SECRET, Value="key\u00fcber-hunter2", Type="SecureString")
    (check,) = check_all(
        [endpoint(web, headers={"X-Key": f"${{{SECRET}}}"})], Pacing(retries=0), soon()
    )
    assert check.failure
    assert check.failure.got == "the secret in the header X-Key is not printable ASCII"
