"""However many findings there are and however many people look, the console stays small."""

import http.client
import json
import os
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from tests.console.conftest import Account, ago, failing
from tools.local.emulator import free_port
from tools.operate.console import HOST, SERVER
from waitress.server import create_server

from fleet.findings import Severity
from fleet.ledger.rows import Row, State
from fleet.ledger.table import Table, attributes
from fleet_console import paging
from fleet_console.reading import Reading
from fleet_console.reading.findings import LISTED_AT_ONCE, LOOKED_AT, FindingFilter, RowPage
from fleet_console.settings import Places, Settings

FINDINGS = 10_000
READERS = 200
NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)


class Many:
    """DynamoDB with so many findings, none of which it holds; the newest comes first."""

    queries = 0

    def query(self, **request: Any) -> Any:
        self.queries += 1
        begin = 0
        if after := request.get("ExclusiveStartKey"):
            begin = int(after["sk"]["S"].removeprefix("job/")) + 1
        end = min(begin + request["Limit"], FINDINGS)
        return {"Items": [self.item(number) for number in range(begin, end)]}

    def item(self, number: int) -> Any:
        at = NOW - timedelta(seconds=number)
        severity = Severity.CRITICAL if number == FINDINGS - 1 else Severity.INFO
        row = Row(
            "job",
            str(number),
            State.OPEN,
            severity,
            f"finding {number}",
            {"fact": "x" * 200},
            opened_at=at,
        )
        return attributes(row)


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    reading = Reading(Settings("fleet-test", "ledger", "https://queue"))
    table = Table("ledger")
    table.dynamodb = Many()  # type: ignore[assignment]
    monkeypatch.setattr(Places, "ledger", table)
    return reading


def test_ten_thousand_findings_page_in_constant_memory(reading: Reading) -> None:
    place, count, peaks = "", 0, {}
    while count < FINDINGS:
        if measured := count in (200, 300, FINDINGS - 300, FINDINGS - 200):
            tracemalloc.start()
        page = reading.findings.rows(FindingFilter(), 100, place)
        if measured:
            peaks[count] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        count += len(page.rows)
        place = paging.encode(page.next)

    assert count == FINDINGS
    assert max(peaks.values()) < 1.5 * min(peaks.values()), peaks
    assert reading.findings.rows(FindingFilter(), 100, place) == RowPage()


def test_one_answer_looks_at_a_bounded_part(reading: Reading) -> None:
    wanted, page, answers = FindingFilter(severity=Severity.CRITICAL), RowPage(), 0
    while not page.rows:
        cursor = paging.encode(page.next) if page.next else ""
        page = reading.findings.rows(wanted, 1, cursor)
        answers += 1

    assert page.rows[0].subject == str(FINDINGS - 1)
    assert answers == FINDINGS / LOOKED_AT
    dynamodb: Any = reading.places.ledger.dynamodb
    assert dynamodb.queries == FINDINGS / LISTED_AT_ONCE


def test_two_hundred_readers_at_once_on_one_core(console: Flask, account: Account) -> None:
    for number in range(5):
        account.observe(failing(f"alarm-{number}", ago(hours=number)))
    server = create_server(console, host=HOST, port=(port := free_port()), **SERVER)
    serving = threading.Thread(target=on_one_core, args=(server.run,), daemon=True)
    serving.start()
    together = threading.Barrier(READERS)

    def read(number: int) -> tuple[int, str]:
        connection = http.client.HTTPConnection(HOST, port, timeout=60)
        connection.connect()
        together.wait(60)
        connection.request("GET", ("/v1/jobs", "/v1/findings", "/", "/findings")[number % 4])
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    with ThreadPoolExecutor(READERS) as pool:
        answers = list(pool.map(read, range(READERS)))
    server.close()

    assert [body for status, body in answers if status != 200] == []
    assert len(json.loads(answers[1][1])["items"]) == 5


def on_one_core(run: Callable[[], None]) -> None:
    with suppress(AttributeError):  # only Linux lets a thread choose
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    run()
