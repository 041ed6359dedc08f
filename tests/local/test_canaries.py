"""No secret leaves by any way but the one that it is for, whatever a destination repeats of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from tests.local.conftest import Played
from tools.local.destinations import PAGERDUTY, Answer, Delivery
from tools.local.fleet import Fleet, sample
from tools.local.stack import STACK, jobs
from tools.manifest import snake_case

CANARY = "canary-of-c0al-mine-7f3e"
POISON = f'{{"password": "{CANARY}", '
# Whatever it is given, triage tells people of it.
TELLING = {"triage_alerts"}
# By their protocols: PagerDuty takes its key in the event itself.
MEANT = {PAGERDUTY: {"routing_key"}}


def secrets(fleet: Fleet) -> dict[str, str]:
    """Return every secret that the scenarios entrusted to a job, by its name."""
    pages = fleet.account.ssm.get_paginator("get_parameters_by_path").paginate(
        Path=f"/{STACK}", Recursive=True, WithDecryption=True
    )
    found = [parameter for page in pages for parameter in page["Parameters"]]
    return {each["Name"]: each["Value"] for each in found if each["Type"] == "SecureString"}


def told(fleet: Fleet) -> Iterator[tuple[str, str]]:
    """Yield each text that the fleet has written or sent since it was started, but for dead
    letters, and where.
    """
    logs = fleet.account.logs
    for group in logs.describe_log_groups()["logGroups"]:
        for page in logs.get_paginator("filter_log_events").paginate(
            logGroupName=group["logGroupName"]
        ):
            for event in page["events"]:
                kind = "metrics" if event["message"].startswith('{"_aws"') else "log line"
                yield kind, event["message"]
    for part in fleet.account.dynamodb.get_paginator("scan").paginate(
        TableName=fleet.outputs["LedgerTable"]
    ):
        yield from (("ledger", json.dumps(item)) for item in part["Items"])
    for delivery in fleet.destinations.deliveries:
        yield delivery.destination, json.dumps(sent(delivery))


def sent(delivery: Delivery) -> Any:
    """Return the body of a request without what is meant to be a secret."""
    if not isinstance(delivery.body, dict):
        return delivery.body
    return {
        name: value
        for name, value in delivery.body.items()
        if name not in MEANT.get(delivery.destination, ())
    }


@contextmanager
def repeating(fleet: Fleet) -> Iterator[None]:
    """Have each destination fail for a while, first as if that might pass, and repeat what it was
    sent.
    """
    busy: set[str] = set()

    def answer(destination: str) -> Answer:
        if destination in busy:
            return Answer(400, manner="echo")
        busy.add(destination)
        return Answer(503, headers={"Retry-After": "0"}, manner="echo")

    usual, fleet.destinations.choose = fleet.destinations.choose, answer
    try:
        yield
    finally:
        fleet.destinations.choose = usual


def planted(event: dict[str, Any], **detail: str) -> dict[str, Any]:
    """Return a new event like this one, with the canary in a field that nobody knows."""
    if "detail" not in event:
        return {**event, "password": CANARY}
    new = {name: uuid4().hex for name in ("id", "dedup_key") if name in event["detail"]}
    return {**event, "password": CANARY, "detail": {**event["detail"], **new, **detail}}


def queues(fleet: Fleet) -> dict[str, str]:
    """Return the queue of each queue job."""
    suffix = "Queue"
    urls = fleet.outputs.items()
    return {
        snake_case(name.removesuffix(suffix)): url for name, url in urls if name.endswith(suffix)
    }


@pytest.mark.usefixtures("no_dead_letters")
def test_no_secret_is_told(fleet: Fleet, played: Played) -> None:
    letters: list[dict[str, str]] = []

    def parked(text: str, *by: str) -> bool:
        letters.extend(letter for letter in fleet.dead_letters(*jobs()) if letter not in letters)
        return set(by) <= {letter["job"] for letter in letters if text in letter["body"]}

    sinks = {job for job in jobs() if job.startswith("notify_")}
    alert = planted(sample("notify_pagerduty"))  # critical: it goes everywhere
    with repeating(fleet):
        fleet.publish(alert)
        fleet.wait_for(
            lambda: parked(alert["detail"]["id"], *sinks), "not every sink gave the alert up"
        )
    repeated = [letter["reason"] for letter in letters if "[secret]" in letter["reason"]]
    assert len(repeated) >= 2, (
        f"Slack and PagerDuty repeated the secrets that they were sent: {letters}"
    )

    for job, url in queues(fleet).items():
        fleet.send(url, planted(sample(job)))
        fleet.send(url, planted(sample(job), password=CANARY))
        if job not in TELLING:
            fleet.account.sqs.send_message(QueueUrl=url, MessageBody=POISON)
    refusing = set(queues(fleet)) - TELLING
    fleet.wait_for(lambda: parked(POISON, *refusing), "not every queue job parked what is no event")
    for job in set(jobs()) - set(queues(fleet)):
        event = json.dumps({**sample(job), "password": CANARY})
        fleet.account.lambda_.invoke(FunctionName=f"{STACK}-{job}", Payload=event)

    texts = [
        *told(fleet),
        *(("dead letter", json.dumps({**letter, "body": ""})) for letter in letters),
    ]
    texts += [
        ("body of a dead letter", letter["body"].replace(CANARY, "")) for letter in letters
    ]  # it stays as it came
    kept = {**secrets(fleet), "canary": CANARY}
    leaks = [
        f"{name} in a {place}: {text:.2000}"
        for place, text in texts
        for name, value in kept.items()
        if value in text
    ]
    assert not leaks, "\n".join(leaks)
    assert {place for place, _ in texts} >= {"log line", "metrics", "ledger", PAGERDUTY}
