"""IAM's credential report: every user's password and access keys, as they were at one moment.

Its columns: IAM User Guide, "Get credential reports for your AWS account".
"""

import csv
import io
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from fleet.events import moment

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

ROOT = "<root_account>"
SLOTS = ("access_key_1", "access_key_2")
WAITS = (1, 2, 4, *[8] * 20)
"""Seconds to wait while IAM makes its report: over half of the job's timeout."""


@dataclass(frozen=True, slots=True)
class Key:
    """An active access key. The report does not have its id."""

    slot: str
    """Which of the user's two keys it is: `access_key_1` or `access_key_2`."""
    made: datetime
    used: datetime | None
    used_for: str
    """Service and region of the last use, such as `s3 in us-east-1`."""


@dataclass(frozen=True, slots=True)
class User:
    """A user, or the root user, with all credentials."""

    name: str
    arn: str
    created: datetime
    has_password: bool
    password_changed: datetime | None
    password_used: str
    """A time, or why there is no time, such as `no_information`."""
    lacks_mfa: bool
    keys: tuple[Key, ...]

    @property
    def is_root(self) -> bool:
        """Whether it is the root user, whose name in the report no other user can have."""
        return self.name == ROOT

    @property
    def subject(self) -> str:
        """How the subjects of findings about the user's credentials begin."""
        return "root" if self.is_root else f"user/{self.name}"

    @property
    def page(self) -> str:
        """The path of the page with the user's credentials in AWS's console."""
        if self.is_root:
            return "iam/home#/security_credentials"
        name = quote(self.name, safe="")
        return f"iam/home#/users/details/{name}?section=security_credentials"

    def __str__(self) -> str:
        return "the root user" if self.is_root else self.name


@dataclass(frozen=True, slots=True)
class CredentialReport:
    """What IAM knew of all users at the moment when it made the report."""

    made: datetime
    users: Iterable[User]


def read_report(iam: "IAMClient") -> CredentialReport:
    """Let IAM make its credential report, and read it. Raises `TimeoutError` after all `WAITS`."""
    for seconds in WAITS:
        if iam.generate_credential_report().get("State") == "COMPLETE":
            answer = iam.get_credential_report()
            lines = csv.DictReader(io.StringIO(answer["Content"].decode()))
            return CredentialReport(answer["GeneratedTime"], map(parse_user, lines))
        time.sleep(seconds)
    raise TimeoutError(f"IAM has not made its credential report in {sum(WAITS)} s")


def parse_user(line: Mapping[str, str]) -> User:
    """Read a line of the report by its columns. Raises `ValueError` for a time it should have."""
    return User(
        name=line["user"],
        arn=line["arn"],
        created=datetime.fromisoformat(line["user_creation_time"]),
        has_password=_has_password(line),
        password_changed=moment(line["password_last_changed"]),
        password_used=line["password_last_used"],
        lacks_mfa=line["mfa_active"].lower() == "false",
        keys=tuple(_parse_key(line, slot) for slot in SLOTS if _is_active(line, slot)),
    )


def _has_password(line: Mapping[str, str]) -> bool:
    enabled = line["password_enabled"].lower()
    if line["user"] == ROOT:
        return enabled != "false"  # it is "not_supported", unless the password was removed
    return enabled == "true"


def _is_active(line: Mapping[str, str], slot: str) -> bool:
    return line[f"{slot}_active"].lower() == "true"


def _parse_key(line: Mapping[str, str], slot: str) -> Key:
    service = line[f"{slot}_last_used_service"]
    region = line[f"{slot}_last_used_region"]
    return Key(
        slot=slot,
        made=datetime.fromisoformat(line[f"{slot}_last_rotated"]),
        used=moment(line[f"{slot}_last_used_date"]),
        used_for=f"{service} in {region}",
    )
