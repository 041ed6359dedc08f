"""The rights that AWS services need in the fleet's roles, and that the emulator never asks for.

Without one of them a deployment to AWS fails, or runs and is mute.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from mypy_boto3_lambda.type_defs import FunctionConfigurationTypeDef

from tools.errors import FleetError
from tools.local.account import Account
from tools.sandbox import ACCOUNT, REGION

LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
TRACES = ("xray:PutTraceSegments", "xray:PutTelemetryRecords")
POLLS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


@dataclass(frozen=True, slots=True)
class Need:
    """An action that AWS takes in the name of a role, for the function or schedule `of`."""

    of: str
    role: str
    action: str
    resource: str


def check(account: Account) -> None:
    """Raise `FleetError` that names every right that a role lacks."""
    needs = chain(
        by_functions(account),
        by_queues(account),
        by_schedules(account),
    )
    faults = []
    for need in needs:
        if not account.allowed(need.role, need.action, need.resource):
            fault = f"the role of {need.of} lacks {need.action} on {need.resource}"
            faults.append(fault)
    if faults:
        heading = "on AWS this deployment would fail, or not work:"
        raise FleetError("\n".join([heading, *faults]))


def by_functions(account: Account) -> Iterator[Need]:
    """Yield what each function needs to log, to trace, and to record an event that it failed on."""
    for name, function in account.functions().items():
        role = function["Role"]
        streams = _log_streams(function)
        for action in LOGS:
            yield Need(name, role, action, streams)
        tracing = function["TracingConfig"]["Mode"]
        if tracing == "Active":
            for action in TRACES:
                yield Need(name, role, action, "*")
        for destination in _failure_destinations(account, name):
            yield Need(name, role, "sqs:SendMessage", destination)


def by_queues(account: Account) -> Iterator[Need]:
    """Yield what each function needs to be given the messages of its queue."""
    functions = account.functions()
    answer = account.lambda_.list_event_source_mappings()
    for mapping in answer["EventSourceMappings"]:
        _, _, name = mapping["FunctionArn"].rpartition(":")
        role = functions[name]["Role"]
        queue = mapping["EventSourceArn"]
        for action in POLLS:
            yield Need(name, role, action, queue)


def by_schedules(account: Account) -> Iterator[Need]:
    """Yield what each schedule needs to reach its target, and to record what never arrived."""
    for schedule in account.schedules():
        name = f"schedule {schedule['Name']}"
        target = schedule["Target"]
        role = target["RoleArn"]
        arn = target["Arn"]
        is_queue = ":sqs:" in arn
        action = "sqs:SendMessage" if is_queue else "lambda:InvokeFunction"
        yield Need(name, role, action, arn)
        dead_letter_config = target.get("DeadLetterConfig", {})
        dead_letters = dead_letter_config.get("Arn")
        if dead_letters:
            yield Need(name, role, "sqs:SendMessage", dead_letters)


def _log_streams(function: FunctionConfigurationTypeDef) -> str:
    """Return the ARN of any stream of the function's log group."""
    group = function["LoggingConfig"]["LogGroup"]
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}:log-stream:any"


def _failure_destinations(account: Account, name: str) -> Iterator[str]:
    """Yield the ARNs of the queues to which Lambda sends events that the function failed on."""
    answer = account.lambda_.list_function_event_invoke_configs(FunctionName=name)
    for config in answer["FunctionEventInvokeConfigs"]:
        destinations = config.get("DestinationConfig", {})
        on_failure = destinations.get("OnFailure", {})
        if "Destination" in on_failure:
            yield on_failure["Destination"]
