from datetime import UTC, datetime

from tests.unit.functions.triage_alerts import payloads

from fleet.alerts import Observation
from fleet_triage.messages import from_message


def observed(name: str) -> Observation:
    (observation,) = from_message(payloads.text(f"health/{name}"))
    return observation


def test_the_copy_from_the_backup_region_is_the_same_message() -> None:
    original, copy = observed("issue_open"), observed("backup_region")
    assert (original.dedup_key, original.event_id, original.at) == (
        copy.dedup_key,
        copy.event_id,
        copy.at,
    )


def test_pages_are_messages_of_one_subject_and_name_all_that_is_affected() -> None:
    first, second = observed("page_1"), observed("page_2")
    assert first.dedup_key == second.dedup_key
    assert first.event_id != second.event_id
    assert (first.detail["page"], second.detail["page"]) == ("1 of 2", "2 of 2")
    assert second.resources[0] == "arn:aws:ec2:eu-west-1:123456789012:instance/i-2"


def test_its_dates_are_read_as_mail_writes_them() -> None:
    assert observed("issue_open").at == datetime(2026, 11, 20, 1, 50, tzinfo=UTC)


def test_its_description_is_text_for_people() -> None:
    assert (
        observed("issue_open").detail["description"]
        == "We are investigating increased error rates."
    )
