import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from functions.report_dead_letters.app import (
    LETTERS,
    MOST_SUBJECTS,
    Group,
    Settings,
    describe,
    group_by_cause,
    group_by_subject,
    handler,
)
from tests.conftest import Context, Event

from fleet import aws
from fleet.dead_letters import Parked
from fleet.dead_letters.letters import Letter, Route
from fleet.findings import Finding, Severity
from fleet.settings import SettingsError, load

NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
LETTER = Letter(
    id="l",
    route=Route.JOB,
    job="start_pipeline",
    reason="no pipeline deploy-17",
    error_type="Permanent",
    attempts=1,
    first_seen=NOW - timedelta(hours=3),
    source="arn:aws:sqs:eu-west-1:123456789012:fleet-dev-start_pipeline",
    origin="arn:aws:sqs:eu-west-1:123456789012:fleet-dev-start_pipeline",
    body='{"source": "fleet", "detail-type": "Start Pipeline", "id": "e1",'
    ' "detail": {"pipeline": "secret-plan"}}',
)


def findings(groups: Mapping[str, Group], link: str = "") -> list[Finding]:
    return [describe(subject, group, NOW, Settings(), link) for subject, group in groups.items()]


def test_letters_of_one_cause_are_one_group_with_its_oldest() -> None:
    older = replace(LETTER, reason="no pipeline deploy-18", first_seen=NOW - timedelta(days=2))
    other = replace(LETTER, error_type="ClientError")
    groups = list(group_by_cause([LETTER, older, other]).values())
    assert [(group.letters, group.oldest.reason) for group in groups] == [
        (2, "no pipeline deploy-18"),
        (1, "no pipeline deploy-17"),
    ]


def test_a_finding_says_how_many_how_old_and_how_to_send_them_back() -> None:
    groups = group_by_subject(
        group_by_cause([LETTER, replace(LETTER, first_seen=NOW - timedelta(days=2, hours=5))])
    )
    (finding,) = findings(groups, "https://link")
    cause = LETTER.cause.id
    assert finding.subject == f"letters/start_pipeline/{cause}"
    assert finding.title == "start_pipeline could not do its work: Permanent: no pipeline deploy-17"
    assert finding.severity is Severity.WARNING
    assert finding.detail == {
        "dead letters": 2,
        "oldest": "2 d 5 h, since 2026-11-18 03:00 UTC",
        "reason": "no pipeline deploy-17",
        "event": "fleet / Start Pipeline, id e1, with pipeline",
        "given up by": f"job {LETTER.source}",
        "to send them back": f'make dead-letters ARGS="redrive --cause {cause} --dry-run"',
    }


def test_no_value_of_the_event_and_no_secret_of_the_reason_is_shown() -> None:
    told = replace(LETTER, reason="refused: Bearer verysecret")
    (finding,) = findings(group_by_subject(group_by_cause([told])))
    shown = json.dumps(finding.as_json())
    assert "secret-plan" not in shown
    assert "verysecret" not in shown


@pytest.mark.parametrize(("days", "severity"), [(9, Severity.WARNING), (11, Severity.CRITICAL)])
def test_letters_that_sqs_will_soon_delete_are_critical(days: int, severity: Severity) -> None:
    groups = group_by_subject(
        group_by_cause([replace(LETTER, first_seen=NOW - timedelta(days=days))])
    )
    assert [finding.severity for finding in findings(groups)] == [severity]


def words(number: int) -> str:
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


@pytest.mark.parametrize(
    ("differ", "subjects"),
    [
        pytest.param({"reason": MOST_SUBJECTS}, MOST_SUBJECTS, id="as many as may be"),
        pytest.param({"reason": MOST_SUBJECTS + 1}, 1, id="too many reasons"),
        pytest.param({"error_type": MOST_SUBJECTS + 1}, 1, id="too many errors"),
        pytest.param({"reason": 5, "error_type": 6}, 6, id="few errors of many reasons"),
    ],
)
def test_a_job_has_so_many_findings_and_no_more(differ: dict[str, int], subjects: int) -> None:
    letters = [LETTER]
    for name, number in differ.items():
        letters = [
            replace(letter, **{name: words(each)})  # type: ignore[arg-type]
            for letter in letters
            for each in range(number)
        ]
    found = group_by_subject(group_by_cause([*letters, replace(LETTER, job="other")]))
    assert len(found) == subjects + 1
    assert sum(group.letters for group in found.values()) == len(letters) + 1
    if subjects == 1:
        (_, finding) = findings(found)
        assert f"could not do its work, for {MOST_SUBJECTS + 1} causes: " in finding.title
        assert "--job start_pipeline" in str(finding.detail["to send them back"])


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(SettingsError, match="MOST_LETTERS must be 1 to 100000, got 0"):
        load(Settings, {"MOST_LETTERS": "0"})


def test_a_group_keeps_no_body() -> None:
    (group,) = group_by_cause([replace(LETTER, body="x" * 250_000)]).values()
    assert group.oldest == replace(LETTER, body="text of 250000 characters")


@pytest.fixture
def run(
    dead_letters: Callable[[], list[Event]],
    published: Any,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], list[Event]]:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "report_dead_letters")
    monkeypatch.setattr("fleet.dead_letters.looking.POLL_SECONDS", 0)

    def look() -> list[Event]:
        handler({"scheduled_at": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}, context)
        return [event["detail"] for event in published()]

    return look


def park(url: str, number: int) -> None:
    parked = Parked(
        f"{{{number}", "start_pipeline", f"no pipeline {number}", "Permanent", 1, NOW, LETTER.source
    )
    aws.client("sqs").send_message(
        QueueUrl=url, MessageBody=parked.body, MessageAttributes=parked.attributes()
    )


def test_what_is_in_the_queue_is_reported_and_left_there(
    run: Callable[[], list[Event]], dead_letters: Callable[[], list[Event]]
) -> None:
    url = aws.client("sqs").get_queue_url(QueueName="dead-letters")["QueueUrl"]
    for number in range(12):
        park(url, number)
    (report,) = run()
    assert [
        (each["subject"].split("/")[1], each["detail"]["dead letters"])
        for each in report["findings"]
    ] == [("start_pipeline", 12)]
    assert (
        len(dead_letters()) == 10
    )  # which hides them for a while, so the next look cannot see all
    before, after = run()
    assert (before["through"], after["after"] > before["through"]) == (f"{LETTERS}/", True)
    (finding,) = before["findings"] + after["findings"]
    assert finding["subject"] == LETTERS
    assert "2 letters were seen; about 10 more are held by somebody else" in finding["title"]
    assert list(finding["detail"].values()) == ["2: no pipeline 10"]


def test_an_empty_queue_is_a_complete_report_without_findings(
    run: Callable[[], list[Event]],
) -> None:
    (report,) = run()
    assert (report["findings"], report["after"], report["through"]) == ([], None, None)
