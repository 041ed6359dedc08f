import pytest

from fleet.network import LOOPBACK_VARIABLE


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let probes reach the servers of these tests."""
    monkeypatch.setenv(LOOPBACK_VARIABLE, "1")
