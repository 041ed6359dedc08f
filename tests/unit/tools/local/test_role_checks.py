"""The rights that AWS needs in a role, and that a deployment to the emulator must be asked for."""

from collections.abc import Iterator
from typing import Any

import pytest
from tools.errors import FleetError
from tools.local.role_checks import Need, by_functions, by_queues, by_schedules, check

ROLE = "arn:aws:iam::123456789012:role/job"
FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:fleet-local-job"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:queue"
DEAD_LETTERS = "arn:aws:sqs:eu-west-1:123456789012:dead-letters"


class Account:
    """An account with one function, one queue and one schedule; some actions are refused."""

    def __init__(self, tracing: str = "Active", target: str = FUNCTION, refused: str = "") -> None:
        self.lambda_ = self
        self.tracing = tracing
        self.target = target
        self.refused = refused

    def functions(self) -> dict[str, Any]:
        function = {
            "Role": ROLE,
            "LoggingConfig": {"LogGroup": "/fleet/job"},
            "TracingConfig": {"Mode": self.tracing},
        }
        return {"fleet-local-job": function}

    def list_function_event_invoke_configs(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        on_failure = {"OnFailure": {"Destination": DEAD_LETTERS}}
        configs = [{"DestinationConfig": {}}, {"DestinationConfig": on_failure}]
        return {"FunctionEventInvokeConfigs": configs}

    def list_event_source_mappings(self) -> dict[str, Any]:
        mapping = {"FunctionArn": FUNCTION, "EventSourceArn": QUEUE}
        return {"EventSourceMappings": [mapping]}

    def schedules(self) -> Iterator[dict[str, Any]]:
        target = {
            "Arn": self.target,
            "RoleArn": ROLE,
            "DeadLetterConfig": {"Arn": DEAD_LETTERS},
        }
        yield {"Name": "job", "Target": target}

    def allowed(self, role: str, action: str, resource: str) -> bool:
        return action != self.refused


def actions(needs: Iterator[Need]) -> set[tuple[str, str]]:
    return {(need.action, need.resource) for need in needs}


@pytest.mark.parametrize(("tracing", "traces"), [("Active", True), ("PassThrough", False)])
def test_a_function_logs_records_its_failures_and_traces_when_told_to(
    tracing: str, traces: bool
) -> None:
    account: Any = Account(tracing=tracing)

    needs = actions(by_functions(account))

    streams = "arn:aws:logs:eu-west-1:123456789012:log-group:/fleet/job:log-stream:any"
    assert ("logs:PutLogEvents", streams) in needs
    assert ("sqs:SendMessage", DEAD_LETTERS) in needs
    assert (("xray:PutTraceSegments", "*") in needs) is traces


def test_a_function_polls_its_queue() -> None:
    account: Any = Account()

    assert actions(by_queues(account)) == {
        ("sqs:ReceiveMessage", QUEUE),
        ("sqs:DeleteMessage", QUEUE),
        ("sqs:GetQueueAttributes", QUEUE),
    }


@pytest.mark.parametrize(
    ("target", "action"), [(FUNCTION, "lambda:InvokeFunction"), (QUEUE, "sqs:SendMessage")]
)
def test_a_schedule_reaches_its_target_and_the_dead_letters(target: str, action: str) -> None:
    account: Any = Account(target=target)

    assert actions(by_schedules(account)) == {(action, target), ("sqs:SendMessage", DEAD_LETTERS)}


def test_a_right_that_a_role_lacks_is_named() -> None:
    account: Any = Account(refused="sqs:DeleteMessage")

    with pytest.raises(FleetError) as failure:
        check(account)

    _, *faults = str(failure.value).splitlines()
    assert faults == [f"the role of fleet-local-job lacks sqs:DeleteMessage on {QUEUE}"]


def test_roles_that_lack_nothing_pass() -> None:
    account: Any = Account()

    check(account)
