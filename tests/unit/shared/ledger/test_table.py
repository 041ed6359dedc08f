from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from tests.ledger_table import make_table

from fleet.alerts import Observation, Status
from fleet.findings import Report, Severity
from fleet.ledger.mutes import MUTES, Mute, Withheld, withheld_by
from fleet.ledger.reports import Reports
from fleet.ledger.rows import Row, findings_of
from fleet.ledger.storms import Storm
from fleet.ledger.table import Conflict, Item, Table, attributes, last_reports
from fleet_triage.coverage import announce
from fleet_triage.life import Rules, apply_observation
from fleet_triage.storm_life import count_openings

NOW = datetime(2026, 11, 21, 9, 30, 0, 250_000, tzinfo=UTC)
SEEN = Observation(
    "aws.x",
    "böse \ud800 \x00",
    Status.FAILING,
    Severity.WARNING,
    "t",
    NOW,
    "e1",
    {"f": 1.5, "b": True, "n": 3, "s": ""},
)
OWING = apply_observation(Row("aws.x", SEEN.subject), SEEN, Rules())
REPORTED = announce(Reports("job"), Report("job", NOW, (), "a", "m"), "e1").reports
ITEMS: list[Item] = [
    OWING,
    count_openings(Storm("aws.x", "(storm)"), [OWING] * 11, NOW, Rules()),
    REPORTED,
    Mute("m1", "*", "why", "ada", NOW),
    Withheld("m1", OWING.owed[0], NOW),
]


@pytest.fixture
def table(moto: None) -> Table:
    return make_table()


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)
def test_an_item_is_read_as_it_was_written(table: Table, item: Any) -> None:
    table.commit([item])
    expected = item if item.version is None else replace(item, version=1)
    assert table.get(type(item), item.key) == expected
    assert table.query(type(item), item.key[0]) == [expected]


def test_what_is_not_there_is_none(table: Table) -> None:
    assert table.get(Mute, (MUTES, "m1")) is None
    assert table.query(Withheld, withheld_by("m1")) == []


def test_last_reports_are_those_of_each_job_and_of_nothing_else(table: Table) -> None:
    assert last_reports(table.name) == {}
    table.commit(
        [
            *ITEMS,
            announce(Reports("other"), Report("other", NOW - timedelta(days=1), ()), "e2").reports,
        ]
    )
    assert last_reports(table.name) == {"job": NOW, "other": NOW - timedelta(days=1)}


def test_a_query_reads_all_pages(table: Table) -> None:
    rows = [
        replace(OWING, subject=f"s{number}", title="x" * 40_000, owed=()) for number in range(60)
    ]
    for row in rows:
        table.commit([row])
    assert len(table.query(Row, findings_of("aws.x"))) == 60


def test_a_write_counts_only_upon_the_version_that_was_read(table: Table) -> None:
    table.commit([OWING])
    with pytest.raises(Conflict):
        table.commit([OWING])
    read = table.get(Row, OWING.key)
    assert read
    table.commit([read.without_owed()])
    with pytest.raises(Conflict):
        table.commit([read.without_owed()])


@pytest.mark.parametrize("other", [1, 2])
def test_several_are_written_together_or_not_at_all(table: Table, other: int) -> None:
    table.commit([REPORTED])
    mute = Mute("m1", "*", "why", "ada", NOW)
    with pytest.raises(Conflict):
        table.commit([OWING, mute], [replace(REPORTED, version=0)])
    items: list[Item] = [OWING, REPORTED]
    with pytest.raises(Conflict):
        table.commit(items[:other], [replace(mute, version=1)])
    assert table.get(Row, OWING.key) is None
    table.commit([OWING, mute], [replace(REPORTED, version=1)])
    assert table.get(Row, OWING.key)
    assert table.get(Mute, mute.key)


@pytest.mark.parametrize(
    ("code", "reasons", "conflicts"),
    [
        ("TransactionCanceledException", ["None", "TransactionConflict"], True),
        ("TransactionCanceledException", ["None", "ThrottlingError"], False),
        ("TransactionConflictException", [], True),
        ("ThrottlingException", [], False),
    ],
)
def test_only_a_meeting_with_others_is_a_conflict(
    table: Table, code: str, reasons: list[str], conflicts: bool
) -> None:
    with Stubber(table.dynamodb) as stub:
        found = {"CancellationReasons": [{"Code": reason} for reason in reasons]}
        stub.add_client_error(
            "transact_write_items", code, modeled_fields=found if reasons else None
        )
        with pytest.raises(Conflict if conflicts else ClientError):
            table.commit([OWING], [REPORTED])


def test_a_sweep_reads_what_is_due_and_nothing_else(table: Table) -> None:
    waiting = replace(OWING.without_owed(), subject="waits")
    over = apply_observation(
        waiting, replace(SEEN, status=Status.OK, at=NOW + timedelta(minutes=1)), Rules()
    ).without_owed()
    for item in (OWING, waiting, replace(over, subject="over"), REPORTED):
        table.commit([item])
    assert table.due(NOW - timedelta(seconds=1)) == []
    assert table.due(NOW) == [OWING.key]
    assert set(table.due(NOW + timedelta(days=1))) == {OWING.key, waiting.key}


def test_what_dynamodb_looks_at_stands_beside_the_document() -> None:
    assert (
        int(attributes(Mute("m1", "*", "why", "ada", NOW, ended=True, told=True))["expires"]["N"])
        > NOW.timestamp()
    )
    assert "expires" not in attributes(OWING)
    assert attributes(REPORTED)["last_report"] == {"S": NOW.isoformat()}
    assert attributes(OWING)["version"] == {"N": "1"}
    assert {"agenda", "due"} <= attributes(OWING).keys()
    assert not {"agenda", "due"} & attributes(REPORTED).keys()
