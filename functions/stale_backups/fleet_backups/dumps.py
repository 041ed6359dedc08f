"""Dumps that something else leaves in S3, such as those of a database that AWS does not run."""

import re
from dataclasses import dataclass
from datetime import timedelta

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet_backups.values import NEVER, RESTORABLE, History, RecoveryPoint, Resource, Unreadable

# The name of a bucket: S3 User Guide, "General purpose bucket naming rules".
PATH = re.compile(r"s3://[a-z0-9.-]{3,63}(/.{0,900})?")


@dataclass(frozen=True, slots=True)
class Dump:
    """One entry of the list: a path under which dumps are left."""

    path: str
    """Such as `s3://dumps/orders/`."""
    max_age: timedelta
    """How old the newest dump may be."""
    min_bytes: int = 1
    """A smaller one has failed."""

    def __post_init__(self) -> None:
        if not PATH.fullmatch(self.path):
            raise ValueError(f"path: expected s3://bucket/prefix, got {self.path!r:.100}")

    def __str__(self) -> str:
        return self.path


def read_dumps(dump: Dump) -> History:
    """Return the objects under a path. A dump is due there at once."""
    history = History(dump.path, Resource(dump.path, created=NEVER))
    bucket, _, prefix = dump.path.removeprefix("s3://").partition("/")
    pages = aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    try:
        for page in pages:
            for item in page.get("Contents", []):
                status = "too small" if item["Size"] < dump.min_bytes else RESTORABLE
                history.add(RecoveryPoint(dump.path, item["LastModified"], status))
    except (BotoCoreError, ClientError) as error:
        history.add(Unreadable(dump.path, f"cannot be read: {error}"))
    return history
