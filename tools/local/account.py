"""The local AWS account as its operator sees it."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tools.sandbox import CONFIG, REGION, session

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import FunctionConfigurationTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient


class Account:
    """Clients of every service that the tools use, and what several of them ask."""

    def __init__(self, endpoint: str, services: dict[str, str]) -> None:
        """Reach the emulator at `endpoint`, and what it lacks by the variables `services`."""
        self.endpoint = endpoint
        self.services = services
        self.environment = {"AWS_ENDPOINT_URL": endpoint, **services}
        self.acm: ACMClient = self._client("acm")
        self.cloudformation: CloudFormationClient = self._client("cloudformation")
        self.dynamodb: DynamoDBClient = self._client("dynamodb")
        self.events: EventBridgeClient = self._client("events")
        self.iam: IAMClient = self._client("iam")
        self.lambda_: LambdaClient = self._client("lambda")
        self.logs: CloudWatchLogsClient = self._client("logs")
        self.s3: S3Client = self._client("s3")
        self.scheduler: EventBridgeSchedulerClient = self._client("scheduler")
        self.secretsmanager: SecretsManagerClient = self._client("secretsmanager")
        self.sns: SNSClient = self._client("sns")
        self.sqs: SQSClient = self._client("sqs")
        self.ssm: SSMClient = self._client("ssm")

    def _client(self, service: Any) -> Any:
        variable = f"AWS_ENDPOINT_URL_{service.upper()}"
        endpoint = self.services.get(variable, self.endpoint)
        return session().client(service, endpoint_url=endpoint, config=CONFIG)

    def make_bucket(self, name: str) -> None:
        """Create a bucket, unless it is there already."""
        place: Any = {"LocationConstraint": REGION}
        s3 = self.s3
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)

    def functions(self) -> dict[str, "FunctionConfigurationTypeDef"]:
        """Return every deployed function by its name."""
        functions = {}
        pages = self.lambda_.get_paginator("list_functions").paginate()
        for page in pages:
            for function in page["Functions"]:
                name = function["FunctionName"]
                functions[name] = function
        return functions

    def schedules(self) -> Iterator["GetScheduleOutputTypeDef"]:
        """Yield every deployed schedule."""
        pages = self.scheduler.get_paginator("list_schedules").paginate()
        for page in pages:
            for summary in page["Schedules"]:
                name = summary["Name"]
                group = summary["GroupName"]
                # One that runs once may be gone by now.
                with suppress(self.scheduler.exceptions.ResourceNotFoundException):
                    yield self.scheduler.get_schedule(Name=name, GroupName=group)

    def allowed(self, role_arn: str, action: str, resource: str) -> bool:
        """Return whether the role's policies allow the action on the resource."""
        answer = self.iam.simulate_principal_policy(
            PolicySourceArn=role_arn,
            ActionNames=[action],
            ResourceArns=[resource],
        )
        decisions = [result["EvalDecision"] for result in answer["EvaluationResults"]]
        return all(decision == "allowed" for decision in decisions)


def credentials(function: "FunctionConfigurationTypeDef") -> dict[str, str]:
    """Return what the emulator gives to a function in its role, as `boto3.Session` takes it."""
    arn = function["FunctionArn"]
    role = function["Role"]
    digest = _sha256(f"{arn}:{role}")
    return {
        "aws_access_key_id": f"ASIA{digest[:16].upper()}",
        "aws_secret_access_key": _sha256(f"secret:{digest}"),
        "aws_session_token": _sha256(f"token:{digest}"),
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
