from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.dead_letters.causes import CAUSE_CHARACTERS, Cause, generalise, masked, outline


@pytest.mark.parametrize(
    "reasons",
    [
        ("waited 3 s for port 443", "waited 12.5 s for port 8080"),
        ("no object build-7f3a9c0d1e2f4a5b", "no object build-0d1e2f4a5b7f3a9c"),
        (
            "request 0f7b6f0c-6f9b-4d0e-9d2c-6a1f6a0c9f51 failed",
            "request 6f1b6cf6-0d2f-4b8a-9b7e-1d3c5f7a9b10 failed",
        ),
        ("at 2026-11-20T01:54:34Z it ended", "at 2026-11-21T23:00:00.123+00:00 it ended"),
        ("GET https://a.example/x?y=1 said no", "GET https://b.example/zz said no"),
        (
            "may not: arn:aws:sqs:eu-west-1:123456789012:a-b",
            "may not: arn:aws:sqs:eu-west-1:123456789012:c",
        ),
        (
            "RequestId: AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a= x",
            "RequestId: AQEB0a1s2d3f4g5h6j7k8l9z0x1c2v3b4n5m= x",
        ),
    ],
)
def test_reasons_that_differ_in_ids_and_figures_are_one_cause(reasons: tuple[str, ...]) -> None:
    assert all(one != other for one, other in pairwise(reasons))
    assert len({Cause("job", "Error", generalise(reason)).id for reason in reasons}) == 1


@pytest.mark.parametrize(
    "other", ["no such bucket", "no such pipeline: deploy-shop", "no such pipelines"]
)
def test_reasons_that_differ_in_words_are_not(other: str) -> None:
    assert generalise("no such pipeline") != generalise(other)


def test_job_and_type_tell_causes_apart() -> None:
    causes = {
        Cause("a", "b", "c").id,
        Cause("ab", "", "c").id,
        Cause("a", "bc", "").id,
        Cause("x", "b", "c").id,
    }
    assert len(causes) == 4


@given(st.text(max_size=200) | st.from_regex("[0-9a-f -]{0,200}"))
def test_folding_bounds_any_text_and_is_stable(text: str) -> None:
    once = generalise(text)
    assert len(once) <= CAUSE_CHARACTERS
    assert not any(character.isdecimal() for character in once)


@pytest.mark.parametrize(
    "secret",
    [
        "xoxb-1234-abcd",
        "AKIAIOSFODNN7EXAMPLE",
        "https://hooks.slack.com/services/T0/B0/verysecret",
        "https://user:verysecret@example.com/",
        "Authorization: Bearer verysecret",
        "https://example.com/?access_token=verysecret&x=1",
        "{'password': 'verysecret'}",
        "api_key=verysecret",
        "whsec_dmVyeXNlY3JldA==",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
    ],
)
def test_what_looks_like_a_secret_is_masked(secret: str) -> None:
    shown = masked(f"it was refused: {secret}")
    assert "[masked]" in shown
    for part in ("verysecret", "abcd", "FODNN", "dmVy", "c2ln"):
        assert part not in shown


def test_an_ordinary_reason_is_not_masked() -> None:
    reason = "the key shop/index.html of bucket shop was not found: token expired"
    assert masked(reason) == reason


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            (
                '{"source": "aws.ecr", "detail-type": "ECR Image Action", "id": "e1", '
                '"detail": {"image-tag": "v1"}}'
            ),
            "aws.ecr / ECR Image Action, id e1, with image-tag",
        ),
        ('{"scheduled_at": "2026-11-20T08:00:00Z"}', "JSON with scheduled_at"),
        ("[1, 2]", "a JSON list of 2"),
        ("my password is hunter2", "text of 22 characters"),
        ("{}", "JSON with nothing"),
    ],
)
def test_an_outline_names_what_a_body_has_and_none_of_its_values(body: str, shown: str) -> None:
    assert outline(body) == shown
