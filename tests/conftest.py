"""What the tests share: an AWS account that is nobody's, and what Lambda hands to a handler."""

import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import botocore.session
import pytest
from aws_lambda_powertools import Metrics
from hypothesis import settings
from moto import mock_aws
from tests.ledger_table import make_table
from tools.sandbox import ACCOUNT, ISOLATED, REGION
from xdist.scheduler import LoadScopeScheduling

from fleet import aws, secrets
from fleet.runtime.telemetry import logger

# The same examples in every run, on however slow a machine.
settings.register_profile("fleet", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("fleet")

# Each test makes new clients; without this, botocore would read all of its models each time.
botocore.session.create_loader = cache(botocore.session.create_loader)

Event = dict[str, Any]
# Files whose tests share a costly fixture, and so a process. The local fleet is started twice, as
# its tests wait more than they work: once for those that play the scenarios, once for the others.
TOGETHER = (
    ("tests/local/test_ending.py",),
    (
        "tests/local/test_console_pages.py",
        "tests/local/test_dead_letters.py",
        "tests/local/test_delivery.py",
        "tests/local/test_failures.py",
    ),
    ("tests/local/",),
    ("tests/fleet/test_new_job.py",),
    ("tests/delivery/test_killed.py",),
)
FIGURE = "figure"


class Scheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Hand out tests one by one, but what shares a costly fixture to one process."""

    def _split_scope(self, nodeid: str) -> str:
        for places in TOGETHER:
            if nodeid.startswith(places):
                return places[0]
        return nodeid


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--prove",
        action="store_true",
        help="prove the guarantees at full length, as make prove does",
    )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what tests measured, whichever process ran them."""
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
    ]
    if figures := [
        text for report in reports for name, text in report.user_properties if name == FIGURE
    ]:
        terminalreporter.section("figures")
        terminalreporter.write_line("\n".join(figures))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    # xdist's own groups (--dist loadgroup) do nothing with pytest 9.2:
    # https://github.com/pytest-dev/pytest-xdist/issues/1386
    return Scheduling(config, log)


def pytest_configure(config: pytest.Config) -> None:
    # The runtime ignores this too, but pytest resets the filters for each test.
    config.addinivalue_line("filterwarnings", "ignore:No application metrics to publish")


@dataclass
class Context:
    """Lambda's context object, as far as the runtime reads it."""

    function_name: str = "fleet-test-job"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:fleet-test-job"
    aws_request_id: str = "8f507cfc-xmpl-4697-b07a-ac58fc914c95"
    remaining_ms: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@pytest.fixture(scope="session")
def at_length(request: pytest.FixtureRequest) -> bool:
    """Whether this is `make prove`, which takes its time."""
    return bool(request.config.getoption("--prove"))


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say what a test measured: it stands at the end of what pytest shows."""
    return partial(record_property, FIGURE)


@pytest.fixture(autouse=True)
def _nobodys_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep real accounts out of reach, and what one test made or cached from the next."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in (ISOLATED | {"STAGE": "test"}).items():
        monkeypatch.setenv(name, value)
    for kept in (Metrics._metrics, Metrics._dimensions, Metrics._metadata):
        kept.clear()
    aws.client.cache_clear()  # type: ignore[attr-defined] # boto3's stubs stand in for the cached function
    aws._parameters.cache_clear()
    secrets._fetched.clear()


@pytest.fixture
def moto() -> Iterator[None]:
    """An empty account; S3, SQS, SSM, EventBridge and CodePipeline answer from memory."""
    with mock_aws():
        yield


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture
def dead_letters(moto: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Event]]:
    """The queue of dead letters; call it to receive what it holds, with all attributes."""
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="dead-letters")["QueueUrl"]
    monkeypatch.setenv("DEAD_LETTERS_URL", url)

    def received() -> list[Event]:
        answer = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        return [dict(message) for message in answer.get("Messages", [])]

    return received


@pytest.fixture
def published(moto: None) -> Callable[[], list[Event]]:
    """The default bus; call it to read, in their order, the fleet's events that were put there."""
    queue = aws.client("sqs").create_queue(QueueName="published")["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:published"
    aws.client("events").put_rule(Name="published", EventPattern='{"source": ["fleet"]}')
    aws.client("events").put_targets(Rule="published", Targets=[{"Id": "queue", "Arn": arn}])

    def events() -> list[Event]:
        answer = aws.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]

    return events


@pytest.fixture
def ledger(moto: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an empty ledger, which jobs find in their environment."""
    make_table("ledger")
    monkeypatch.setenv("LEDGER_TABLE", "ledger")
    return "ledger"


def batch(*bodies: str, attempts: int | list[int] = 1, queue: str = "jobs") -> Event:
    """Return the event by which Lambda hands over messages m0, m1, ... with these bodies, as a
    job's queue has them.
    """
    receipts = attempts if isinstance(attempts, list) else [attempts] * len(bodies)
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": f"receipt-{number}",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": str(count),
                    "SentTimestamp": "1795139674500",
                },
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
                "awsRegion": REGION,
            }
            for number, (body, count) in enumerate(zip(bodies, receipts, strict=True))
        ]
    }


@pytest.fixture
def sqs_event() -> Callable[..., Event]:
    """Make the event of a batch of messages."""
    return batch


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the job's logger writes."""
    written = io.StringIO()
    for handler in logger.handlers:
        monkeypatch.setattr(handler, "stream", written)
    return written
