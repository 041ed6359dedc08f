import pytest

from fleet.settings import SettingsError
from fleet_console.settings import Places, Settings


def test_a_stack_that_is_not_a_fleet_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Places, "_outputs", {"TopicArn": "a stack's, but not a fleet's"})

    with pytest.raises(SettingsError, match=r"^other has no output LedgerTable: is it a fleet"):
        Places(Settings("other")).check()
    with pytest.raises(SettingsError, match=r"^other has no output DeadLettersUrl: is it a fleet"):
        Places(Settings("other", ledger_table="ledger")).check()


def test_what_a_job_has_is_named_after_the_stack_and_the_job() -> None:
    places = Places(Settings("dev", "ledger", "https://sqs/1/dev-dead-letters"))

    assert places.function("look") == "dev-look"
    assert places.queue_url("look") == "https://sqs/1/dev-look"
    assert places.log_group == "/fleet/dev"


@pytest.mark.parametrize(
    ("hosts", "names"), [("", []), (" a.example, b.example ,", ["a.example", "b.example"])]
)
def test_hosts_are_separated_by_commas(hosts: str, names: list[str]) -> None:
    assert Settings(hosts=hosts).trusted_hosts == names
