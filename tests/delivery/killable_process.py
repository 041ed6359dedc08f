"""A process that handles one message, and gets a signal at a chosen moment.

`python -m tests.delivery.killable_process` is a process that has imported the jobs and has no
threads; it forks a victim for each line of its input, and says on its output what became of it: a
victim costs milliseconds.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from fleet import aws, deliveries, http
from fleet.ledger.table import Table

CONTEXT = SimpleNamespace(
    function_name="fleet-test-job",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:fleet-test-job",
    aws_request_id="8f507cfc-xmpl-4697-b07a-ac58fc914c95",
    get_remaining_time_in_millis=lambda: 60_000,
)


class Moment(StrEnum):
    """When the signal comes."""

    BEFORE_EFFECT = "before the effect"
    AFTER_EFFECT = "after the effect"
    BEFORE_CLAIM = "before the claim is saved"
    BEFORE_RETURN = "before the return"


IMPORTED_LATE = (
    "aws_lambda_powertools.utilities.parameters",
    "cattrs",
    "cattrs.gen",
    "encodings.idna",
    "yaml",
)
JOBS = ("notify_pagerduty", "notify_slack", "notify_webhook", "start_pipeline", "triage_alerts")


def parts(job: str) -> tuple[tuple[Any, str], tuple[Any, str] | None]:
    """Return the functions that have the job's effect and save its claim; CodePipeline keeps the
    claims on itself.
    """
    match job:
        case "start_pipeline":
            return (aws.client("codepipeline"), "start_pipeline_execution"), None
        case "triage_alerts":
            return (import_module("functions.triage_alerts.app"), "publish"), (Table, "commit")
    return (http, "post"), (deliveries, "_unlock")


def interrupt(
    place: tuple[Any, str], before: Callable[[], None], after: Callable[[], None]
) -> None:
    """Call something before and after a function."""
    usual = getattr(*place)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        before()
        answer = usual(*arguments, **named)
        after()
        return answer

    setattr(*place, wrapped)


def attempt(order: dict[str, Any]) -> Any:
    """Handle the message; the order says with which environment, at what time, and what happens
    when.
    """
    os.environ.update(order["environment"])
    setattr(deliveries, "time", SimpleNamespace(time=lambda: time.time() + order["later"]))  # noqa: B010 - mypy knows it as a module
    awaited = {order["moment"]}

    def reached(moment: Moment) -> Callable[[], None]:
        def act() -> None:
            if moment in awaited:
                awaited.clear()
                os.kill(os.getpid(), order["signal"])

        return act

    effect, claim = parts(order["job"])
    interrupt(effect, reached(Moment.BEFORE_EFFECT), reached(Moment.AFTER_EFFECT))
    if claim:
        interrupt(claim, reached(Moment.BEFORE_CLAIM), lambda: None)
    answer = import_module(f"functions.{order['job']}.app").handler(order["event"], CONTEXT)
    reached(Moment.BEFORE_RETURN)()
    return answer


def main() -> None:
    """Fork a victim for each order, or wait for one that was stopped."""
    said = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the jobs' log lines go
    answers: dict[int, int] = {}
    for module in (*IMPORTED_LATE, *(f"functions.{job}.app" for job in JOBS)):
        import_module(module)
    for service in ("codepipeline", "dynamodb", "events", "sqs", "ssm"):
        aws.client(service)  # made, and not yet connected
    for line in sys.stdin:
        order = json.loads(line)
        if (victim := order.get("stopped")) is None:
            answers_from, answers_to = os.pipe()
            if not (victim := os.fork()):
                os.write(answers_to, json.dumps(attempt(order)).encode())
                os._exit(0)
            os.close(answers_to)
            answers[victim] = answers_from
        else:
            os.kill(victim, signal.SIGCONT)
        _, status = os.waitpid(victim, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            outcome: dict[str, Any] = {"stopped": victim}
        else:
            with os.fdopen(answers.pop(victim)) as pipe:
                outcome = (
                    {"killed": os.WTERMSIG(status)}
                    if os.WIFSIGNALED(status)
                    else {"answer": json.load(pipe)}
                )
        print(json.dumps(outcome), file=said)


if __name__ == "__main__":
    main()
