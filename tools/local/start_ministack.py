"""Start MiniStack as the local fleet needs it. Run by the emulator environment's Python, never imported.

- It ends, with every function process, when its standard input closes: no way of killing the fleet leaves it behind.
- The operator may publish events in the name of AWS services; MiniStack itself emits none for ECR and others.
- IAM knows SQS's batches by the action of one message, as in AWS: `sqs:ChangeMessageVisibility` permits a batch too.
- A policy may narrow PutEvents by the condition keys `events:source` and `events:detail-type`.
- Scheduler looks for due schedules each second instead of every ten.
- A schedule that starts in the past, which AWS would refuse, counts as made then: else all of a new account were new.
- The operator may say at what time a request to IAM or Secrets Manager happens, in the header `X-Fleet-Now` (seconds
  since 1970), so that a key can be old.
"""
# ruff: noqa: SLF001 - MiniStack's insides are what this changes; its version is pinned.

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

from ministack import app  # type: ignore[import-not-found]  # of another environment
from ministack.core import iam_actions  # type: ignore[import-not-found]
from ministack.core.router import extract_access_key_id  # type: ignore[import-not-found]
from ministack.services import (  # type: ignore[import-not-found]
    eventbridge,
    iam,
    scheduler,
    secretsmanager,
)

OPERATOR = "test"

_by_operator = ContextVar("by_operator", default=False)
_said = ContextVar[float | None]("said", default=None)
_condition_keys = iam_actions.request_tag_context
_extract_iam_action = iam_actions.extract_iam_action
_handle_request = eventbridge.handle_request
_put_events = eventbridge._put_events
_create_schedule = scheduler._create_schedule


async def handle_request(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
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
        made["CreationDate"] = made["LastModificationDate"] = min(made["CreationDate"], body.get("StartDate", math.inf))
    return answer


def iam_action(service: str, *request: Any, **more: Any) -> Any:
    """Return the action that a policy must permit for a request."""
    action = _extract_iam_action(service, *request, **more)
    return action.removesuffix("Batch") if service == "sqs" and isinstance(action, str) else action


def condition_keys(service: str, action: str, body: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a request that a policy's conditions may test."""
    keys: dict[str, Any] = _condition_keys(service, action, body, parameters)
    if action == "events:PutEvents":
        entries = json.loads(body)["Entries"]
        for key, member in (("events:source", "Source"), ("events:detail-type", "DetailType")):
            # AWS checks entry by entry; here a request whose entries differ has no such key, so a condition refuses it.
            values = {entry.get(member) for entry in entries}
            keys |= {key: values.pop()} if len(values) == 1 else {}
    return keys


def dated(answer: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Make a service answer each request at the time that the operator says."""

    async def handle(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        by_operator = extract_access_key_id(headers, query) == OPERATOR
        _said.set(float(headers["x-fleet-now"]) if by_operator and "x-fleet-now" in headers else None)
        return await answer(method, path, headers, body, query)

    return handle


def now() -> float:
    """Return the time that the operator said for this request, or the clock's."""
    said = _said.get()
    return time.time() if said is None else said


def end_with_parent() -> None:
    """Kill this process group once the other end of standard input is gone."""
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=end_with_parent, daemon=True).start()
    iam_actions.extract_iam_action = iam_action
    iam_actions.request_tag_context = condition_keys
    eventbridge.handle_request = handle_request
    eventbridge._put_events = put_events
    scheduler._create_schedule = create_schedule
    scheduler._SCHEDULE_TICK_INTERVAL = 1
    iam.handle_request, secretsmanager.handle_request = dated(iam.handle_request), dated(secretsmanager.handle_request)
    iam._now = lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now()))
    secretsmanager.time = SimpleNamespace(time=now, gmtime=time.gmtime, strftime=time.strftime)
    # It would set the level of the functions' logs as well; MiniStack has read it by now.
    del os.environ["LOG_LEVEL"]
    app.main()
