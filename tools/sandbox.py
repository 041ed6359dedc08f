"""The made-up AWS account of the local fleet and the tests, and how a process is kept inside it."""

import os
from collections.abc import Mapping
from typing import Final

import boto3
from botocore.config import Config

ACCOUNT = "123456789012"
REGION: Final = "eu-west-1"
ACCESS_KEY = "test"
"""The emulator takes this key for the account's root user; functions get keys of their own."""

ISOLATED = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
    "SAM_CLI_TELEMETRY": "0",
}

# A busy machine may answer late, and a call that is repeated has its effect twice.
CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, connect_timeout=60, read_timeout=600
)


def isolated(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` with the user's own AWS account, profile and proxies out of reach."""
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    return kept | ISOLATED


def isolate() -> None:
    """Make this process, and what it starts, unable to reach any AWS account but the local one."""
    environment = isolated(os.environ)
    os.environ.clear()
    os.environ.update(environment)


def session() -> boto3.Session:
    """Return a session as the operator of the local account."""
    return boto3.Session(
        ISOLATED["AWS_ACCESS_KEY_ID"], ISOLATED["AWS_SECRET_ACCESS_KEY"], region_name=REGION
    )
