import time

import pytest


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How long the job has slept."""
    slept: list[int] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept
