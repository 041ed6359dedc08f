"""Clients of AWS, made when first needed and kept for the life of the process.

Every job calls AWS, so boto3 is imported at once: Lambda runs a function's imports with more CPU
than its invocations.
"""

import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from fleet.errors import Transient

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.parameters import SSMProvider

    # boto3's stubs know each service's client by its name.
    from boto3 import client as client  # noqa: PLC0414 - it is exported
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef
else:
    # All attempts of one call, with their backoff, end within 45 seconds: sooner than any
    # function's timeout.
    CONFIG = Config(
        connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}
    )

    @functools.cache  # lives as long as the process
    def client(service: str, region: str | None = None) -> Any:
        """Return the one client of `service`, in the function's region or another."""
        return boto3.client(service, region, config=CONFIG)


CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}

PARAMETER_SECONDS = 300


def read_parameter(name: str, *, decrypt: bool = False, fresh: bool = False) -> str:
    """Return the value of an SSM parameter as it was at most 300 seconds ago, or `fresh`.

    Raises Powertools' `GetParameterError`.
    """
    return str(
        _parameters().get(name, decrypt=decrypt, max_age=PARAMETER_SECONDS, force_fetch=fresh)
    )


@functools.cache  # lives as long as the process
def _parameters() -> "SSMProvider":
    from aws_lambda_powertools.utilities.parameters import SSMProvider

    return SSMProvider(boto3_client=client("ssm"))


# XML 1.0 cannot carry these characters at all: SQS refuses messages and S3 refuses lists of keys
# that hold one.
UNFIT_FOR_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def error_code(error: ClientError) -> str:
    """Return the code by which AWS names the error, such as `AccessDeniedException`."""
    return error.response.get("Error", {}).get("Code", "Unknown")


def trouble(error: BaseException) -> str:
    """Say in one line what went wrong with a call to AWS, such as `AccessDenied: User x may not`.

    That is the code and the message of an answer, and the type and the text of any other error.
    """
    if isinstance(error, ClientError):
        name = error_code(error)
        text = error.response.get("Error", {}).get("Message", "")
    else:
        name = type(error).__name__
        text = str(error)
    return f"{name}: {text}" if text else name


# PutEvents takes ten events of 256 KB together, by the size that the EventBridge User Guide,
# "Calculating PutEvents event entry size", gives: UTF-8 text, and 14 bytes for a time.
EVENTS_AT_ONCE = 10
EVENT_BYTES_AT_ONCE = 256_000
TIME_BYTES = 14


def put_events(
    entries: Sequence["PutEventsRequestEntryTypeDef"], events: "EventBridgeClient | None" = None
) -> list[str]:
    """Put events on their buses, in as few calls as EventBridge takes, and return their ids.

    `events` is the client, if it is not the function's own. Raises `Transient` when EventBridge did
    not take some of a call's events, with the reason for the first; later calls are then not made.
    Raises what botocore raises, too.
    """
    events = events or client("events")
    ids = []
    for batch in event_batches(entries):
        results = events.put_events(Entries=batch)["Entries"]
        # PutEvents answers 200 for an entry that it did not take.
        refused = [result for result in results if "ErrorCode" in result]
        if refused:
            code = refused[0]["ErrorCode"]
            text = refused[0].get("ErrorMessage", "no reason given")
            count = f"{len(refused)} of {len(batch)} events"
            raise Transient(f"EventBridge did not take {count}: {code}: {text}")
        ids += [result["EventId"] for result in results]
    return ids


def event_batches(
    entries: Iterable["PutEventsRequestEntryTypeDef"],
) -> Iterator[list["PutEventsRequestEntryTypeDef"]]:
    """Yield the entries, in their order, in as few groups as PutEvents takes.

    One that is too large stands alone.
    """
    batch: list[PutEventsRequestEntryTypeDef] = []
    batch_bytes = 0
    for entry in entries:
        entry_bytes = _entry_bytes(entry)
        full = len(batch) == EVENTS_AT_ONCE or batch_bytes + entry_bytes > EVENT_BYTES_AT_ONCE
        if batch and full:
            yield batch
            batch = []
            batch_bytes = 0
        batch.append(entry)
        batch_bytes += entry_bytes
    if batch:
        yield batch


def _entry_bytes(entry: "PutEventsRequestEntryTypeDef") -> int:
    texts = [
        entry.get("Source", ""),
        entry.get("DetailType", ""),
        entry.get("Detail", ""),
        *entry.get("Resources", []),
    ]
    return sum(len(text.encode()) for text in texts) + TIME_BYTES


def partition(region: str) -> str:
    """Return the partition of a region: `aws`, `aws-cn` or `aws-us-gov`."""
    if region.startswith("cn-"):
        return "aws-cn"
    if region.startswith("us-gov-"):
        return "aws-us-gov"
    return "aws"


def domain(region: str) -> str:
    """Return the domain of a region's endpoints."""
    return "amazonaws.com.cn" if partition(region) == "aws-cn" else "amazonaws.com"


def console_url(path: str, region: str | None = None) -> str:
    """Return the address of a page of AWS's console; `path` is already URL-encoded.

    The default region is the function's.
    """
    region = region or os.environ.get("AWS_REGION", "us-east-1")
    return f"https://{region}.{CONSOLES[partition(region)]}/{path}"
