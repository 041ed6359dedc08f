"""Checks of many endpoints whose probes are made up; tests/probes has servers."""

import time
from typing import Any

import pytest

from fleet.mappings import structure
from fleet_endpoints import checks as module
from fleet_endpoints.checks import GOT_CHARACTERS, Check, Pacing, check_all
from fleet_endpoints.endpoints import Endpoint
from fleet_endpoints.facts import Facts
from fleet_endpoints.probe import BODY_BYTES, ProbeResult

ONCE = Pacing(retries=0)
TWICE = Pacing(concurrency=8, retries=1, retry_seconds=0)
UP = ProbeResult(Facts(status=200))
DOWN = ProbeResult(Facts(status=500))


def endpoint(name: str = "web", **entry: Any) -> Endpoint:
    usual = {"name": name, "url": "http://a.test", "conditions": ["[STATUS] == 200"]}
    return structure(usual | entry, Endpoint, "the entry")


def soon(seconds: float = 10) -> float:
    return time.monotonic() + seconds


def answering(monkeypatch: pytest.MonkeyPatch, **results: list[ProbeResult]) -> None:
    """Let each probe of an endpoint have the next of its results."""
    monkeypatch.setattr(module, "probe", lambda asked, *_: results[asked.name].pop(0))


def test_an_endpoint_is_judged_by_its_last_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, well=[UP], flaky=[DOWN, UP], bad=[DOWN, DOWN])
    checks = check_all(map(endpoint, ("well", "flaky", "bad")), TWICE, soon())
    assert [(check.attempts, check.flaky) for check in checks] == [
        (1, False),
        (2, True),
        (2, False),
    ]
    assert [bool(check.failure) for check in checks] == [False, False, True]


def test_without_retries_an_endpoint_is_probed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, bad=[DOWN])
    (check,) = check_all([endpoint("bad")], ONCE, soon())
    assert (check.attempts, check.flaky) == (1, False)


def test_there_is_no_retry_that_would_end_after_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, bad=[DOWN])
    (check,) = check_all([endpoint("bad")], Pacing(retries=2, retry_seconds=60), soon())
    assert check.attempts == 1


def test_there_may_be_nothing_to_probe() -> None:
    assert check_all([], TWICE, soon()) == []


def test_a_deadline_that_has_passed_leaves_all_late() -> None:
    asked = endpoint()
    (check,) = check_all([asked], TWICE, soon(-1))
    assert check == Check(asked)
    assert check.late


def test_one_odd_endpoint_does_not_hide_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def probe(asked: Endpoint, *_: Any) -> ProbeResult:
        if asked.name == "odd":
            raise RuntimeError("nobody thought of this")
        return UP

    monkeypatch.setattr(module, "probe", probe)
    odd, healthy = check_all([endpoint("odd"), endpoint()], TWICE, soon())
    assert odd.failure
    assert (odd.failure.phase, odd.failure.got) == (
        "preparation",
        "RuntimeError: nobody thought of this",
    )
    assert healthy.failure is None


@pytest.mark.parametrize("placeholder", ["[BODY].a", "len([BODY].a)"])
def test_an_answer_that_nests_deeply_does_not_hide_the_others(
    placeholder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probe(asked: Endpoint, *_: Any) -> ProbeResult:
        levels = int(asked.name)
        return ProbeResult(Facts(body=b'{"a": ' + b"[" * levels + b"]" * levels + b"}"))

    monkeypatch.setattr(module, "probe", probe)
    endpoints = [
        endpoint(str(levels), conditions=[f"{placeholder} == x"]) for levels in (0, 300, 500, 900)
    ]
    failures = [check.failure for check in check_all(endpoints, ONCE, soon())]
    assert [failure and failure.phase for failure in failures] == ["condition"] * 4
    assert failures[3]
    assert failures[3].got == f"{placeholder} is nested too deeply to be compared"


@pytest.mark.parametrize(("sign", "fails"), [("==", True), ("!=", False)])
def test_what_was_answered_is_not_kept_until_the_run_ends(
    sign: str, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, web=[ProbeResult(Facts(status=200, body=b"y" * BODY_BYTES))])
    (check,) = check_all([endpoint(conditions=[f"[BODY] {sign} x"])], ONCE, soon())
    assert check.result
    assert check.result.facts == Facts(status=200)
    assert "text" not in vars(check.result.facts)
    assert bool(check.failure) is fails
    assert not check.failure or len(check.failure.got) == GOT_CHARACTERS
