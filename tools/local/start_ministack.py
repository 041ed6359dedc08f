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
    method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> Any:
    """Answer an EventBridge request, remembering who sent it."""
    _by_operator.set(extract_access_key_id(headers, query) == OPERATOR)
    return await _handle_request(method, path, headers, body, query)


def put_events(data: dict[str, Any]) -> Any:
    """Answer PutEvents."""
    return _put_events(data, allow_aws_source=_by_operator.get())


def create_schedule(name: str, body: dict[str, Any]) -> Any:
    """Answer CreateSchedule."""
    answer = _create_schedule(name, body)
    if answer[0] == HTTPStatus.OK:
        made = scheduler._schedules[f"{body.get('GroupName', 'default')}/{name}"]
        made["CreationDate"] = made["LastModificationDate"] = min(
            made["CreationDate"], body.get("StartDate", math.inf)
        )
    return answer


def iam_action(service: str, *request: Any, **more: Any) -> Any:
    """Return the action that a policy must permit for a request."""
    action = _extract_iam_action(service, *request, **more)
    return action.removesuffix("Batch") if service == "sqs" and isinstance(action, str) else action


def condition_keys(
    service: str, action: str, body: bytes, parameters: dict[str, Any]
) -> dict[str, Any]:
    """Return the keys of a request that a policy's conditions may test."""
    keys: dict[str, Any] = _condition_keys(service, action, body, parameters)
    if action == "events:PutEvents":
        entries = json.loads(body)["Entries"]
        for key, member in (("events:source", "Source"), ("events:detail-type", "DetailType")):
            # AWS checks entry by entry; here a request whose entries differ has no such key, so a
            # condition refuses it.
            values = {entry.get(member) for entry in entries}
            keys |= {key: values.pop()} if len(values) == 1 else {}
    if service == "dynamodb" and (leading := sorted(set(leading_keys(json.loads(body))))):
        keys["dynamodb:LeadingKeys"] = leading
    return keys


def list_server_certificates(_: dict[str, Any]) -> Any:
    """Answer ListServerCertificates."""
    none = "<ServerCertificateMetadataList></ServerCertificateMetadataList>"
    all_shown = "<IsTruncated>false</IsTruncated>"
    result = f"<ListServerCertificatesResult>{none}{all_shown}</ListServerCertificatesResult>"
    return iam._xml(200, "ListServerCertificatesResponse", result, ns="iam")


def resource_arn(service: str, method: str, path: str, *request: Any) -> str:
    """Return the resource that a request is about."""
    if service == "backup" and (vault := re.match(r"/backup-vaults/([^/]+)", path)):
        *_, region, account = request
        return f"arn:aws:backup:{region}:{account}:backup-vault:{vault[1]}"
    arn = str(_extract_resource_arn(service, method, path, *request))
    return f"{arn}:" if service == "logs" and ":log-group:" in arn else arn


def leading_keys(request: dict[str, Any]) -> Iterator[str]:
    """Yield the partition that a request is about, or those of all its items.

    AWS checks a transaction item by item.
    """
    parts = [request]
    for item in request.get("TransactItems", []):
        parts += item.values()
    for part in parts:
        table = dynamodb._tables.get(part.get("TableName"))
        item = part.get("Key") or part.get("Item")
        condition = re.match(r"\w+ = (:\w+)", part.get("KeyConditionExpression", ""))
        if table and item:
            yield from item[table["pk_name"]].values()
        elif condition:
            placeholder = condition[1]
            yield from part["ExpressionAttributeValues"][placeholder].values()


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
        with CALLS.open("a") as file:
            file.write(json.dumps(decision) + "\n")
    return refusal


def unpacked(layer: dict[str, Any] | str) -> str:
    """Return the directory with the files of a layer's version, which never change."""
    arn = layer if isinstance(layer, str) else layer["Arn"]
    directory = LAYERS.absolute() / re.sub(r"\W", "-", arn)
    with _unpacking:
        if not directory.exists():
            draft = directory.with_suffix(".draft")
            with zipfile.ZipFile(io.BytesIO(lambda_svc._resolve_layer_zip(layer))) as archive:
                archive.extractall(draft)
            draft.rename(directory)
    return str(directory)


def spawn(worker: Any) -> None:
    """Start a function's process; it finds its layers by a variable of MiniStack's own."""
    config = worker.config
    layers = os.pathsep.join(map(unpacked, config.get("Layers", [])))
    variables = config.get("Environment", {}).get("Variables", {}) | {"_LAMBDA_LAYERS_DIRS": layers}
    worker.config = config | {"Layers": [], "Environment": {"Variables": variables}}
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
