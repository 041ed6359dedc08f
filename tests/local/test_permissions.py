"""IAM is enforced: a job that lacks one of the rights that its role gives it cannot do its work."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import pytest
from tools.local.fleet import Fleet
from tools.local.stack import STACK

POLICY = "job"


@contextmanager
def lacking(fleet: Fleet, job: str, action: str) -> Iterator[None]:
    """Take one action out of the job's role for a while."""
    iam = fleet.account.iam
    function = fleet.account.lambda_.get_function_configuration(FunctionName=f"{STACK}-{job}")
    role = function["Role"].rsplit("/", 1)[-1]
    policy: Any = iam.get_role_policy(RoleName=role, PolicyName=POLICY)["PolicyDocument"]
    put(fleet, role, without(policy, action))
    try:
        yield
    finally:
        put(fleet, role, policy)


def put(fleet: Fleet, role: str, policy: dict[str, Any]) -> None:
    fleet.account.iam.put_role_policy(
        RoleName=role, PolicyName=POLICY, PolicyDocument=json.dumps(policy)
    )


def without(policy: dict[str, Any], action: str) -> dict[str, Any]:
    """Return the policy without the action, which must be in it."""
    changed = deepcopy(policy)
    for statement in changed["Statement"]:
        actions = (
            statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        )
        statement["Action"] = [each for each in actions if each != action]
    assert changed != policy, f"no statement allows {action}"
    changed["Statement"] = [statement for statement in changed["Statement"] if statement["Action"]]
    return changed


def findings(fleet: Fleet, job: str) -> int:
    """Run the job, and count its findings, of which one for each thing that it could not look at."""
    answer = fleet.account.lambda_.invoke(FunctionName=f"{STACK}-{job}", Payload="{}")
    result: dict[str, Any] = json.loads(answer["Payload"].read())
    return int(result["findings"])


@pytest.mark.usefixtures(
    "outcomes"
)  # after which nothing is left to find, and something to look at
@pytest.mark.parametrize(
    ("job", "action"),
    [
        pytest.param("prune_objects", "s3:ListBucket", id="a service of the emulator"),
        pytest.param(
            "paused_pipelines",
            "codepipeline:GetPipelineState",
            id="a service that the emulator lacks",
        ),
    ],
)
def test_a_job_cannot_do_its_work_without_one_of_its_rights(
    fleet: Fleet, job: str, action: str
) -> None:
    assert findings(fleet, job) == 0
    with lacking(fleet, job, action):
        assert findings(fleet, job) > 0
    assert findings(fleet, job) == 0
