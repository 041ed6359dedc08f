"""The operator's view of the local account: every page, every service, every decision."""

from typing import Any

import pytest
from botocore.stub import Stubber
from tools.local.account import Account, credentials

EMULATOR = "http://127.0.0.1:1"
MOTO = "http://127.0.0.1:2"


@pytest.fixture(scope="module")
def account() -> Account:
    return Account(EMULATOR, {"AWS_ENDPOINT_URL_ACM": MOTO})


def test_a_service_that_the_emulator_lacks_is_asked_elsewhere(account: Account) -> None:
    assert account.acm.meta.endpoint_url == MOTO
    assert account.s3.meta.endpoint_url == EMULATOR


def test_functions_of_all_pages_are_returned_by_their_names(account: Account) -> None:
    with Stubber(account.lambda_) as answers:
        answers.add_response(
            "list_functions", {"Functions": [{"FunctionName": "a"}], "NextMarker": "a"}
        )
        answers.add_response("list_functions", {"Functions": [{"FunctionName": "b"}]})

        assert list(account.functions()) == ["a", "b"]


def test_a_schedule_that_has_run_its_only_time_is_left_out(account: Account) -> None:
    summaries = [{"Name": name, "GroupName": "default"} for name in ("once", "daily")]
    with Stubber(account.scheduler) as answers:
        answers.add_response("list_schedules", {"Schedules": summaries})
        answers.add_client_error("get_schedule", "ResourceNotFoundException")
        answers.add_response("get_schedule", {"Name": "daily"})

        assert [schedule["Name"] for schedule in account.schedules()] == ["daily"]


def test_a_bucket_that_is_there_is_kept(account: Account) -> None:
    with Stubber(account.s3) as answers:
        answers.add_client_error("create_bucket", "BucketAlreadyOwnedByYou")

        account.make_bucket("artifacts")


@pytest.mark.parametrize(
    ("decisions", "allowed"),
    [
        (["allowed"], True),
        (["implicitDeny"], False),
        (["explicitDeny"], False),
        (["allowed", "explicitDeny"], False),
    ],
)
def test_only_what_iam_allows_is_allowed(
    account: Account, decisions: list[str], allowed: bool
) -> None:
    results = [
        {"EvalActionName": "sqs:SendMessage", "EvalDecision": decision} for decision in decisions
    ]
    with Stubber(account.iam) as answers:
        answers.add_response("simulate_principal_policy", {"EvaluationResults": results})

        role = "arn:aws:iam::123456789012:role/job"
        assert account.allowed(role, "sqs:SendMessage", "arn:aws:sqs:::queue") is allowed


def test_a_function_has_the_keys_that_the_emulator_gives_it() -> None:
    function: Any = {"FunctionArn": "arn:function", "Role": "arn:role"}

    # As MiniStack's core/lambda_runtime.py makes them.
    assert credentials(function) == {
        "aws_access_key_id": "ASIA3B19DE8FFFB43372",
        "aws_secret_access_key": "41eeb2cb65f88f16d9bbcc2e6d5e676157507e210b52e5efd19787ed820d8df3",
        "aws_session_token": "4aef462dba0f177023ebd3dbe5c9031a069f14e1c6e6caad886a76f47930d87a",
    }
