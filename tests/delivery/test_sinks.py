"""Thousands of alerts, some twice, to destinations that fail: each arrives exactly once."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from tests.delivery.simulated_queue import POLL_SECONDS, Clock, Queue, in_memory
from tests.delivery.sinks import Sink, configure, effects, environment, sinks
from tests.sample_alerts import alert, event
from tools.local.destinations import (
    PAGERDUTY,
    SLACK,
    SLACK_WEBHOOK,
    WEBHOOK,
    Answer,
    Delivery,
    Destinations,
)

from fleet import deliveries
from fleet.runtime.telemetry import logger

SHORT, LONG = 100, 500  # alerts to each of four destinations
LATENCY_SECONDS = 0.15
FAILURES = [
    Answer(429, headers={"Retry-After": "2"}),
    Answer(503, headers={"Retry-After": "5"}),
    Answer(500),
    Answer(408),
    Answer(manner="reset"),
]


@pytest.fixture
def clock(destinations: Destinations, moto: None, monkeypatch: pytest.MonkeyPatch) -> Clock:
    running = in_memory(monkeypatch)
    destinations.clock = running.time
    for level in ("warning", "error"):
        monkeypatch.setattr(logger, level, lambda *_, **__: None)
    return running


def sink_for(name: str, destinations: Destinations, monkeypatch: pytest.MonkeyPatch) -> Sink:
    sink = sinks(destinations.url)[name]
    for variable, value in {
        **environment(sink),
        "LEDGER_TABLE": "ledger",
        "DEAD_LETTERS_URL": "dead",
    }.items():
        monkeypatch.setenv(variable, value)
    configure(sink)
    return sink


def subject(body: dict[str, Any]) -> str:
    """Return which alert a request is about."""
    document = json.dumps(body)
    return "alert " + document.partition("alert number ")[2][:4]


@pytest.mark.parametrize("name", [SLACK, SLACK_WEBHOOK, PAGERDUTY, WEBHOOK])
def test_every_alert_has_one_effect_and_none_is_lost(
    name: str,
    destinations: Destinations,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    at_length: bool,
    figure: Callable[[str], None],
) -> None:
    """A fifth arrives twice, a tenth of the answers fails, and some functions die before they note
    an answer.
    """
    random, killed, count = Random(name), Counter[str](), LONG if at_length else SHORT
    sink = sink_for(name, destinations, monkeypatch)
    queue = Queue(clock, sink, random)
    unlock, noted = deliveries._unlock, list[Delivery]()

    def choose(_: str) -> Answer | None:
        clock.now += LATENCY_SECONDS
        return random.choice(FAILURES) if random.random() < 0.1 else None

    def dying(at: Any, thread: str, holder: str, known: Any) -> None:
        fresh = destinations.deliveries[len(noted) :]
        noted.extend(fresh)
        if fresh and fresh[-1].accepted and random.random() < 0.01:
            killed[subject(fresh[-1].body)] += 1
            raise KeyboardInterrupt
        unlock(at, thread, holder, known)

    destinations.choose = choose
    monkeypatch.setattr(deliveries, "_unlock", dying)
    alerts = [
        alert(
            id=f"id-{n:04}", dedup_key=f"jobs/{n:04}", title=f"alert number {n:04}", subject=f"s{n}"
        )
        for n in range(count)
    ]
    for each in [*alerts, *random.sample(alerts, count // 5)]:
        queue.put(event(each), clock.now + random.uniform(0, 60))
    queue.drain(monkeypatch)
    parked = len(queue.parked)
    while queue.parked:
        queue.put(queue.parked.pop(), clock.now)
        queue.drain(monkeypatch)

    accepted = Counter(subject(body) for body in effects(destinations, name))
    assert len(accepted) == count
    assert accepted == Counter(dict.fromkeys(accepted, 1)) + killed
    if name == WEBHOOK:
        assert len(destinations.received) == count
    if name == PAGERDUTY:
        assert len(destinations.incidents) == count
    early = broken_waits(destinations, everybody=name in (SLACK, SLACK_WEBHOOK, PAGERDUTY))
    assert early == []
    failed = sum(not delivery.accepted for delivery in destinations.deliveries)
    figure(
        f"{name}: {count} alerts, {count // 5} of them twice, "
        f"{len(destinations.deliveries)} requests, "
        f"{failed} failed, {queue.kills} functions killed, {killed.total()} accepted twice, "
        f"{parked} parked and redriven, at most {max(queue.receipts.values())} receipts"
    )


def broken_waits(destinations: Destinations, everybody: bool) -> list[str]:
    """Return which requests came before the time that an earlier answer asked for: to this alert,
    or to everybody.
    """
    until: dict[str, float] = defaultdict(float)
    early = []
    for delivery in destinations.deliveries:
        about = "" if everybody else subject(delivery.body)
        if delivery.at - LATENCY_SECONDS < until[about] - 0.01:
            early.append(f"{subject(delivery.body)} at {delivery.at}, before {until[about]}")
        if "Retry-After" in delivery.answer.headers:
            until[about] = max(
                until[about], delivery.at + float(delivery.answer.headers["Retry-After"])
            )
    return early


def test_a_burst_to_one_channel_keeps_its_pace_and_parks_nothing(
    destinations: Destinations,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str], None],
) -> None:
    """Each message is received twice at most: once to be given its time, and once at its time."""
    queue = Queue(clock, sink_for(SLACK, destinations, monkeypatch), Random(7))
    for number in range(100):
        queue.put(event(alert(id=f"id-{number}", dedup_key=f"jobs/{number}")), clock.now)
    began = clock.now
    queue.drain(monkeypatch)
    times = [delivery.at for delivery in destinations.deliveries]
    assert len(effects(destinations, SLACK)) == 100
    assert queue.parked == []
    assert max(queue.receipts.values()) == 2
    # A poll may find one message late and the next in time, never one early: its second is its own.
    assert all(later - earlier >= 1 - POLL_SECONDS for earlier, later in pairwise(times))
    assert all(sum(began <= time - start < 10 for time in times) <= 11 for start in range(90))
    gap = min(later - earlier for earlier, later in pairwise(times))
    figure(
        f"burst: 100 alerts in {times[-1] - began:.1f} s, at least {gap:.2f} s apart, "
        f"at most {max(queue.receipts.values())} receipts, none parked"
    )
