from datetime import UTC, datetime, timedelta

import pytest
from tests.ledger_table import make_table
from tools.operate.mute import arguments, run

from fleet.ledger.table import Table

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
ADD = [
    "add",
    "--stack",
    "s",
    "--until",
    "4h",
    "--reason",
    "upgrade",
    "--author",
    "ada",
    "subject:db-*",
]


@pytest.fixture
def table(moto: None) -> Table:
    return make_table()


def test_a_mute_is_listed_until_it_ends(table: Table) -> None:
    said = run(table, arguments(ADD), NOW)
    assert said.endswith("until 2026-11-21 13:00 UTC  subject:db-*  by ada: upgrade")
    assert run(table, arguments(["list", "--stack", "s"]), NOW) == said


def test_a_mute_can_end_early(table: Table) -> None:
    number = run(table, arguments(ADD), NOW).split()[0]
    ended = run(table, arguments(["end", "--stack", "s", number]), NOW + timedelta(hours=1))
    assert "until 2026-11-21 10:00 UTC" in ended


def test_what_is_not_muted_cannot_end(table: Table) -> None:
    assert run(table, arguments(["list", "--stack", "s"]), NOW) == "nothing is muted"
    with pytest.raises(SystemExit, match="there is no mute nosuch to end"):
        run(table, arguments(["end", "--stack", "s", "nosuch"]), NOW)


@pytest.mark.parametrize("missing", ["--until", "--reason"])
def test_a_mute_needs_an_end_and_a_reason(missing: str, capsys: pytest.CaptureFixture[str]) -> None:
    at = ADD.index(missing)
    with pytest.raises(SystemExit):
        arguments(ADD[:at] + ADD[at + 2 :])
    assert missing in capsys.readouterr().err
