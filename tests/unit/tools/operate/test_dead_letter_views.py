from datetime import UTC, datetime, timedelta

from tools.operate.dead_letter_views import age, as_json, count_steps, outcome_line

from fleet.dead_letters.letters import Letter, Route
from fleet.dead_letters.redrive import Outcome, Step

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
LETTER = Letter(
    id="3f2a1b9c-0000",
    route=Route.JOB,
    job="start_pipeline",
    reason="refused: Bearer verysecret",
    error_type="Permanent",
    attempts=1,
    first_seen=NOW - timedelta(days=3, hours=2),
    source="arn:aws:sqs:eu-west-1:123456789012:fleet-dev-start_pipeline",
    origin="",
    body="verysecret",
    obstacle="its origin is unknown",
)


def test_a_letter_is_shown_without_its_body_and_without_secrets() -> None:
    document = as_json(LETTER)
    assert "verysecret" not in str(document)
    assert document["origin"] == "unknown: its origin is unknown"


def test_a_letter_is_as_old_as_its_first_failure() -> None:
    assert age(LETTER, NOW) == "3 d 2 h"
    assert age(LETTER, NOW - timedelta(days=30)) == "0 s"


def test_an_outcome_is_a_line_that_begins_with_its_step() -> None:
    line = outcome_line(Outcome(LETTER, Step.KEPT, "no origin"))
    assert line.plain.split() == [
        *("kept", "3f2a1b9c", "start_pipeline", LETTER.cause.id, "no", "origin")
    ]


def test_outcomes_are_counted_by_step() -> None:
    steps = [Step.SENT, Step.KEPT, Step.SENT]
    assert count_steps(Outcome(LETTER, step) for step in steps) == "2 sent, 1 kept"
    assert count_steps([]) == "nothing"
