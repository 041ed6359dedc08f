"""Start MiniStack as the local fleet needs it. Run by the emulator environment's Python, never
imported.

- It ends, with every function process, when its standard input closes: no way of killing the fleet
  leaves it behind.
- The operator may publish events in the name of AWS services; MiniStack itself emits none for ECR
  and others.
- IAM knows SQS's batches by the action of one message, as in AWS: `sqs:ChangeMessageVisibility`
  permits a batch too.
- IAM reads the vault of a request to Backup from its path, where all but its creation name it.
- IAM takes a log group for its ARN with `:*` behind it, as AWS does in policies.
- IAM answers ListServerCertificates, and has none.
- A policy may narrow PutEvents by the condition keys `events:source` and `events:detail-type`, and
  access to single items of DynamoDB by `dynamodb:LeadingKeys`.
- What IAM decides on each call with a function's key is appended to `calls.jsonl`, see
  `tools.local.call_log`.
- Scheduler looks for due schedules each second instead of every ten.
- A schedule that starts in the past, which AWS would refuse, counts as made then: else all of a new
  account were new.
- A layer is unpacked once for all function processes, not again for each, so they also share its
  compiled modules.
"""

# ruff: noqa: SLF001 - MiniStack's insides are what this changes; its version is pinned.

import io
import json
import math
import os
import re
import signal
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextvars import ContextVar
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ministack import app  # type: ignore[import-not-found]  # of another environment
from ministack.core import (  # type: ignore[import-not-found]
    iam_actions,
    iam_evaluator,
    lambda_runtime,
)
from ministack.core.router import extract_access_key_id  # type: ignore[import-not-found]
from ministack.services import (  # type: ignore[import-not-found]
    dynamodb,
    eventbridge,
    iam,
    lambda_svc,
    scheduler,
)

Json = dict[str, Any]

OPERATOR = "test"
CALLS = Path("calls.jsonl")
LAYERS = Path("layers")

_by_operator = ContextVar("by_operator", default=False)
_unpacking = threading.Lock()
_enforce = iam_evaluator.enforce
_condition_keys = iam_actions.request_tag_context
_extract_iam_action = iam_actions.extract_iam_action
_extract_resource_arn = iam_actions.extract_resource_arn
_handle_request = eventbridge.handle_request
_put_events = eventbridge._put_events
_create_schedule = scheduler._create_schedule
_spawn = lambda_runtime.Worker._spawn


async def handle_request(
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query: Json,
) -> Any:
    """Answer an EventBridge request, remembering who sent it."""
    key = extract_access_key_id(headers, query)
    _by_operator.set(key == OPERATOR)
    return await _handle_request(method, path, headers, body, query)


def put_events(data: Json) -> Any:
    """Answer PutEvents."""
    by_operator = _by_operator.get()
    return _put_events(data, allow_aws_source=by_operator)


def create_schedule(name: str, body: Json) -> Any:
    """Answer CreateSchedule."""
    answer = _create_schedule(name, body)
    status = answer[0]
    if status == HTTPStatus.OK:
        group = body.get("GroupName", "default")
        schedule = scheduler._schedules[f"{group}/{name}"]
        start = body.get("StartDate", math.inf)
        created = min(schedule["CreationDate"], start)
        schedule["CreationDate"] = created
        schedule["LastModificationDate"] = created
    return answer


def iam_action(service: str, *request: Any, **more: Any) -> Any:
    """Return the action that a policy must permit for a request."""
    action = _extract_iam_action(service, *request, **more)
    if service == "sqs" and isinstance(action, str):
        return action.removesuffix("Batch")
    return action


def condition_keys(
    service: str,
    action: str,
    body: bytes,
    parameters: Json,
) -> Json:
    """Return the keys of a request that a policy's conditions may test."""
    keys: Json = _condition_keys(service, action, body, parameters)
    if action == "events:PutEvents":
        entries = json.loads(body)["Entries"]
        add_common_value(keys, "events:source", entries, "Source")
        add_common_value(keys, "events:detail-type", entries, "DetailType")
    if service == "dynamodb":
        request = json.loads(body)
        leading = set(leading_keys(request))
        if leading:
            keys["dynamodb:LeadingKeys"] = sorted(leading)
    return keys


def add_common_value(keys: Json, key: str, entries: list[Json], member: str) -> None:
    """Add the value that a member has in all entries as a condition key, if they agree.

    AWS checks entry by entry; here a request whose entries differ has no such key, so a condition
    refuses it.
    """
    values = {entry.get(member) for entry in entries}
    if len(values) == 1:
        keys[key] = values.pop()


def list_server_certificates(_: Json) -> Any:
    """Answer ListServerCertificates."""
    none = "<ServerCertificateMetadataList></ServerCertificateMetadataList>"
    all_shown = "<IsTruncated>false</IsTruncated>"
    result = f"<ListServerCertificatesResult>{none}{all_shown}</ListServerCertificatesResult>"
    return iam._xml(200, "ListServerCertificatesResponse", result, ns="iam")


def resource_arn(service: str, method: str, path: str, *request: Any) -> str:
    """Return the resource that a request is about."""
    vault = re.match(r"/backup-vaults/([^/]+)", path)
    if service == "backup" and vault:
        *_, region, account = request
        name = vault[1]
        return f"arn:aws:backup:{region}:{account}:backup-vault:{name}"
    arn = str(_extract_resource_arn(service, method, path, *request))
    if service == "logs" and ":log-group:" in arn:
        return f"{arn}:"
    return arn


def leading_keys(request: Json) -> Iterator[str]:
    """Yield the partition that a request is about, or those of all its items.

    AWS checks a transaction item by item.
    """
    parts = [request]
    for item in request.get("TransactItems", []):
        parts += item.values()
    for part in parts:
        table = dynamodb._tables.get(part.get("TableName"))
        item = part.get("Key") or part.get("Item")
        expression = part.get("KeyConditionExpression", "")
        condition = re.match(r"\w+ = (:\w+)", expression)
        if table and item:
            partition_key = table["pk_name"]
            yield from item[partition_key].values()
        elif condition:
            placeholder = condition[1]
            values = part["ExpressionAttributeValues"]
            yield from values[placeholder].values()


def enforce(key: str, action: str, *place: Any, **about: Any) -> Any:
    """Decide on a call, and write the decision down."""
    refusal = _enforce(key, action, *place, **about)
    if key and key != OPERATOR:
        decision = {
            "key": key,
            "action": action,
            "resource": about.get("resource_arn", "*"),
            "allowed": not refusal,
        }
        line = json.dumps(decision)
        with CALLS.open("a") as file:
            file.write(f"{line}\n")
    return refusal


def unpack(layer: Json | str) -> str:
    """Return the directory with the files of a layer's version, which never change."""
    arn = layer if isinstance(layer, str) else layer["Arn"]
    name = re.sub(r"\W", "-", arn)
    directory = LAYERS.absolute() / name
    with _unpacking:
        if directory.exists():
            return str(directory)
        draft = directory.with_suffix(".draft")
        content = lambda_svc._resolve_layer_zip(layer)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            archive.extractall(draft)
        draft.rename(directory)
    return str(directory)


def spawn(worker: Any) -> None:
    """Start a function's process; it finds its layers by a variable of MiniStack's own."""
    config = worker.config
    directories = [unpack(layer) for layer in config.get("Layers", [])]
    environment = config.get("Environment", {})
    variables = {
        **environment.get("Variables", {}),
        "_LAMBDA_LAYERS_DIRS": os.pathsep.join(directories),
    }
    worker.config = {
        **config,
        "Layers": [],
        "Environment": {"Variables": variables},
    }
    try:
        _spawn(worker)
    finally:
        worker.config = config


def end_with_parent() -> None:
    """Kill this process group once the other end of standard input is gone."""
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    iam_actions.extract_iam_action = iam_action
    iam_actions.extract_resource_arn = resource_arn
    iam_actions.request_tag_context = condition_keys
    iam_evaluator.enforce = enforce
    eventbridge.handle_request = handle_request
    eventbridge._put_events = put_events
    scheduler._create_schedule = create_schedule
    iam._IAM_HANDLERS["ListServerCertificates"] = list_server_certificates
    scheduler._SCHEDULE_TICK_INTERVAL = 1
    lambda_runtime.Worker._spawn = spawn
    # It would set the level of the functions' logs as well; MiniStack has read it by now.
    del os.environ["LOG_LEVEL"]
    app.main()
