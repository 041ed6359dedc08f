"""What AWS needs of the fleet's roles and the emulator never asks for: without it a deployment fails, or is mute."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from tools.errors import FleetError
from tools.local.account import Account
from tools.sandbox import ACCOUNT, REGION


@dataclass(frozen=True, slots=True)
class Need:
    """An action that AWS takes in the name of a role, for the function or schedule `of`."""

    of: str
    role: str
    action: str
    resource: str


def check(account: Account) -> None:
    """Raise `FleetError` that names every right which a role lacks."""
    needs = chain(by_functions(account), by_queues(account), by_schedules(account))
    missing = [need for need in needs if not account.allowed(need.role, need.action, need.resource)]
    if missing:
        lines = (
            f"the role of {need.of} lacks {need.action} on {need.resource}" for need in missing
        )
        raise FleetError("\n".join(["on AWS this deployment would fail, or not work:", *lines]))


def by_functions(account: Account) -> Iterator[Need]:
    """Yield what each function needs to log, to trace, and to leave an event that it failed on in the dead letters."""
    for name, function in account.functions().items():
        logs = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{function['LoggingConfig']['LogGroup']}:log-stream:any"
        rights = [("logs:CreateLogStream", logs), ("logs:PutLogEvents", logs)]
        if function["TracingConfig"]["Mode"] == "Active":
            rights += [("xray:PutTraceSegments", "*"), ("xray:PutTelemetryRecords", "*")]
        configs = account.lambda_.list_function_event_invoke_configs(FunctionName=name)[
            "FunctionEventInvokeConfigs"
        ]
        failures = (
            config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            for config in configs
        )
        rights += [("sqs:SendMessage", destination) for destination in failures if destination]
        yield from (Need(name, function["Role"], action, resource) for action, resource in rights)


def by_queues(account: Account) -> Iterator[Need]:
    """Yield what each function needs to be given the messages of its queue."""
    functions = account.functions()
    for mapping in account.lambda_.list_event_source_mappings()["EventSourceMappings"]:
        name = mapping["FunctionArn"].rsplit(":", 1)[-1]
        for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"):
            yield Need(name, functions[name]["Role"], action, mapping["EventSourceArn"])


def by_schedules(account: Account) -> Iterator[Need]:
    """Yield what each schedule needs to reach its function or queue, and to leave what it could not deliver."""
    for schedule in account.schedules():
        name, target = f"schedule {schedule['Name']}", schedule["Target"]
        action = "sqs:SendMessage" if ":sqs:" in target["Arn"] else "lambda:InvokeFunction"
        yield Need(name, target["RoleArn"], action, target["Arn"])
        if dead_letters := target.get("DeadLetterConfig", {}).get("Arn"):
            yield Need(name, target["RoleArn"], "sqs:SendMessage", dead_letters)
