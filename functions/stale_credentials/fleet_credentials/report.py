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
NO_TIME = ("", "N/A", "no_information", "not_supported")
"""What the report has in the place of a time that there is not."""
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
    created: datetime | None
    """None if the report has no time there."""
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
        return subject_of(self.name)

    @property
    def password_since(self) -> datetime:
        """When the password was set: if it never changed, with the user. Raises `ValueError`."""
        since = self.password_changed or self.created
        if since is None:
            raise ValueError("neither the password nor the user has a time")
        return since

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
    lines: Iterable[Mapping[str, str]]
    """One for each user, by the report's columns; `parse_user` reads it."""


def subject_of(name: str) -> str:
    """Return how the subjects of findings about the credentials of the user `name` begin."""
    return "root" if name == ROOT else f"user/{name}"


def read_report(iam: "IAMClient") -> CredentialReport:
    """Let IAM make its credential report, and read it. Raises `TimeoutError` after all `WAITS`."""
    for seconds in WAITS:
        if iam.generate_credential_report().get("State") == "COMPLETE":
            answer = iam.get_credential_report()
            lines = csv.DictReader(io.StringIO(answer["Content"].decode()))
            return CredentialReport(answer["GeneratedTime"], lines)
        time.sleep(seconds)
    raise TimeoutError(f"IAM has not made its credential report in {sum(WAITS)} s")


def parse_user(line: Mapping[str, str]) -> User:
    """Read a line of the report by its columns.

    Raises `ValueError` for a line that is cut, or that has something else for a time that counts.
    """
    if None in line.values():  # which is how csv fills a line that ends early
        raise ValueError("its line ends early")
    return User(
        name=line["user"],
        arn=line["arn"],
        created=moment(line["user_creation_time"]),
        has_password=_has_password(line),
        password_changed=_time(line["password_last_changed"]),
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
    made = _time(line[f"{slot}_last_rotated"])
    if made is None:
        raise ValueError(f"{slot} is active, and has no time when it was made")
    return Key(
        slot=slot,
        made=made,
        used=_time(line[f"{slot}_last_used_date"]),
        used_for=f"{service} in {region}",
    )


def _time(text: str) -> datetime | None:
    if text in NO_TIME:
        return None
    time = moment(text)
    if time is None:
        raise ValueError(f"expected a time such as 2026-11-21T09:00:00+00:00, got {text!r:.100}")
    return time
