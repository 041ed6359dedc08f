import pytest
from tests.unit.functions.stale_backups.account import Account, Client

from fleet import aws
from fleet_backups import services


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    monkeypatch.setattr(aws, "client", lambda _: Client(made))
    monkeypatch.setattr(services, "sleep", lambda _: None)
    return made
