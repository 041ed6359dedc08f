"""Scheduled jobs and rules, under all that AWS documents of invocations that nobody waits for."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import chain, repeat
from typing import Any

import pytest
from functions.triage_alerts.app import handler as triage
from tests.conftest import Context
from tests.delivery.simulated_retries import Deliveries, Invocations, Throttled
from tests.fleet.template import Properties, events, functions, real
from tests.ledger_table import make_table
from tools.manifest import snake_case
from tools.sandbox import ACCOUNT, REGION

from fleet import aws
from fleet.dead_letters.letters import Letter, Route
from fleet.dead_letters.looking import DeadLetters, Sweep
from fleet.dead_letters.redrive import Manner, Redrive, Selection, Step
from fleet.findings import Finding, Severity
from fleet.runtime.scheduled import Run, scheduled

SCHEDULED = {
    snake_case(name): function
    for name, function in functions(real())
    if any(events(function, "ScheduleV2"))
}
# One job for each way in which the template has its function tried again.
DISTINCT = list(
    {json.dumps(function["EventInvokeConfig"]): job for job, function in SCHEDULED.items()}.values()
)
OCCURRENCE = json.dumps({"scheduled_at": "2026-11-20T08:00:00Z"})
Published = Callable[[], list[dict[str, Any]]]
Triaged = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def dead(moto: None, monkeypatch: pytest.MonkeyPatch) -> DeadLetters:
    """The queue of dead letters, without waiting for more."""
    monkeypatch.setattr("fleet.dead_letters.looking.POLL_SECONDS", 0)
    return DeadLetters(
        aws.client("sqs"), aws.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
    )


@pytest.fixture
def triaged(
    published: Published, sqs_event: Any, context: Context, monkeypatch: pytest.MonkeyPatch
) -> Triaged:
    """Hand what was published to triage; return the alerts that it made of it."""
    make_table("ledger")
    for name, value in (("LEDGER_TABLE", "ledger"), ("OWNERS_PARAMETER", "/owners")):
        monkeypatch.setenv(name, value)

    def hand() -> list[dict[str, Any]]:
        for event in published():
            assert triage(sqs_event(json.dumps(event)), context) == {"batchItemFailures": []}
        return [event["detail"] for event in published()]

    return hand


def invocations(
    job: str, function: Properties, dead: DeadLetters, *failures: Exception
) -> Invocations:
    """Return the invocations of a job that finds one thing, after it has failed so."""
    outcomes: Iterator[Exception | None] = chain(failures, repeat(None))

    @scheduled
    def look(_: Run) -> list[Finding]:
        if failure := next(outcomes):
            raise failure
        return [Finding("billing-api", "billing-api is paused", Severity.WARNING)]

    config = function["EventInvokeConfig"]
    return Invocations(
        job,
        look,
        config["MaximumRetryAttempts"],
        config["MaximumEventAgeInSeconds"],
        dead.url,
        now=1_795_000_000.0,
    )


def letters(dead: DeadLetters) -> list[Letter]:
    return [held.letter for _, held in Sweep(dead)]


def redrive(dead: DeadLetters, client: Any) -> list[Step]:
    """Send all letters back."""
    run = Redrive(
        dead, Selection(), Manner(canary=False, wait=0), datetime.now(UTC), lambda _: client
    )
    return [outcome.step for outcome in run]


@pytest.mark.parametrize("job", DISTINCT)
def test_what_fails_each_time_is_recorded_and_a_redrive_reports_it(
    job: str,
    dead: DeadLetters,
    triaged: Triaged,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str], None],
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", job)
    permitted = 1 + SCHEDULED[job]["EventInvokeConfig"]["MaximumRetryAttempts"]
    queue = invocations(
        job, SCHEDULED[job], dead, *[RuntimeError("the list is not YAML")] * permitted
    )
    queue.deliver(OCCURRENCE)

    (letter,) = letters(dead)
    assert (letter.route, letter.job, letter.attempts) == (Route.INVOCATION, job, permitted)
    assert (letter.error_type, letter.reason) == ("RuntimeError", "the list is not YAML")
    assert [later - queue.attempts[0] for later in queue.attempts] == [0, 60, 180][:permitted]
    assert redrive(dead, queue) == [Step.SENT]
    assert [alert["status"] for alert in triaged()] == ["opened"]
    assert letters(dead) == []
    figure(f"{job}: failed {permitted} times as AWS tries, recorded once, redriven, one alert")


def test_what_fails_once_or_twice_is_reported_by_the_next_attempt(
    dead: DeadLetters, triaged: Triaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "paused_pipelines")
    failures = [RuntimeError("once"), RuntimeError("twice")]
    invocations("paused_pipelines", SCHEDULED["paused_pipelines"], dead, *failures).deliver(
        OCCURRENCE
    )
    assert [alert["status"] for alert in triaged()] == ["opened"]
    assert letters(dead) == []


def test_what_is_throttled_until_it_is_too_old_is_recorded_and_was_never_tried(
    dead: DeadLetters, triaged: Triaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "paused_pipelines")
    queue = invocations("paused_pipelines", SCHEDULED["paused_pipelines"], dead)
    queue.throttled_until = queue.now + 2 * queue.age
    queue.deliver(OCCURRENCE)

    (letter,) = letters(dead)
    assert (letter.job, letter.error_type, letter.attempts) == (
        "paused_pipelines",
        "EventAgeExceeded",
        0,
    )
    queue.throttled_until = 0
    assert redrive(dead, queue) == [Step.SENT]
    assert [alert["status"] for alert in triaged()] == ["opened"]


@pytest.mark.parametrize("job", DISTINCT)
def test_the_same_occurrence_five_times_is_one_alert(
    job: str,
    dead: DeadLetters,
    triaged: Triaged,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str], None],
) -> None:
    """Without an error, and with one after the report was published."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", job)
    queue = invocations(job, SCHEDULED[job], dead)
    queue.deliver(OCCURRENCE, times=4)
    with monkeypatch.context() as patch:
        patch.setattr("fleet.runtime.scheduled.count", lambda **_: 1 / 0)
        queue.deliver(OCCURRENCE)
    alerts = triaged()
    assert [alert["status"] for alert in alerts] == ["opened"]
    figure(
        f"{job}: one occurrence of its schedule, "
        f"reported {len(queue.attempts)} times, is {len(alerts)} alert"
    )


@pytest.mark.parametrize("job", DISTINCT)
def test_a_schedule_that_cannot_start_its_function_ends_in_the_dead_letters(
    job: str, dead: DeadLetters, triaged: Triaged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", job)
    (schedule,) = events(SCHEDULED[job], "ScheduleV2")
    queue, policy = invocations(job, SCHEDULED[job], dead), schedule["RetryPolicy"]
    arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/fleet-local-{job}"
    scheduler = Deliveries(
        throttled, policy["MaximumRetryAttempts"], policy["MaximumEventAgeInSeconds"], dead.url,
        {
            "SCHEDULE_ARN": arn, "TARGET_ARN": queue.arn,
            "SCHEDULED_TIME": "2026-11-20T08:00:00Z", "EXECUTION_ID": "x",
        },
    )  # fmt: skip
    scheduler.deliver(OCCURRENCE)

    (letter,) = letters(dead)
    assert (letter.route, letter.job, letter.error_type) == (Route.SCHEDULE, job, "THROTTLED")
    assert letter.attempts == scheduler.attempts == 1 + policy["MaximumRetryAttempts"]
    assert redrive(dead, queue) == [Step.SENT]
    assert [alert["status"] for alert in triaged()] == ["opened"]


def throttled(_: str) -> None:
    raise Throttled("Rate exceeded")


def test_what_a_rule_could_not_deliver_or_delivered_twice_is_one_alert(
    dead: DeadLetters, triaged: Triaged, published: Published, sqs_event: Any, context: Context,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "triage_alerts")
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName="fleet-local-triage_alerts")["QueueUrl"]
    body = json.dumps(
        {
            "version": "0", "id": "e1", "time": "2026-11-20T08:00:00Z",
            "source": "aws.codepipeline", "account": ACCOUNT, "region": REGION,
            "detail-type": "CodePipeline Pipeline Execution State Change", "resources": [],
            "detail": {"pipeline": "deploy-shop", "state": "FAILED", "execution-id": "x"},
        }
    )  # fmt: skip
    (target,) = real()["Resources"]["TriageAlertsOnResource"]["Properties"]["Targets"]
    policy = target["RetryPolicy"]
    origin = {
        "RULE_ARN": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/pipeline",
        "TARGET_ARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:fleet-local-triage_alerts",
    }
    bridge = Deliveries(
        throttled,
        policy["MaximumRetryAttempts"],
        policy["MaximumEventAgeInSeconds"],
        dead.url,
        origin,
    )
    bridge.deliver(body)
    (letter,) = letters(dead)
    assert (letter.route, letter.job, letter.attempts) == (
        Route.RULE,
        "triage_alerts",
        bridge.attempts,
    )
    bridge.send = lambda text: sqs.send_message(QueueUrl=queue, MessageBody=text)
    bridge.deliver(body, times=2)
    assert redrive(dead, sqs) == [Step.SENT]

    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert len(messages) == 3
    assert triage(sqs_event(*[each["Body"] for each in messages]), context) == {
        "batchItemFailures": []
    }
    assert [event["detail"]["status"] for event in published()] == ["opened"]
