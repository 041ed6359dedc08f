from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.sample_alerts import SAMPLE, alert

from fleet.alerts import AlertStatus
from fleet.ledger.rows import KEPT, REPORTS_FIRST, Row, State

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPEN = Row("aws.x", "disk", State.OPEN, at=NOW, last_seen=NOW, opened_at=NOW)


@pytest.mark.parametrize(
    ("row", "due"),
    [
        pytest.param(OPEN, None, id="nothing to do"),
        pytest.param(replace(OPEN, owed=(SAMPLE,), remind_at=NOW + HOUR), NOW, id="owes an alert"),
        pytest.param(replace(OPEN, remind_at=NOW + HOUR), NOW + HOUR, id="reminds"),
        pytest.param(
            replace(OPEN, remind_at=NOW + HOUR, run=1),
            NOW + HOUR + REPORTS_FIRST,
            id="reminds after the job's own report",
        ),
        pytest.param(
            replace(OPEN, remind_at=NOW + 2 * HOUR, settles_at=NOW + HOUR),
            NOW + HOUR,
            id="settles before it reminds",
        ),
    ],
)
def test_a_sweep_looks_at_a_row_when_there_is_something_to_do(
    row: Row, due: datetime | None
) -> None:
    assert row.due == due


def test_only_what_is_over_and_owes_nothing_expires() -> None:
    closed = replace(OPEN, state=State.CLOSED, at=NOW + HOUR)
    assert (OPEN.expires, replace(closed, owed=(SAMPLE,)).expires) == (None, None)
    assert closed.expires == NOW + HOUR + KEPT
    assert replace(OPEN, state=State.OCCURRED).expires == NOW + KEPT


def test_a_row_owes_its_opening_until_that_is_published() -> None:
    row = replace(OPEN, owed=(alert(status=AlertStatus.OPENED),))
    assert row.owes_opening
    assert row.without_owed() == OPEN
    assert OPEN.without_owed() is OPEN
    assert not replace(OPEN, owed=(alert(status=AlertStatus.REMINDED),)).owes_opening
