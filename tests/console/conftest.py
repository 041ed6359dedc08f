"""A small fleet in moto's memory, and the console that shows it."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from functions.console.app import create_app
from moto import mock_aws
from tests.ledger_table import make_table
from tools.sandbox import ACCOUNT, REGION

from fleet import aws
from fleet.alerts import Observation, Status
from fleet.dead_letters import Parked, looking, park
from fleet.findings import Finding, Report, Severity
from fleet.ledger.table import Table
from fleet_console import operations
from fleet_triage.life import Rules
from fleet_triage.protocol import Triage

STACK = "fleet-test"
SCHEDULED, QUEUED = "paused_pipelines", "start_pipeline"
WRITE = {"Fleet-Console": "1"}


@dataclass
class Account:
    """What the tests put there, and where."""

    ledger: Table
    dead_letters: str
    queue: str

    def report(self, job: str, *findings: Finding, at: datetime) -> None:
        """Let triage apply a job's report."""
        self._triage(at).report(Report(job, at, findings), f"{job}-{at:%H%M%S%f}")

    def observe(self, seen: Observation) -> None:
        """Let triage apply what AWS told."""
        self._triage(seen.at).observe(seen)

    def park(self, body: str, reason: str = "no pipeline 'web' 17", redrives: int = 0) -> None:
        """Put a letter of the queue job into the dead letters."""
        arn = aws.client("sqs").get_queue_attributes(
            QueueUrl=self.queue, AttributeNames=["QueueArn"]
        )["Attributes"]
        park(Parked(body, QUEUED, reason, "Permanent", 5, datetime.now(UTC), arn["QueueArn"]))

    def messages(self) -> list[str]:
        """Receive what is on the queue job's queue."""
        answer = aws.client("sqs").receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    def _triage(self, now: datetime) -> Triage:
        return Triage(self.ledger, lambda _: None, lambda _: "", Rules(), now)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """A fleet of which two jobs are deployed: one with a schedule, one with a queue."""
    monkeypatch.setattr(looking, "POLL_SECONDS", 0)
    monkeypatch.setattr(operations, "CANARY_SECONDS", 0.0)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "console")
    with mock_aws(config={"lambda": {"use_docker": False}}):
        sqs = aws.client("sqs")
        letters = sqs.create_queue(QueueName=f"{STACK}-dead-letters")["QueueUrl"]
        queue = sqs.create_queue(QueueName=f"{STACK}-{QUEUED}")["QueueUrl"]
        aws.client("logs").create_log_group(logGroupName=f"/fleet/{STACK}")
        aws.client("scheduler").create_schedule(
            Name=f"{STACK}-{SCHEDULED}",
            ScheduleExpression="cron(0 8,20 * * ? *)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={
                "Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-{SCHEDULED}",
                "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/scheduler",
                "Input": '{"scheduled_at": "<aws.scheduler.scheduled-time>"}',
            },
        )
        monkeypatch.setenv("DEAD_LETTERS_URL", letters)
        monkeypatch.setenv("LEDGER_TABLE", "ledger")
        monkeypatch.setenv("STACK", STACK)
        yield Account(make_table("ledger"), letters, queue)


@pytest.fixture
def function(account: Account) -> None:
    """The function of the job with a schedule."""
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = aws.client("iam").create_role(RoleName="job", AssumeRolePolicyDocument=trust)["Role"][
        "Arn"
    ]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): ...")
    aws.client("lambda").create_function(
        FunctionName=f"{STACK}-{SCHEDULED}",
        Role=role,
        Runtime="python3.13",
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"PAUSED_HOURS": "24"}},
    )


@pytest.fixture
def console(account: Account) -> Flask:
    return create_app()


@pytest.fixture
def client(console: Flask) -> FlaskClient:
    return console.test_client()


def failing(
    subject: str, at: datetime, severity: Severity = Severity.WARNING, **facts: Any
) -> Observation:
    """An alarm that fails."""
    status = facts.pop("status", Status.FAILING)
    title = facts.pop("title", f"{subject} fails")
    return Observation(
        "aws.cloudwatch", subject, status, severity, title, at, f"{subject}{at}", **facts
    )


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)
