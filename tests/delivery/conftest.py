"""Destinations that answer, in this process, and the sinks' account."""

from collections.abc import Iterator

import pytest
from tools.local.destinations import Destinations, environment, serving


@pytest.fixture
def destinations(monkeypatch: pytest.MonkeyPatch) -> Iterator[Destinations]:
    """The destinations, where the sinks will call."""
    with serving() as running:
        for name, value in environment(running).items():
            monkeypatch.setenv(name, value)
        yield running
