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


@dataclass(frozen=True, slots=True)
class Tap:
    """A queue that gets a copy of every event that matches a pattern."""

    sqs: "SQSClient"
    url: str
    progress: Progress

    def next(self, otherwise: str) -> dict[str, Any]:
        """Wait for the next event and return it. Raises `Failed` when none comes."""
        event: dict[str, Any] = self.progress.wait_for(self.receive, otherwise)
        return event

    def receive(self) -> dict[str, Any] | None:
        """Return the next event if it is there within a second."""
        answer = self.sqs.receive_message(QueueUrl=self.url, WaitTimeSeconds=1)
        if not answer.get("Messages"):
            return None
        message = answer["Messages"][0]
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        event: dict[str, Any] = json.loads(message["Body"])
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
        (stack,) = account.cloudformation.describe_stacks(StackName=STACK)["Stacks"]
        self.outputs = {
            output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])
        }
        self.progress = Progress(self._done, self._messages_on_their_way)
        self.wait_for = self.progress.wait_for

    def _done(self) -> tuple[int, int, int]:
        """Return what differs whenever the fleet has done anything."""
        return self.calls.mark(), len(self.destinations.deliveries), self._work()

    def _messages_on_their_way(self) -> dict[str, int]:
        """Return how many messages each queue has still to deliver, without the empty queues."""
        counts = {}
        for name, url in self.outputs.items():
            if name.endswith("Queue"):
                counts[name] = self.messages(url)
        return {name: count for name, count in counts.items() if count}

    def messages(self, queue_url: str) -> int:
        """Return how many messages a queue holds: visible, delayed, or in flight."""
        answer = self.account.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
        messages = 0
        for name, value in answer["Attributes"].items():
            if name.startswith("ApproximateNumberOfMessages"):
                messages += int(value)
        return messages

    def jobs(self) -> list[str]:
        """Return the names of the deployed jobs."""
        return sorted(self._functions())

    def called(self, since: int) -> set[Call]:
        """Return what the jobs have called of AWS since a mark of `calls`."""
        jobs = {}
        for job, function in self._functions().items():
            key = credentials(function)["aws_access_key_id"]
            jobs[key] = job
        return self.calls.since(since, jobs)

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
        function = self.account.lambda_.get_function_configuration(FunctionName=f"{STACK}-{job}")
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
        """Return the list of the job that a variable names, empty if there is none."""
        name = self.variables(job)[variable]
        try:
            return self.account.ssm.get_parameter(Name=name)["Parameter"]["Value"]
        except self.account.ssm.exceptions.ParameterNotFound:
            return "[]"

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

    def delivered(self, destination: str, text: str, count: int) -> list[Delivery]:
        """Wait until a destination accepted `count` requests with this text, and return them."""

        def accepted() -> list[Delivery]:
            return [
                delivery
                for delivery in self.destinations.of(destination)
                if delivery.accepted and text in json.dumps(delivery.body)
            ]

        self.wait_for(
            lambda: len(accepted()) >= count,
            f"{destination} did not accept {count} requests with {text!r}",
        )
        return accepted()

    def publish(self, event: dict[str, Any]) -> None:
        """Publish an event on the default bus; EventBridge gives it an id and a time of its own."""
        entry: PutEventsRequestEntryTypeDef = {
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "Resources": event.get("resources", []),
        }
        answer = self.account.events.put_events(Entries=[entry])
        expect(not answer["FailedEntryCount"], f"the event was refused: {answer['Entries']}")

    def send(self, queue_url: str, event: dict[str, Any]) -> None:
        """Put an event on a queue as a second delivery would: the same body, another message id."""
        self.account.sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(event))

    @contextmanager
    def tap(self, name: str, pattern: dict[str, Any]) -> Iterator[Tap]:
        """Copy the matching events of the default bus to a queue for a while."""
        sqs = self.account.sqs
        events = self.account.events
        rule = f"tap-{name}"
        url = sqs.create_queue(QueueName=rule)["QueueUrl"]
        queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{rule}"
        events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=rule, Targets=[{"Id": "tap", "Arn": queue}])
        try:
            yield Tap(sqs, url, self.progress)
        finally:
            events.remove_targets(Rule=rule, Ids=["tap"])
            events.delete_rule(Name=rule)
            sqs.delete_queue(QueueUrl=url)

    def report(self, job: str) -> list[dict[str, Any]]:
        """Run a scheduled job once and return the findings that it reports.

        A schedule made for it fires a second from now; it has the role, target and input of the
        job's own. Raises `Failed` when no report comes.
        """
        due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
        # Its own schedule may run the job meanwhile.
        detail = {"job": [job], "scheduled_at": [due.isoformat()]}
        pattern = {"source": ["fleet"], "detail-type": ["Job Report"], "detail": detail}
        with self.tap(job, pattern) as tap:
            self._schedule_once(job, due)
            report = tap.next(f"{job} was due at {due:%H:%M:%S} UTC and has not reported")
        findings: list[dict[str, Any]] = report["detail"]["findings"]
        say(f"  {job} reported {len(findings)} findings")
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
        letters = []
        for message in messages:
            letter = {"body": message["Body"]}
            for name, attribute in message.get("MessageAttributes", {}).items():
                letter[name] = attribute.get("StringValue", "")
            letters.append(letter)
        return [letter for letter in letters if letter.get("job") in jobs]

    def _receive_dead_letters(self) -> list["MessageTypeDef"]:
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
            if schedule["Target"]["Arn"].endswith(function):
                return schedule
        raise Failed(f"the template has no schedule for {job}")


def by_subject(findings: list[dict[str, Any]], field: str) -> dict[str, Any]:
    """Return a field of each finding by its subject, in their order."""
    return {finding["subject"]: finding[field] for finding in findings}


def sample(job: str) -> dict[str, Any]:
    """Return the event inside `tests/events/JOB.json`, out of the queue message that carries it."""
    event: dict[str, Any] = json.loads((ROOT / "tests" / "events" / f"{job}.json").read_text())
    if "Records" in event:
        event = json.loads(event["Records"][0]["body"])
    return event
