"""What a job cannot do is neither lost nor hidden."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from tools.local import logs
from tools.local.fleet import Fleet, sample
from tools.local.moto_codepipeline import add_pipeline, executions
from tools.local.scenarios.start_pipeline import request
from tools.local.stack import STACK

JOB = "start_pipeline"
LETTER = {
    "job",
    "reason",
    "error_type",
    "attempts",
    "first_seen",
    "source_arn",
    "message_id",
    "redrives",
}

pytestmark = pytest.mark.usefixtures("no_dead_letters")


def queue(fleet: Fleet) -> str:
    return fleet.outputs["StartPipelineQueue"]


def delivered(event: dict[str, Any]) -> str:
    """Return the event as its queue gets it."""
    facts = {"version": "0", "id": str(uuid4()), "account": "123456789012", "region": "eu-west-1"}
    return json.dumps({**facts, "time": "2026-11-20T06:00:00Z", "resources": [], **event})


def test_a_body_that_is_not_json_is_parked_unchanged(fleet: Fleet) -> None:
    body = '{"detail": "ünfinished \t<&> \'\n'
    sqs, sent = fleet.account.sqs, datetime.now(UTC)
    sqs.send_message(QueueUrl=queue(fleet), MessageBody=body)

    (letter,) = fleet.wait_for(lambda: fleet.dead_letters(JOB), "nothing was parked")

    assert set(letter) == {*LETTER, "body"}
    assert letter["body"] == body
    assert letter["job"] == JOB
    assert "JSON" in letter["reason"]
    assert letter["error_type"] == "Permanent"
    assert letter["attempts"] == "1"
    assert abs(datetime.fromisoformat(letter["first_seen"]) - sent) < timedelta(seconds=30)
    source = sqs.get_queue_attributes(QueueUrl=queue(fleet), AttributeNames=["QueueArn"])[
        "Attributes"
    ]["QueueArn"]
    assert letter["source_arn"] == source


def test_one_poison_message_in_a_batch_of_ten_harms_no_other(fleet: Fleet) -> None:
    add_pipeline("deploy-batch")
    bodies = [delivered(request("deploy-batch", NUMBER=str(number))) for number in range(10)]
    bodies[3] = delivered(
        {"source": "fleet", "detail-type": "Start Pipeline", "detail": {"pipeline": 3}}
    )

    with unattended(fleet):  # so that they are taken together
        fleet.account.sqs.send_message_batch(
            QueueUrl=queue(fleet),
            Entries=[
                {"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)
            ],
        )

    fleet.wait_for(lambda: len(executions("deploy-batch")) >= 9, "not every message had its effect")
    (letter,) = fleet.wait_for(lambda: fleet.dead_letters(JOB), "the poison message was not parked")
    assert letter["body"] == bodies[3]
    numbers = [start.variables["NUMBER"] for start in executions("deploy-batch")]
    assert sorted(numbers) == [str(number) for number in range(10) if number != 3]
    invocations = fleet.wait_for(
        lambda: starting(fleet, "deploy-batch"), "no log line mentions the batch"
    )
    assert len(invocations) == 1


@contextmanager
def unattended(fleet: Fleet) -> Iterator[None]:
    """Let messages gather in the job's queue for a while."""
    aws = fleet.account.lambda_
    (mapping,) = aws.list_event_source_mappings(FunctionName=f"{STACK}-{JOB}")[
        "EventSourceMappings"
    ]
    aws.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    try:
        yield
    finally:
        aws.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)


def starting(fleet: Fleet, pipeline: str) -> set[str]:
    """Return the ids of the invocations that say that they started this pipeline."""
    records = [
        json.loads(text) for *_, text in logs.lines(fleet.account, 0) if text.startswith("{")
    ]
    return {
        record["function_request_id"] for record in records if record.get("pipeline") == pipeline
    }


def test_a_malformed_list_keeps_messages_until_it_is_mended(fleet: Fleet) -> None:
    add_pipeline("deploy-repaired")
    fleet.configure(JOB, "ROUTES_PARAMETER", "- {repository: shop-*, pipeline: [")
    fleet.account.sqs.send_message(QueueUrl=queue(fleet), MessageBody=delivered(sample(JOB)))
    fleet.wait_for(lambda: attempts(fleet), "the message was not tried")
    assert held(fleet) == 1

    fleet.configure(JOB, "ROUTES_PARAMETER", "- {repository: '*', pipeline: deploy-repaired}")

    fleet.wait_for(lambda: executions("deploy-repaired"), "the message was not tried again")
    fleet.wait_for(lambda: held(fleet) == 0, "the message is still in its queue")
    assert fleet.dead_letters(JOB) == []


def attempts(fleet: Fleet) -> list[str]:
    """Return the log lines of attempts that failed for the list and will be repeated."""
    return [
        text
        for *_, text in logs.lines(fleet.account, 0)
        if "will be tried again" in text and "not YAML" in text
    ]


def held(fleet: Fleet) -> int:
    """Return the number of messages that the queue holds back until their next attempt."""
    answer = fleet.account.sqs.get_queue_attributes(QueueUrl=queue(fleet), AttributeNames=["All"])
    return int(answer["Attributes"]["ApproximateNumberOfMessagesNotVisible"])


def test_a_scheduled_job_with_a_wrong_setting_fails_and_reports_nothing(fleet: Fleet) -> None:
    job = "paused_pipelines"
    variables = fleet.variables(job)
    fleet.renew(job, {**variables, "PAUSED_HOURS": "soon"})
    try:
        with fleet.tap(
            "wrong-setting", {"source": ["fleet"], "detail-type": ["Job Report"]}
        ) as tap:
            answer = fleet.account.lambda_.invoke(FunctionName=f"{STACK}-{job}", Payload=b"{}")
            assert tap.receive() is None
    finally:
        fleet.renew(job, variables)

    assert answer["FunctionError"]
    error = json.load(answer["Payload"])
    assert "PAUSED_HOURS" in error["errorMessage"]
    assert "'soon'" in error["errorMessage"]
