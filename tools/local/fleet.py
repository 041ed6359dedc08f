"""A running fleet as a scenario sees it: its jobs, their triggers, and what they publish."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tools.local.account import Account, credentials
from tools.local.call_log import Call, CallLog
from tools.local.destinations import Delivery, Destinations
from tools.local.progress import Failed, Progress, expect
from tools.local.stack import STACK
from tools.paths import ROOT
from tools.sandbox import ACCOUNT, REGION
from tools.terminal import say

if TYPE_CHECKING:
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
    from mypy_boto3_lambda.type_defs import FunctionConfigurationTypeDef
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

Event = dict[str, Any]
"""An EventBridge event as JSON holds it."""

Finding = dict[str, Any]
"""A finding as a job's report holds it."""


@dataclass(frozen=True, slots=True)
class Tap:
    """A queue that gets a copy of every event that matches a pattern."""

    sqs: "SQSClient"
    url: str
    progress: Progress

    def next(self, otherwise: str) -> Event:
        """Wait for the next event and return it. Raises `Failed` when none comes."""
        event: Event = self.progress.wait_for(self.receive, otherwise)
        return event

    def receive(self) -> Event | None:
        """Return the next event if it is there within a second, otherwise None."""
        answer = self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=1)
        messages = answer.get("Messages")
        if not messages:
            return None
        message = messages[0]
        receipt = message["ReceiptHandle"]
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=receipt)
        event: Event = json.loads(message["Body"])
        return event


class Fleet:
    """The deployed fleet."""

    def __init__(
        self,
        account: Account,
        destinations: Destinations,
        calls: CallLog,
        work: Callable[[], int] = int,
    ) -> None:
        """Find the stack in this account.

        Its alerts go to `destinations`, and what it calls of AWS is in `calls`. `work` returns how
        much the processes of its functions have done so far, in any unit.
        """
        self.account = account
        self.destinations = destinations
        self.calls = calls
        self._work = work
        self.outputs = stack_outputs(account)
        self.progress = Progress(self._done, self._messages_on_their_way)
        self.wait_for = self.progress.wait_for

    def _done(self) -> tuple[int, int, int]:
        """Return what differs whenever the fleet has done anything."""
        calls = self.calls.mark()
        deliveries = len(self.destinations.deliveries)
        return calls, deliveries, self._work()

    def _messages_on_their_way(self) -> dict[str, int]:
        """Return how many messages each queue has still to deliver, without the empty queues."""
        counts = {}
        for name, url in self.outputs.items():
            if not name.endswith("Queue"):
                continue
            count = self.messages(url)
            if count:
                counts[name] = count
        return counts

    def messages(self, queue_url: str) -> int:
        """Return how many messages a queue holds: visible, delayed, or in flight."""
        answer = self.account.sqs.get_queue_attributes(
            QueueUrl=queue_url,
            AttributeNames=["All"],
        )
        messages = 0
        for name, value in answer["Attributes"].items():
            if name.startswith("ApproximateNumberOfMessages"):
                messages += int(value)
        return messages

    def jobs(self) -> list[str]:
        """Return the names of the deployed jobs."""
        return sorted(self._functions())

    def calls_since(self, mark: int) -> set[Call]:
        """Return what the jobs have called of AWS since a mark of `calls`."""
        jobs = {}
        for job, function in self._functions().items():
            key = credentials(function)["aws_access_key_id"]
            jobs[key] = job
        return self.calls.since(mark, jobs)

    def _functions(self) -> dict[str, "FunctionConfigurationTypeDef"]:
        """Return the deployed functions by the names of their jobs."""
        functions = {}
        for name, function in self.account.functions().items():
            stack, _, job = name.rpartition("-")
            if stack == STACK:
                functions[job] = function
        return functions

    def variables(self, job: str) -> dict[str, str]:
        """Return the job's environment variables."""
        name = f"{STACK}-{job}"
        function = self.account.lambda_.get_function_configuration(FunctionName=name)
        return function["Environment"]["Variables"]

    def renew(self, job: str, variables: Mapping[str, str]) -> None:
        """Set the job's environment variables, which ends its processes and their caches."""
        name = f"{STACK}-{job}"
        functions = self.account.lambda_
        functions.update_function_configuration(
            FunctionName=name,
            Environment={"Variables": variables},
        )

        def updated() -> bool:
            configuration = functions.get_function_configuration(FunctionName=name)
            return configuration["LastUpdateStatus"] == "Successful"

        self.wait_for(updated, f"{job} was not updated")

    def configure(self, job: str, variable: str, yaml: str) -> None:
        """Write a list of the job into the SSM parameter that a variable names, for use at once."""
        variables = self.variables(job)
        self.account.ssm.put_parameter(
            Name=variables[variable],
            Value=yaml,
            Type="String",
            Overwrite=True,
        )
        self.renew(job, variables)

    def configuration(self, job: str, variable: str) -> str:
        """Return the list of the job that a variable names, empty if it does not exist."""
        name = self.variables(job)[variable]
        ssm = self.account.ssm
        try:
            answer = ssm.get_parameter(Name=name)
        except ssm.exceptions.ParameterNotFound:
            return "[]"
        return answer["Parameter"]["Value"]

    def entrust(self, job: str, name: str, secret: str) -> str:
        """Write a secret where the job may read it; return the parameter's name."""
        parameter = f"/{STACK}/{job}/secrets/{name}"
        self.account.ssm.put_parameter(
            Name=parameter,
            Value=secret,
            Type="SecureString",
            Overwrite=True,
        )
        return parameter

    def wait_for_deliveries(self, destination: str, text: str, count: int) -> list[Delivery]:
        """Wait until a destination accepted `count` requests with this text, and return them."""

        def accepted() -> list[Delivery] | None:
            deliveries = []
            for delivery in self.destinations.of(destination):
                body = json.dumps(delivery.body)
                if delivery.accepted and text in body:
                    deliveries.append(delivery)
            return deliveries if len(deliveries) >= count else None

        missing = f"{destination} did not accept {count} requests with {text!r}"
        deliveries: list[Delivery] = self.wait_for(accepted, missing)
        return deliveries

    def publish(self, event: Event) -> None:
        """Publish an event on the default bus; EventBridge gives it an id and a time of its own."""
        entry: PutEventsRequestEntryTypeDef = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event.get("resources", []),
        }
        answer = self.account.events.put_events(Entries=[entry])
        expect(not answer["FailedEntryCount"], f"the event was refused: {answer['Entries']}")

    def send(self, queue_url: str, event: Event) -> None:
        """Put an event on a queue as a second delivery would: the same body, another message id."""
        body = json.dumps(event)
        self.account.sqs.send_message(QueueUrl=queue_url, MessageBody=body)

    @contextmanager
    def tap(self, name: str, pattern: dict[str, Any]) -> Iterator[Tap]:
        """Copy the matching events of the default bus to a queue for a while."""
        sqs = self.account.sqs
        events = self.account.events
        rule = f"tap-{name}"
        url = sqs.create_queue(QueueName=rule)["QueueUrl"]
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{rule}"
        events.put_rule(
            Name=rule,
            EventPattern=json.dumps(pattern),
        )
        events.put_targets(
            Rule=rule,
            Targets=[{"Id": "tap", "Arn": queue}],
        )
        try:
            yield Tap(sqs, url, self.progress)
        finally:
            events.remove_targets(Rule=rule, Ids=["tap"])
            events.delete_rule(Name=rule)
            sqs.delete_queue(QueueUrl=url)

    def report(self, job: str) -> list[Finding]:
        """Run a scheduled job once and return the findings that it reports.

        A schedule made for it fires a second from now; it has the role, target and input of the
        job's own. Raises `Failed` when no report comes.
        """
        now = datetime.now(UTC).replace(microsecond=0)
        due = now + timedelta(seconds=1)
        pattern = {
            "source": ["fleet"],
            "detail-type": ["Job Report"],
            # Its own schedule may run the job meanwhile.
            "detail": {"job": [job], "scheduled_at": [due.isoformat()]},
        }
        with self.tap(job, pattern) as tap:
            self._schedule_once(job, due)
            report = tap.next(f"{job} was due at {due:%H:%M:%S} UTC and has not reported")
        findings: list[Finding] = report["detail"]["findings"]
        noun = "finding" if len(findings) == 1 else "findings"
        say(f"  {job} reported {len(findings)} {noun}")
        return findings

    def report_nothing(self, job: str, why: str) -> None:
        """Run a scheduled job once. Raises `Failed`, which says `why`, if it reports findings."""
        findings = self.report(job)
        expect(not findings, f"{why}; reported: {findings}")

    def _schedule_once(self, job: str, due: datetime) -> None:
        target = self._schedule(job)["Target"]
        planned = f"{due:%Y-%m-%dT%H:%M:%SZ}"
        # The emulator leaves the keyword as it stands; AWS puts the planned time there.
        event = target.get("Input", "{}").replace("<aws.scheduler.scheduled-time>", planned)
        self.account.scheduler.create_schedule(
            Name=f"once-{job}-{due:%H%M%S}",
            ScheduleExpression=f"at({due:%Y-%m-%dT%H:%M:%S})",
            FlexibleTimeWindow={"Mode": "OFF"},
            ActionAfterCompletion="DELETE",
            Target={
                "Arn": target["Arn"],
                "RoleArn": target["RoleArn"],
                "Input": event,
            },
        )

    def dead_letters(self, *jobs: str) -> list[dict[str, str]]:
        """Return these jobs' dead letters as attributes and `body`, and leave them there."""
        messages: list[MessageTypeDef] = []
        while received := self._receive_dead_letters():
            messages += received
        self._return_dead_letters(messages)
        letters = [as_letter(message) for message in messages]
        return [letter for letter in letters if letter.get("job") in jobs]

    def _receive_dead_letters(self) -> list["MessageTypeDef"]:
        """Return some of the messages that are visible, and hide them for a minute."""
        answer = self.account.sqs.receive_message(
            QueueUrl=self.outputs["DeadLettersUrl"],
            MessageAttributeNames=["All"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=60,
        )
        return answer.get("Messages", [])

    def _return_dead_letters(self, messages: list["MessageTypeDef"]) -> None:
        """Let others see the messages again at once."""
        for message in messages:
            self.account.sqs.change_message_visibility(
                QueueUrl=self.outputs["DeadLettersUrl"],
                ReceiptHandle=message["ReceiptHandle"],
                VisibilityTimeout=0,
            )

    def _schedule(self, job: str) -> Any:
        function = f":function:{STACK}-{job}"
        for schedule in self.account.schedules():
            target = schedule["Target"]["Arn"]
            if target.endswith(function):
                return schedule
        raise Failed(f"the template has no schedule for {job}")


def stack_outputs(account: Account) -> dict[str, str]:
    """Return the outputs of the fleet's stack by their names."""
    answer = account.cloudformation.describe_stacks(StackName=STACK)
    (stack,) = answer["Stacks"]
    outputs = {}
    for output in stack.get("Outputs", []):
        key = output["OutputKey"]
        outputs[key] = output["OutputValue"]
    return outputs


def as_letter(message: "MessageTypeDef") -> dict[str, str]:
    """Return a dead letter's attributes by their names, and its `body`."""
    letter = {"body": message["Body"]}
    attributes = message.get("MessageAttributes", {})
    for name, attribute in attributes.items():
        letter[name] = attribute.get("StringValue", "")
    return letter


def by_subject(findings: list[Finding], field: str) -> dict[str, Any]:
    """Return a field of each finding by its subject, in their order."""
    return {finding["subject"]: finding[field] for finding in findings}


def sample(job: str) -> Event:
    """Return the event inside `tests/events/JOB.json`, out of the queue message that carries it."""
    file = ROOT / "tests" / "events" / f"{job}.json"
    event: Event = json.loads(file.read_text())
    if "Records" not in event:
        return event
    (message,) = event["Records"]
    carried: Event = json.loads(message["body"])
    return carried
