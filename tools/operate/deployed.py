"""How an operator's tool finds the fleet it is for.

The one running on this machine, or a stack in AWS.
"""

import argparse
import os
from dataclasses import dataclass
from datetime import timedelta

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from fleet import aws
from fleet.settings import duration
from tools.errors import FleetError
from tools.running import newest
from tools.sandbox import isolate


@dataclass(frozen=True, slots=True)
class Stack:
    """A deployed fleet; `fleet.aws.client` of this process now reaches its account."""

    name: str
    outputs: dict[str, str]

    def output(self, name: str) -> str:
        """Return an output of the stack. Raises `FleetError`."""
        try:
            return self.outputs[name]
        except KeyError:
            known = ", ".join(sorted(self.outputs)) or "none"
            raise FleetError(
                f"the stack {self.name} has no output {name} (it has: {known}): is it a fleet?"
            ) from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options by which `enter` finds the stack."""
    where = parser.add_argument_group(
        "which fleet", "without --stack, the one that `make run` runs on this machine"
    )
    where.add_argument("--stack", help="a stack in AWS, such as fleet-prod")
    where.add_argument(
        "--profile", help="the AWS profile whose credentials to use (default: AWS_PROFILE)"
    )
    where.add_argument(
        "--region", help="the stack's region (default: AWS_REGION, or the profile's)"
    )


def time(text: str) -> timedelta:
    """Read a length of time such as 12h, for argparse."""
    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def enter(asked: argparse.Namespace) -> Stack:
    """Let this process reach the account of the fleet that the command line names.

    Raises `FleetError`.
    """
    if asked.stack is None:
        if asked.profile or asked.region:
            raise FleetError(
                "--profile and --region are for a stack in AWS: "
                "add --stack, such as --stack fleet-dev"
            )
        running = newest()
        isolate()
        os.environ.update({"AWS_ENDPOINT_URL": running.endpoint, **running.services})
        name = running.stack
    else:
        given = {
            "AWS_PROFILE": asked.profile,
            "AWS_REGION": asked.region,
            "AWS_DEFAULT_REGION": asked.region,
        }
        os.environ.update({name: value for name, value in given.items() if value})
        if "AWS_REGION" in os.environ:  # which SAM reads; boto3 reads the other
            os.environ.setdefault("AWS_DEFAULT_REGION", os.environ["AWS_REGION"])
        name = asked.stack
    return Stack(name, _outputs(name))


def _outputs(name: str) -> dict[str, str]:
    try:
        boto3.setup_default_session()
        (found,) = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ProfileNotFound as error:
        raise FleetError(
            f"{error}: name one of `aws configure list-profiles` with --profile"
        ) from None
    except NoRegionError:
        raise FleetError(
            "no region is configured: add --region, such as --region eu-west-1"
        ) from None
    except NoCredentialsError:
        raise FleetError(
            "no AWS credentials were found: add --profile, or run `aws sso login`"
        ) from None
    except ClientError as error:
        if aws.error_code(error) == "ValidationError":
            region = boto3.session.Session().region_name
            raise FleetError(
                f"there is no stack {name} in {region}: correct --stack, --region or --profile"
            ) from None
        raise FleetError(f"the stack {name} cannot be read: {aws.trouble(error)}") from None
    except BotoCoreError as error:
        raise FleetError(f"the stack {name} cannot be read: {aws.trouble(error)}") from None
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
