"""Copies of the template, each with one protection taken away or weakened."""

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.fleet.template import REMOVED, Template, listed, merged

Weaker = Callable[[Any], object]
Path = tuple[str | int, ...]
ELSEWHERE = {"Fn::GetAtt": ["SomewhereElse", "Arn"]}


def to(value: object) -> Weaker:
    """Weaken anything to this."""
    return lambda _: value


def less_by(number: int) -> Weaker:
    """Weaken a number by so much."""
    return lambda value: value - number


def if_exists(conditions: dict[str, object]) -> object:
    """Weaken conditions to hold where the request says nothing."""
    return {f"{operator}IfExists": keys for operator, keys in conditions.items()}


def of_any_stack(arns: object) -> object:
    """Weaken patterns that name the stack to what any stack has."""
    return json.loads(
        json.dumps(arns).replace("${AWS::StackName}-", "").replace("${AWS::StackName}", "*")
    )


# What each protection is weakened to. A name stands for a property wherever it is; all of them are
# removed as well.
WEAKENED: dict[str, tuple[Weaker, ...]] = {
    # Redrive and dead letters.
    "RedrivePolicy": (to({}),),
    "deadLetterTargetArn": (to(ELSEWHERE),),
    "maxReceiveCount": (to(1), to(1000)),
    "DeadLetterConfig": (to({}),),
    "DeadLetterConfig/Arn": (to(ELSEWHERE),),
    "DestinationConfig": (to({}),),
    "OnFailure/Type": (to("SNS"),),
    "OnFailure/Destination": (to(ELSEWHERE),),
    # Visibility, partial batches, floods.
    "VisibilityTimeout": (to(0), to(30), less_by(1)),
    "FunctionResponseTypes": (to([]),),
    "ScalingConfig": (to({}),),
    # Retries.
    "RetryPolicy": (to({}),),
    "MaximumRetryAttempts": (to(0), to(1)),
    "MaximumEventAgeInSeconds": (to(60),),
    # Who may send, publish or act, and on what.
    "Principal": (to("*"), to({"AWS": "*"}), to({"Service": "*"})),
    "Condition": (to({}), if_exists),
    "aws:SourceArn": (to("*"), to("arn:aws:*:*:*:*"), of_any_stack),
    "aws:SourceAccount": (to("*"), to([{"Ref": "AWS::AccountId"}, "111111111111"])),
    "events:source": (to("aws.health"), to(["fleet", "aws.health"])),
    "events:detail-type": (to("Start Pipeline"), to(["Job Report", "Start Pipeline"])),
    "dynamodb:LeadingKeys": (to("*"), lambda keys: [*listed(keys), "*"]),
    "Action": (to("*"), lambda actions: [*listed(actions), "iam:PassRole"]),
    "Resource": (to("*"), of_any_stack),
    # Retention and encryption.
    "MessageRetentionPeriod": (to(60), to(345_600)),
    "RetentionInDays": (to(1),),
    "DeletionPolicy": (to("Delete"),),
    "UpdateReplacePolicy": (to("Delete"),),
    "SqsManagedSseEnabled": (to(False),),
    "SSESpecification": (to({"SSEEnabled": False}),),
    "PointInTimeRecoverySpecification": (to({"PointInTimeRecoveryEnabled": False}),),
    # Timeouts.
    "Timeout": (to(1), to(900)),
}
# What a rule says of a protection that was weakened, as a regular expression.
SAYS = {
    "RedrivePolicy": "does not end in DeadLetters",
    "deadLetterTargetArn": "does not end in DeadLetters",
    "maxReceiveCount": "set maxReceiveCount to 5",
    "DeadLetterConfig": "does not end in DeadLetters",
    "DeadLetterConfig/Arn": "does not end in DeadLetters",
    "DestinationConfig": "a failed asynchronous invocation is lost",
    "OnFailure/Type": "a failed asynchronous invocation is lost",
    "OnFailure/Destination": "a failed asynchronous invocation is lost",
    "VisibilityTimeout": "set VisibilityTimeout to",
    "FunctionResponseTypes": "one failure repeats the whole batch",
    "ScalingConfig": "set MaximumConcurrency",
    "RetryPolicy": "retries are left to a default: set Maximum",
    "MaximumRetryAttempts": "set MaximumRetryAttempts|another attempt deletes once more",
    "MaximumEventAgeInSeconds": "set MaximumEventAgeInSeconds",
    "Principal": "is no service|is any service",
    "Condition": "act for anybody|narrow (events:source|dynamodb:LeadingKeys)",
    "aws:SourceArn": "condition aws:SourceArn|of other stacks too",
    "aws:SourceAccount": "condition aws:SourceAccount",
    "events:source": "narrow events:source and events:detail-type",
    "events:detail-type": "narrow events:source and events:detail-type",
    "dynamodb:LeadingKeys": "narrow dynamodb:LeadingKeys",
    "Action": "permits more than is called|which .* never calls|do more than|no schedule does",
    "Resource": "are about everything|of other stacks too|may read|a queue of others",
    "MessageRetentionPeriod": "keeps messages for less than 14 days",
    "RetentionInDays": "keeps its lines for ever, or too briefly",
    "DeletionPolicy": "set (DeletionPolicy )?RetainExceptOnCreate",
    "UpdateReplacePolicy": "set UpdateReplacePolicy to Retain|UpdateReplacePolicy Retain",
    "SqsManagedSseEnabled": "is not encrypted",
    "SSESpecification": "set SSESpecification",
    "PointInTimeRecoverySpecification": "enable point-in-time recovery",
    "Timeout": "set Timeout to more than|its Timeout is not within",
}
# A policy without these is refused by AWS.
NEVER_REMOVED = {"Principal", "Action", "Resource"}
# Without its own, a function has that of all, which is no weaker.
INHERITED = {"Timeout"}
# These protect only what they retain.
POLICIES = {"DeletionPolicy", "UpdateReplacePolicy"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of the template."""

    path: Path
    value: Any

    def __str__(self) -> str:
        change = "removed" if self.value is REMOVED else f"= {self.value!r:.80}"
        return f"{'/'.join(map(str, self.path))} {change}"


def mutants(template: Template) -> Iterator[Mutant]:
    """Yield every change that takes away or weakens a protection."""
    for path, value in [*protections(template)]:
        new = [weaken(value) for weaken in WEAKENED[name_of(path)]]
        if path[-1] not in NEVER_REMOVED and not (path[0] == "Resources" and path[-1] in INHERITED):
            new.append(REMOVED)
        before = _as_deployed(path, template)
        for mutant in (Mutant(path, each) for each in new):
            with applied(mutant, template) as changed:
                differs = _as_deployed(path, changed) != before
            if differs:
                yield mutant


def protections(template: Template) -> Iterator[tuple[Path, Any]]:
    """Yield each protection that the template has, and where."""
    for part in ("Globals", "Resources"):
        yield from _found(template[part], (part,))


def name_of(path: Path) -> str:
    """Return the name by which `WEAKENED` knows the property, or nothing."""
    full = "/".join(map(str, path[-2:]))
    return next((name for name in (full, str(path[-1])) if name in WEAKENED), "")


@contextmanager
def applied(mutant: Mutant, template: Template) -> Iterator[Template]:
    """Change the template for a while."""
    place: Any = template
    for name in mutant.path[:-1]:
        place = place[name]
    name, before = mutant.path[-1], place[mutant.path[-1]]
    if mutant.value is REMOVED:
        del place[name]
    else:
        place[name] = mutant.value
    try:
        yield template
    finally:
        place[name] = before


def _as_deployed(path: Path, template: Template) -> object:
    """Return the part of the template that the path is in; of a function, with what it inherits."""
    part = template[str(path[0])][path[1]]
    if path[0] == "Resources" and part["Type"] == "AWS::Serverless::Function":
        part = merged(template["Globals"]["Function"], part["Properties"])
    return copy.deepcopy(part)


def _found(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for name, child in children:
        if name_of((*path, name)) and not _is_none(name, child):
            yield (*path, name), child
        yield from _found(child, (*path, name))


def _is_none(name: str | int, value: object) -> bool:
    """Whether a property protects nothing here: a resource's condition, or what may go."""
    return (name == "Condition" and isinstance(value, str)) or (
        name in POLICIES and "Retain" not in str(value)
    )
