"""What each job may do in the running fleet is what it does there, and nothing else.

The emulator decides on every call by the roles as they are deployed, and each decision is written
down.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from itertools import chain, product
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.fleet.template import listed
from tests.local.conftest import Played
from tools.local import role_checks
from tools.local.account import credentials
from tools.local.call_log import Call
from tools.local.fleet import Fleet
from tools.local.stack import ARTIFACTS, STACK, jobs
from tools.sandbox import ACCOUNT, CONFIG, REGION, session

# The runtime makes these for whatever queue job fails: that one job needed them shows that they are
# needed.
OF_THE_RUNTIME = {"sqs:ChangeMessageVisibility"}
# Operators may start any job and send to any queue of the stack: that one was shows that the
# console needs it.
OF_OPERATORS = {
    "lambda:InvokeFunction",
    "sns:Publish",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:SendMessage",
}
REFUSALS = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
}


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """An action that a job's deployed role permits on a resource, which may hold wildcards."""

    job: str
    action: str
    resource: str
    conditional: bool

    def covers(self, call: Call) -> bool:
        """Whether the call is one that this right is for."""
        if self.job == "console" and self.action in OF_OPERATORS:
            return (call.job, call.action) == (self.job, self.action)
        own = call.job == self.job or call.action in OF_THE_RUNTIME
        resource = (
            call.resource.replace(call.job, self.job)
            if call.action in OF_THE_RUNTIME
            else call.resource
        )
        return own and call.action == self.action and fnmatchcase(resource, self.resource)


def rights(fleet: Fleet, job: str) -> Iterator[Right]:
    """Yield every right of a job, as it is deployed."""
    role = fleet.account.functions()[f"{STACK}-{job}"]["Role"].rsplit("/", 1)[-1]
    for statement in (
        statement for document in documents(fleet, role) for statement in document["Statement"]
    ):
        for action, resource in product(listed(statement["Action"]), listed(statement["Resource"])):
            yield Right(job, action, resource, "Condition" in statement)


def documents(fleet: Fleet, role: str) -> Iterator[Any]:
    """Yield the policies of a role, its own and the managed ones."""
    iam = fleet.account.iam
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        yield iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        arn = attached["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        yield iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def by_aws(fleet: Fleet) -> set[Call]:
    """What AWS itself does in the name of the jobs' roles; the emulator does it without asking."""
    needs = chain(role_checks.by_functions(fleet.account), role_checks.by_queues(fleet.account))
    return {
        Call(need.of.removeprefix(f"{STACK}-"), need.action, need.resource, allowed=True)
        for need in needs
    }


@dataclass(frozen=True, slots=True)
class Attempt:
    """Something that hardly a job has to do."""

    action: str
    resource: str
    service: str
    operation: str
    parameters: dict[str, Any]


def attempts(fleet: Fleet, job: str, other: str) -> Iterator[Attempt]:
    """Yield what a job that somebody else controls might try: at itself, at another job, and at
    what all share.
    """
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter"
    for name in (
        f"/{STACK}/{other}/entries",
        f"/{STACK}/{other}/routes",
        f"/{STACK}/{other}/secrets/token",
    ):
        yield Attempt(
            "ssm:GetParameter", f"{parameter}{name}", "ssm", "get_parameter", {"Name": name}
        )
    own = {"Name": f"/{STACK}/{job}/entries", "Value": "[]", "Overwrite": True}
    yield Attempt("ssm:PutParameter", f"{parameter}{own['Name']}", "ssm", "put_parameter", own)

    for name, url in fleet.outputs.items():
        if url.startswith("http") and f"{STACK}-{job}" not in url:
            arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{url.rsplit('/', 1)[-1]}"
            yield Attempt("sqs:ReceiveMessage", arn, "sqs", "receive_message", {"QueueUrl": url})
            if name == "DeadLettersUrl":
                yield Attempt("sqs:PurgeQueue", arn, "sqs", "purge_queue", {"QueueUrl": url})
            else:
                message = {"QueueUrl": url, "MessageBody": "forged"}
                yield Attempt("sqs:SendMessage", arn, "sqs", "send_message", message)

    forged = {"Source": "fleet", "DetailType": "Start Pipeline", "Detail": "{}"}
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"
    yield Attempt("events:PutEvents", bus, "events", "put_events", {"Entries": [forged]})

    table = fleet.outputs["LedgerTable"]
    arn, row = (
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}",
        {"pk": {"S": "nobody#"}, "sk": {"S": "x"}},
    )
    reading, writing = {"TableName": table, "Key": row}, {"TableName": table, "Item": row}
    query = {"KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": row["pk"]}}
    yield Attempt("dynamodb:GetItem", arn, "dynamodb", "get_item", reading)
    yield Attempt("dynamodb:Query", arn, "dynamodb", "query", {"TableName": table, **query})
    yield Attempt("dynamodb:DeleteItem", arn, "dynamodb", "delete_item", reading)
    yield Attempt("dynamodb:PutItem", arn, "dynamodb", "put_item", writing)
    yield Attempt("dynamodb:Scan", arn, "dynamodb", "scan", {"TableName": table})

    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}"
    called, mine = (
        {"FunctionName": f"{STACK}-{other}", "Payload": b"{}"},
        {"FunctionName": f"{STACK}-{job}"},
    )
    yield Attempt("lambda:InvokeFunction", f"{function}-{other}", "lambda", "invoke", called)
    yield Attempt(
        "lambda:UpdateFunctionConfiguration",
        f"{function}-{job}",
        "lambda",
        "update_function_configuration",
        mine,
    )

    role = fleet.account.functions()[f"{STACK}-{job}"]["Role"]
    policy = {"RoleName": role.rsplit("/", 1)[-1], "PolicyName": "job", "PolicyDocument": "{}"}
    yield Attempt("iam:PutRolePolicy", role, "iam", "put_role_policy", policy)
    for each in {schedule["Target"]["RoleArn"] for schedule in fleet.account.schedules()}:
        assumed = {"RoleArn": each, "RoleSessionName": job}
        yield Attempt("sts:AssumeRole", each, "sts", "assume_role", assumed)

    yield Attempt(
        "s3:ListBucket", f"arn:aws:s3:::{ARTIFACTS}", "s3", "list_objects_v2", {"Bucket": ARTIFACTS}
    )
    group = f"/fleet/{STACK}"
    yield Attempt(
        "logs:DeleteLogGroup",
        f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}",
        "logs",
        "delete_log_group",
        {"logGroupName": group},
    )
    topic = fleet.outputs["AlertsTopicArn"]
    yield Attempt("sns:Publish", topic, "sns", "publish", {"TopicArn": topic, "Message": "forged"})
    yield Attempt(
        "codepipeline:StartPipelineExecution",
        f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:production",
        "codepipeline",
        "start_pipeline_execution",
        {"name": "production"},
    )


class Impostor:
    """Anybody who has the credentials of a job."""

    session = session()

    def __init__(self, fleet: Fleet, job: str) -> None:
        self.environment = fleet.account.environment
        self.credentials: Any = credentials(fleet.account.functions()[f"{STACK}-{job}"])
        self.clients: dict[str, Any] = {}

    def is_refused(self, attempt: Attempt) -> bool:
        """Whether the emulator denies it; any other answer, even an error, means that it was let
        through.
        """
        try:
            getattr(self._client(attempt.service), attempt.operation)(**attempt.parameters)
        except ClientError as error:
            return error.response["Error"]["Code"] in REFUSALS
        return False

    def _client(self, service: Any) -> Any:
        if service not in self.clients:
            endpoint = self.environment.get(
                f"AWS_ENDPOINT_URL_{service.upper()}", self.environment["AWS_ENDPOINT_URL"]
            )
            make = partial(self.session.client, service, config=CONFIG, endpoint_url=endpoint)
            self.clients[service] = make(**self.credentials)
        return self.clients[service]


@pytest.mark.usefixtures("played", "no_dead_letters")
@pytest.mark.parametrize("job", jobs())
def test_a_job_is_denied_what_is_not_its_own(fleet: Fleet, job: str) -> None:
    """Its own is what its policy names, in full and without a condition: a wildcard makes nothing
    its own.
    """
    everybody = jobs()
    other, impostor = everybody[everybody.index(job) - 1], Impostor(fleet, job)
    own = {(right.action, right.resource) for right in rights(fleet, job) if not right.conditional}
    operating = OF_OPERATORS if job == "console" else set()
    tried = [
        attempt
        for attempt in attempts(fleet, job, other)
        if (attempt.action, attempt.resource) not in own and attempt.action not in operating
    ]

    assert [each for each in tried if not impostor.is_refused(each)] == []
    assert len({each.action for each in tried}) >= 5
    assert len({each.resource for each in tried}) >= 5
    letter = {"QueueUrl": fleet.outputs["DeadLettersUrl"], "MessageBody": "permitted"}
    permitted = Attempt("sqs:SendMessage", "", "sqs", "send_message", letter)
    assert not impostor.is_refused(permitted), (
        "even what the job may do was refused, so a refusal says nothing"
    )


@pytest.mark.usefixtures("no_dead_letters")
def test_a_queue_takes_nothing_from_a_topic_that_its_policy_does_not_name(fleet: Fleet) -> None:
    """The emulator asks the queue's policy for topics and buckets, not for rules: see
    tests/fleet/test_senders.py.
    """
    sns, letters = fleet.account.sns, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-dead-letters"
    foreign = sns.create_topic(Name="foreign")["TopicArn"]
    for topic, text in ((foreign, "forged"), (fleet.outputs["AlertsTopicArn"], "ours")):
        subscription = sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=letters,
            Attributes={"RawMessageDelivery": "true"},
        )
        sns.publish(TopicArn=topic, Message=text)
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    sns.delete_topic(TopicArn=foreign)

    received = fleet.wait_for(lambda: bodies(fleet), "not even our own topic could deliver")
    assert received == ["ours"]


def bodies(fleet: Fleet) -> list[str]:
    answer = fleet.account.sqs.receive_message(
        QueueUrl=fleet.outputs["DeadLettersUrl"], MaxNumberOfMessages=10
    )
    return [message["Body"] for message in answer.get("Messages", [])]


def test_every_right_is_used(fleet: Fleet, played: Played) -> None:
    assert {
        each.job: each.detail for each in played.outcomes.values() if each.outcome != "ok"
    } == {}
    used = [call for call in played.calls | by_aws(fleet) if call.allowed]

    unused = [
        right for job in jobs() for right in rights(fleet, job) if not any(map(right.covers, used))
    ]

    assert not unused, "\n".join(
        f"{right.job} never needs {right.action} on {right.resource}: "
        "take it away, or let its scenario need it"
        for right in unused
    )


def test_no_job_calls_what_it_may_not(played: Played) -> None:
    assert played.calls
    assert sorted(call for call in played.calls if not call.allowed) == []
