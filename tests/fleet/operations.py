"""Which actions of AWS a module calls, read from its source without running it."""

import ast
from collections.abc import Iterator
from functools import cache

import botocore.session
from botocore import xform_name
from tests.fleet.source import dotted, imported

# Where IAM names an operation otherwise than its API does.
IAM_NAMES = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:DeleteObjects": "s3:DeleteObject",
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "tagging:GetResources": "tag:GetResources",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    # And the actions of its other parts.
    "dynamodb:TransactWriteItems": "dynamodb:ConditionCheckItem",
}
# What the layer calls for a job that uses this name of it.
OF_THE_LAYER = {
    "fleet.aws.read_parameter": {"ssm:GetParameter"},
    "fleet.aws.put_events": {"events:PutEvents"},
    "fleet.lists.entries": {"ssm:GetParameter"},
    "fleet.lists.parameter_text": {"ssm:GetParameter"},
    "fleet.secrets.using": {"ssm:GetParameter"},
    "fleet_endpoints.checks.check_all": {"ssm:GetParameter"},
    "fleet.runtime.scheduled.scheduled": {"events:PutEvents"},
    "fleet.runtime.scheduled.scatter": {"sqs:SendMessage", "sqs:ChangeMessageVisibility"},
    "fleet.runtime.queued.queued": {"sqs:ChangeMessageVisibility"},
    "fleet.sinks.to_first_route": {"ssm:GetParameter"},
    "fleet.deliveries.once": {"dynamodb:GetItem", "dynamodb:UpdateItem"},
    "fleet.ledger.table.Table": {
        *("dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:ConditionCheckItem"),
    },
    "fleet.ledger.table.last_reports": {"dynamodb:Query"},
    "fleet.dead_letters.park": {"sqs:SendMessage"},
    "fleet.dead_letters.journal.recorder": {"logs:CreateLogStream", "logs:PutLogEvents"},
    "fleet.dead_letters.looking.DeadLetters": {
        *("sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"),
    },
    "fleet.dead_letters.redrive.Redrive": {
        "sqs:DeleteMessage"
    },  # and what its origins take: only operators redrive
    "fleet.dead_letters.redrive.discard": {"sqs:DeleteMessage"},
}

MAKERS = {"boto3.client", "boto3.resource", "boto3.Session", "boto3.session.Session"}
NO_OPERATIONS = {"exceptions", "meta", "can_paginate", "close"}
NAMING_OPERATIONS = {"get_paginator", "generate_presigned_url"}


class Unclear(Exception):
    """What the source calls cannot be read from it."""


@cache
def actions(text: str) -> frozenset[str]:
    """Return the IAM actions of every call to AWS in a module's source. Raises `Unclear`."""
    tree = ast.parse(text)
    names = imported(tree)
    return frozenset((*_own(tree, names), *_of_names(tree, names)))


def _of_names(tree: ast.AST, names: dict[str, str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            name = dotted(node, names)
            if name in MAKERS:
                raise Unclear(
                    f"line {node.lineno}: makes a client of its own: use fleet.aws.client"
                )
            yield from OF_THE_LAYER.get(name, ())


def _own(tree: ast.AST, names: dict[str, str]) -> Iterator[str]:
    clients = _clients(tree, names)
    called = {node.func: node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not (
            service := _service(node.value, clients, names)
        ):
            continue
        if node.attr in NAMING_OPERATIONS:
            yield _action(service, _first_text(called.get(node), node), node)
        elif node.attr not in NO_OPERATIONS:
            yield _action(service, node.attr, node)


def _clients(tree: ast.AST, names: dict[str, str]) -> dict[str, str]:
    """Return the service of each variable, parameter and field that holds a client."""
    clients: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name, annotation=annotation) if annotation and (
                kind := _kind(annotation, names)
            ):
                clients[name] = kind
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation) if kind := _kind(
                annotation, names
            ):
                clients[name] = kind
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
                pairs = zip(targets, values, strict=True)
                clients |= {
                    t.id: made
                    for t, v in pairs
                    if isinstance(t, ast.Name) and (made := _made(v, names))
                }
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if made := _made(
                value, names
            ):
                clients[name] = made
            case ast.NamedExpr(target=ast.Name(id=name), value=value) if made := _made(
                value, names
            ):
                clients[name] = made
    return clients


def _service(node: ast.expr, clients: dict[str, str], names: dict[str, str]) -> str:
    match node:
        case ast.Name(id=name):
            return clients.get(name, "")
        case ast.Attribute(attr=name) if not dotted(node, names).startswith("fleet."):
            return clients.get(name, "")
    return _made(node, names)


def _made(node: ast.expr, names: dict[str, str]) -> str:
    """Return the service of a client that the expression makes, or nothing."""
    if isinstance(node, ast.Call) and dotted(node.func, names) == "fleet.aws.client":
        return _first_text(node, node)
    return ""


def _kind(annotation: ast.expr, names: dict[str, str]) -> str:
    """Return the service of an annotation such as `"S3Client"` of `mypy_boto3_s3`, or nothing."""
    if isinstance(annotation, ast.Constant):
        annotation = ast.parse(str(annotation.value), mode="eval").body
    package, _, kind = dotted(annotation, names).rpartition(".")
    return package.removeprefix("mypy_boto3_").replace("_", "-") if kind.endswith("Client") else ""


def _first_text(call: ast.Call | None, node: ast.AST) -> str:
    match call:
        case ast.Call(args=[ast.Constant(value=str(text)), *_]):
            return text
    raise Unclear(
        f"line {getattr(node, 'lineno', 0)}: name the service, or the operation, as a literal "
        "string"
    )


def _action(service: str, method: str, node: ast.Attribute) -> str:
    prefix, operations = _model(service)
    if method not in operations:
        raise Unclear(f"line {node.lineno}: {service} has no operation {method}")
    action = f"{prefix}:{operations[method]}"
    return IAM_NAMES.get(action, action)


@cache
def _model(service: str) -> tuple[str, dict[str, str]]:
    model = botocore.session.get_session().get_service_model(service)
    return model.signing_name, {
        xform_name(operation): operation for operation in model.operation_names
    }
