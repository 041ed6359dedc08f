"""Functions that are killed, or outlive their message's visibility, at each moment that matters:
real processes.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import pytest
from moto.server import ThreadedMotoServer
from tests.delivery.killable_process import Moment
from tests.delivery.sinks import environment, put, sinks
from tests.ledger_table import make_table
from tests.sample_alerts import alert, event
from tools.local import moto_codepipeline as codepipeline
from tools.local.destinations import (
    PAGERDUTY,
    SLACK,
    SLACK_WEBHOOK,
    WEBHOOK,
    Delivery,
    Destinations,
    serving,
)
from tools.local.destinations import environment as reaching
from tools.manifest import ROOT
from tools.sandbox import ACCOUNT, ISOLATED, REGION

from fleet import aws

START, TRIAGE = "start_pipeline", "triage_alerts"
PIPELINE = "deploy-killed"
VISIBILITY_SECONDS = 360.0
DONE: dict[str, Any] = {"batchItemFailures": []}
NUMBER = re.compile(r"message n\d{6}")

Accepted = Callable[[], list[tuple[str, str]]]


@dataclass
class Account:
    """An account and destinations that outlive the functions, and what starts functions in it."""

    destinations: Destinations
    zygote: "subprocess.Popen[str]"
    url: str
    now: float = 0.0
    sent: int = 0
    alerts: list[dict[str, Any]] = field(default_factory=list)

    def order(self, **order: Any) -> dict[str, Any]:
        """Have a function do something; say what became of it."""
        assert self.zygote.stdin
        assert self.zygote.stdout
        self.zygote.stdin.write(json.dumps(order) + "\n")
        self.zygote.stdin.flush()
        outcome: dict[str, Any] = json.loads(self.zygote.stdout.readline())
        return outcome

    def give(
        self,
        subject: "Subject",
        message: dict[str, Any],
        moment: str = "",
        way: signal.Signals | None = None,
    ) -> dict[str, Any]:
        """Hand a message to a function of its own, which gets a signal at this moment; each is a
        timeout later.
        """
        self.now += VISIBILITY_SECONDS
        at = {
            "environment": subject.environment,
            "later": self.now,
            "moment": moment,
            "signal": way,
        }
        return self.order(job=subject.job, event=message, **at)

    def messages(self, count: int) -> list[str]:
        """Return so many new names of messages."""
        self.sent += count
        return [f"message n{number:06}" for number in range(self.sent - count, self.sent)]

    def published(self) -> list[dict[str, Any]]:
        """Return the alerts that triage published, oldest first."""
        sqs, queue = (
            aws.client("sqs"),
            aws.client("sqs").get_queue_url(QueueName="published")["QueueUrl"],
        )
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            self.alerts += [json.loads(message["Body"])["detail"] for message in messages]
        return self.alerts


@dataclass(frozen=True, slots=True)
class Subject:
    """A job, messages for it, and what its destination accepted: for which message, and by which
    key.
    """

    job: str
    environment: dict[str, str]
    body: Callable[[str], str]
    accepted: Accepted


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """Bring all up once."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    codepipeline.install()
    with serving() as destinations:
        queue = f"{url}/{ACCOUNT}/dead-letters"
        names = {
            "STAGE": "test",
            "LEDGER_TABLE": "ledger",
            "DEAD_LETTERS_URL": queue,
            "AWS_ENDPOINT_URL": url,
        }
        everything = {
            **ISOLATED,
            **names,
            **reaching(destinations),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        with (
            mock.patch.dict(os.environ, {**ISOLATED, **names}),
            subprocess.Popen(
                [sys.executable, "-m", "tests.delivery.killable_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={"PATH": os.environ.get("PATH", os.defpath), **everything},
                cwd=ROOT,
                text=True,
            ) as zygote,
            closing(zygote.stdin or sys.stdin),
        ):
            aws.client.cache_clear()  # type: ignore[attr-defined] # boto3's stubs stand in for the cached function
            set_up()
            aws.client.cache_clear()  # type: ignore[attr-defined]
            yield Account(destinations, zygote, url)
    server.stop()


def set_up() -> None:
    """Make what the jobs need; the default bus passes alerts on to a queue."""
    for name in ("dead-letters", "published"):
        aws.client("sqs").create_queue(QueueName=name)
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:published"
    aws.client("events").put_rule(Name="published", EventPattern='{"source": ["fleet"]}')
    aws.client("events").put_targets(Rule="published", Targets=[{"Id": "queue", "Arn": arn}])
    make_table("ledger")
    codepipeline.add_pipeline(PIPELINE)


@pytest.fixture
def running(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """The account, where this process finds it too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.url)
    return account


def subject(name: str, account: Account) -> Subject:
    """Set up a job and its destination."""
    if name == START:
        return Subject(START, {"ROUTES_PARAMETER": "/routes"}, push, started)
    if name == TRIAGE:
        return Subject(
            TRIAGE,
            {"OWNERS_PARAMETER": "/owners"},
            report,
            lambda: [(a["subject"], a["id"]) for a in account.published()],
        )
    sink = sinks(account.destinations.url)[name]
    entry = {
        key: f"/{name.replace(' ', '-')}" if value == "/secret" else value
        for key, value in sink.entry.items()
    }
    put(entry_name := f"/{name.replace(' ', '-')}/entries", json.dumps([entry]), "String")
    put(entry_name.removesuffix("/entries"), sink.secret)

    def accepted() -> list[tuple[str, str]]:
        taken = [delivery for delivery in account.destinations.of(name) if delivery.accepted]
        return [
            (NUMBER.findall(json.dumps(delivery.body))[0], key_of(delivery)) for delivery in taken
        ]

    return Subject(sink.job, {**environment(sink), sink.parameter: entry_name}, about, accepted)


def key_of(delivery: Delivery) -> str:
    """Return that by which the destination knows a repeat; Slack knows none."""
    match delivery.destination:
        case "webhook":
            return delivery.headers["webhook-id"]
        case "pagerduty":
            return str(delivery.body["dedup_key"])
    return str(delivery.at)


def about(number: str) -> str:
    return event(
        alert(id=f"id of {number}", dedup_key=f"jobs/{number}", title=number, subject=number)
    )


def push(number: str) -> str:
    detail = {"pipeline": PIPELINE, "variables": {"NUMBER": number}}
    return json.dumps(
        {
            "source": "fleet",
            "detail-type": "Start Pipeline",
            "id": f"id of {number}",
            "detail": detail,
        }
    )


def report(number: str) -> str:
    finding = {
        "subject": number,
        "title": f"{number} is wrong",
        "severity": "warning",
        "detail": {},
        "link": "",
    }
    detail = {
        "job": number.replace(" ", "_"),
        "scheduled_at": "2026-11-20T08:00:00+00:00",
        "findings": [finding],
    }
    return json.dumps(
        {"source": "fleet", "detail-type": "Job Report", "id": f"id of {number}", "detail": detail}
    )


def started() -> list[tuple[str, str]]:
    return [
        (start.variables["NUMBER"], start.execution or "")
        for start in codepipeline.starts(PIPELINE)
    ]


def moments(name: str) -> list[Moment]:
    """Return the moments that a job has: CodePipeline itself keeps the claims of start_pipeline."""
    return [moment for moment in Moment if name != START or moment is not Moment.BEFORE_CLAIM]


@pytest.mark.parametrize("name", [WEBHOOK, PAGERDUTY, START, TRIAGE, SLACK, SLACK_WEBHOOK])
def test_a_killed_attempt_is_repeated_and_a_key_makes_its_effect_one(
    name: str, running: Account, sqs_event: Any, at_length: bool, figure: Callable[[str], None]
) -> None:
    """The message comes again when its visibility timeout is over."""
    job, repeats = subject(name, running), {}
    for moment in moments(name):
        for number in (messages := running.messages(100 if at_length else 1)):
            body = job.body(number)
            assert running.give(job, sqs_event(body), moment, signal.SIGKILL) == {
                "killed": signal.SIGKILL
            }
            assert done(running, job, body, sqs_event)
        repeats[moment] = repeated(name, job, messages)
    figure(said(f"{name}: killed", repeats, len(messages)))
    assert "Messages" not in aws.client("sqs").receive_message(
        QueueUrl=f"{running.url}/{ACCOUNT}/dead-letters"
    )


@pytest.mark.parametrize("name", [WEBHOOK, PAGERDUTY, START, TRIAGE, SLACK, SLACK_WEBHOOK])
def test_an_attempt_that_outlives_its_visibility_and_overlaps_its_successor(
    name: str, running: Account, sqs_event: Any, at_length: bool, figure: Callable[[str], None]
) -> None:
    """It goes on when its successor is done; if it fails then, the message may come once more."""
    job, repeats = subject(name, running), {}
    for moment in moments(name) if at_length else [Moment.BEFORE_EFFECT]:
        for number in (messages := running.messages(25 if at_length else 1)):
            body = job.body(number)
            stopped = running.give(job, sqs_event(body), moment, signal.SIGSTOP)
            assert "stopped" in stopped
            assert done(running, job, body, sqs_event)
            assert running.order(**stopped) == {"answer": DONE} or done(
                running, job, body, sqs_event
            )
        repeats[moment] = repeated(name, job, messages)
    figure(said(f"{name}: overlapped by its successor", repeats, len(messages)))


def done(running: Account, job: Subject, body: str, sqs_event: Any) -> bool:
    """Give the message until it is done, four times at most: on a busy machine, a call of AWS may
    time out.
    """
    return any(
        running.give(job, sqs_event(body, attempts=n)) == {"answer": DONE} for n in range(2, 6)
    )


def repeated(name: str, job: Subject, messages: list[str]) -> int:
    """Hold that each message has its effect, and only one where there is a key; count what was
    accepted again.
    """
    accepted = [(message, key) for message, key in job.accepted() if message in messages]
    assert {message for message, _ in accepted} == set(messages)
    if name not in (SLACK, SLACK_WEBHOOK):
        assert Counter(message for message, _ in set(accepted)) == Counter(messages)
    return len(accepted) - len(messages)


def said(what: str, repeats: dict[Moment, int], times: int) -> str:
    counts = ", ".join(f"{count} {moment}" for moment, count in repeats.items())
    return f"{what} {times} times at each moment, none lost; accepted a second time: {counts}"
