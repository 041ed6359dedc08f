"""Clients of AWS, made when first needed and kept for the life of the process.

Every job calls AWS, so boto3 is imported at once: Lambda runs a function's imports with more CPU than its invocations.
"""

import functools
import os
import re
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SSMProvider
    from boto3 import client as client  # noqa: PLC0414 - boto3's stubs know each service's client by its name
else:
    # All attempts of one call, with their backoff, end within 45 seconds: sooner than any function's time-out.
    CONFIG = Config(
        connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}
    )

    @functools.cache
    def client(service: str, region: str | None = None) -> Any:
        """Return the one client of `service`, in the function's region or another."""
        return boto3.client(service, region, config=CONFIG)


CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}

PARAMETER_SECONDS = 300


def parameter(name: str, *, decrypt: bool = False, anew: bool = False) -> str:
    """Return the value of an SSM parameter as it was at most 300 seconds ago, or `anew`.

    Raises Powertools' `GetParameterError`.
    """
    return str(
        _parameters().get(name, decrypt=decrypt, max_age=PARAMETER_SECONDS, force_fetch=anew)
    )


@functools.cache
def _parameters() -> "SSMProvider":
    from aws_lambda_powertools.utilities.parameters import SSMProvider

    return SSMProvider(boto3_client=client("ssm"))


# XML 1.0 cannot carry these characters at all: SQS refuses messages and S3 refuses lists of keys that hold one.
UNFIT_FOR_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def error_code(error: ClientError) -> str:
    """The code by which AWS names the error, such as `AccessDeniedException`."""
    return error.response.get("Error", {}).get("Code", "Unknown")


def partition(region: str) -> str:
    """The partition of a region: `aws`, `aws-cn` or `aws-us-gov`."""
    return next(
        (f"aws-{prefix[:-1]}" for prefix in ("cn-", "us-gov-") if region.startswith(prefix)), "aws"
    )


def domain(region: str) -> str:
    """The domain of a region's endpoints."""
    return "amazonaws.com.cn" if partition(region) == "aws-cn" else "amazonaws.com"


def console_url(path: str, region: str | None = None) -> str:
    """The address of a page of AWS's console; `path` is already URL-encoded. The default region is the function's."""
    region = region or os.environ.get("AWS_REGION", "us-east-1")
    return f"https://{region}.{CONSOLES[partition(region)]}/{path}"
