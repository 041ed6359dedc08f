"""The local AWS account as its operator sees it."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress

from mypy_boto3_lambda.type_defs import FunctionConfigurationTypeDef
from mypy_boto3_scheduler.type_defs import GetScheduleOutputTypeDef

from tools.sandbox import CONFIG, REGION, session


class Account:
    """Clients of every service that the tools use, and what several of them ask."""

    def __init__(self, endpoint: str, services: dict[str, str]) -> None:
        """Reach the emulator at `endpoint`, and what it lacks by the variables `services`."""
        self.endpoint, self.services = endpoint, services
        self.environment = {"AWS_ENDPOINT_URL": endpoint, **services}
        aws = session()
        self.acm = aws.client(
            "acm", endpoint_url=services.get("AWS_ENDPOINT_URL_ACM", endpoint), config=CONFIG
        )
        self.cloudformation = aws.client("cloudformation", endpoint_url=endpoint, config=CONFIG)
        self.dynamodb = aws.client("dynamodb", endpoint_url=endpoint, config=CONFIG)
        self.events = aws.client("events", endpoint_url=endpoint, config=CONFIG)
        self.iam = aws.client("iam", endpoint_url=endpoint, config=CONFIG)
        self.lambda_ = aws.client("lambda", endpoint_url=endpoint, config=CONFIG)
        self.logs = aws.client("logs", endpoint_url=endpoint, config=CONFIG)
        self.s3 = aws.client("s3", endpoint_url=endpoint, config=CONFIG)
        self.scheduler = aws.client("scheduler", endpoint_url=endpoint, config=CONFIG)
        self.secretsmanager = aws.client("secretsmanager", endpoint_url=endpoint, config=CONFIG)
        self.sns = aws.client("sns", endpoint_url=endpoint, config=CONFIG)
        self.sqs = aws.client("sqs", endpoint_url=endpoint, config=CONFIG)
        self.ssm = aws.client("ssm", endpoint_url=endpoint, config=CONFIG)

    def make_bucket(self, name: str) -> None:
        """Create a bucket, unless it is there already."""
        with suppress(self.s3.exceptions.BucketAlreadyOwnedByYou):
            self.s3.create_bucket(
                Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION}
            )

    def functions(self) -> dict[str, FunctionConfigurationTypeDef]:
        """Return every deployed function by its name."""
        pages = self.lambda_.get_paginator("list_functions").paginate()
        return {
            function["FunctionName"]: function for page in pages for function in page["Functions"]
        }

    def schedules(self) -> Iterator[GetScheduleOutputTypeDef]:
        """Yield every deployed schedule."""
        for page in self.scheduler.get_paginator("list_schedules").paginate():
            for found in page["Schedules"]:
                with suppress(
                    self.scheduler.exceptions.ResourceNotFoundException
                ):  # it ran once, and is gone
                    yield self.scheduler.get_schedule(
                        Name=found["Name"], GroupName=found["GroupName"]
                    )

    def allowed(self, role_arn: str, action: str, resource: str) -> bool:
        """Say whether the role's policies allow the action on the resource."""
        answer = self.iam.simulate_principal_policy(
            PolicySourceArn=role_arn, ActionNames=[action], ResourceArns=[resource]
        )
        return all(result["EvalDecision"] == "allowed" for result in answer["EvaluationResults"])


def credentials(function: FunctionConfigurationTypeDef) -> dict[str, str]:
    """Return what the emulator gives to a function in its role, as `boto3.Session` takes it."""
    digest = _sha256(f"{function['FunctionArn']}:{function['Role']}")
    return {
        "aws_access_key_id": f"ASIA{digest[:16].upper()}",
        "aws_secret_access_key": _sha256(f"secret:{digest}"),
        "aws_session_token": _sha256(f"token:{digest}"),
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
