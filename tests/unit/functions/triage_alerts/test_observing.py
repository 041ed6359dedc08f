import math

from fleet.alerts import Status
from fleet.events import Event
from fleet.findings import LINK_CHARACTERS, SUBJECT_CHARACTERS, TITLE_CHARACTERS, Severity
from fleet_triage.observing import (
    EPOCH,
    MOST_RESOURCES,
    console_link,
    observe,
    regional_subject,
    url_part,
)

EVENT = Event("aws.x", "X", "e1", account="1", region="eu-west-1", time="2026-11-20T01:00:00Z")


def test_an_observation_is_cut_to_its_limits() -> None:
    observation = observe(
        EVENT,
        "s" * 2_000,
        Status.FAILING,
        "two\nlines" * 100,
        Severity.WARNING,
        detail={"size": 2.0, "none": None, "empty": "", "endless": math.inf},
        link="https://example.com/" + "x" * LINK_CHARACTERS,
        resources=["arn:aws:s3:::b", "no arn", *["arn:x"] * MOST_RESOURCES],
    )
    assert len(observation.subject) == SUBJECT_CHARACTERS
    assert len(observation.title) == TITLE_CHARACTERS
    assert "\n" not in observation.title
    assert (observation.detail, observation.link) == ({"size": 2}, "")
    assert len(observation.resources) == MOST_RESOURCES
    assert "no arn" not in observation.resources


def test_what_is_well_again_is_no_longer_severe() -> None:
    assert observe(EVENT, "s", Status.OK, "t", Severity.CRITICAL).severity is Severity.INFO


def test_what_is_missing_has_a_stand_in() -> None:
    observation = observe(Event("no source!", "", ""), "", Status.OCCURRED, "")
    assert (observation.source, observation.title) == ("unknown", "untitled")
    assert (observation.subject, observation.event_id) == ("untitled", "unknown")
    assert observation.at == EPOCH


def test_a_link_needs_a_region() -> None:
    page = console_link("eu-west-1", "sns/v3/home", "/topic/a")
    assert page == "https://eu-west-1.console.aws.amazon.com/sns/v3/home?region=eu-west-1#/topic/a"
    assert console_link("evil.example/#", "sns/v3/home") == ""


def test_parts_of_addresses_are_encoded_and_parts_of_subjects_joined() -> None:
    assert url_part("a b/c") == "a%20b%2Fc"
    assert regional_subject(EVENT, "web", "") == "1/eu-west-1/web"
