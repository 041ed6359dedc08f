import json
from typing import Any

import pytest
from tests.sample_alerts import SAMPLE

from fleet.alerts import Alert


def test_an_alert_comes_back_from_its_document() -> None:
    assert Alert.from_json(json.loads(SAMPLE.as_json())) == SAMPLE


@pytest.mark.parametrize(
    "change",
    [
        *(
            {name: 5}
            for name in (
                "id",
                "dedup_key",
                "title",
                "subject",
                "source",
                "owner",
                "link",
                "runbook",
            )
        ),
        {"title": None},
        {"detail": "text"},
        {"detail": {"fact": [1]}},
        {"id": ""},
        {"id": "x" * 256},
        {"dedup_key": "x" * 256},
        {"dedup_key": "\ud800"},
        {"link": "https://example.com/\ud800"},
        {"severity": "odd"},
        {"unknown": 1},
    ],
)
def test_a_document_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Alert.from_json({**json.loads(SAMPLE.as_json()), **change})
