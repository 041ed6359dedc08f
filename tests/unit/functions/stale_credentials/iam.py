"""An IAM with users, their credentials, and a report about them."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from tools.sandbox import ACCOUNT

from fleet import aws

NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
REPORTED = NOW - timedelta(hours=3)
MADE = NOW - timedelta(days=100)
KEY_COLUMNS = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
USER_COLUMNS = ("user", "arn", "user_creation_time", "mfa_active")
PASSWORD_COLUMNS = ("enabled", "last_used", "last_changed", "next_rotation")
HEADER = [
    *USER_COLUMNS,
    *(f"password_{column}" for column in PASSWORD_COLUMNS),
    *(f"access_key_{number}_{column}" for number in (1, 2) for column in KEY_COLUMNS),
    *(f"cert_{number}_{column}" for number in (1, 2) for column in ("active", "last_rotated")),
]


def ago(days: float) -> str:
    return (NOW - timedelta(days=days)).isoformat()


def line(user: str = "ann", **columns: str) -> dict[str, str]:
    """A user's line in the report, without any credential but what `columns` say."""
    named = {
        "user": user,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/team/{user}",
        "user_creation_time": ago(1_000),
    }
    states = {name: "false" for name in HEADER if name.endswith(("_active", "_enabled"))}
    return dict.fromkeys(HEADER, "N/A") | states | named | columns


def key(made: float, used: float | None = None, number: int = 1) -> dict[str, str]:
    """The columns of a key that was made and used so many days ago."""
    columns = {"active": "true", "last_rotated": ago(made)}
    if used is not None:
        columns |= {
            "last_used_date": ago(used),
            "last_used_region": "us-east-1",
            "last_used_service": "s3",
        }
    return {f"access_key_{number}_{name}": value for name, value in columns.items()}


def root(**columns: str) -> dict[str, str]:
    arn = f"arn:aws:iam::{ACCOUNT}:root"
    return line(
        "<root_account>",
        arn=arn,
        **{"password_enabled": "not_supported", "mfa_active": "true", **columns},
    )


def password(days: float = 1, **columns: str) -> dict[str, str]:
    return {"password_enabled": "true", "password_last_changed": ago(days), **columns}


def listed(id_: str, made: datetime = MADE, status: str = "Active") -> Any:
    return {"AccessKeyId": id_, "CreateDate": made, "Status": status}


class Fake:
    """An IAM in which ann has a password, no MFA and a key, or that answers as given."""

    def __init__(
        self, *lines: dict[str, str], states: tuple[str, ...] = ("COMPLETE",), **answers: Any
    ) -> None:
        self.exceptions = aws.client("iam").exceptions
        self.calls = Counter[str]()  # by operation
        self.states = list(states)
        self.answers = {
            "list_user_tags": {"Tags": []},
            "list_access_keys": {"AccessKeyMetadata": [listed("AKIAIOSFODNN7EXAMPLE")]},
            "list_mfa_devices": {"MFADevices": []},
            "get_login_profile": {},
            "get_account_summary": {
                "SummaryMap": {"AccountAccessKeysPresent": 1, "AccountMFAEnabled": 0}
            },
            "get_credential_report": {"Content": content(lines), "GeneratedTime": REPORTED},
            **answers,
        }

    def generate_credential_report(self) -> dict[str, str]:
        self.calls["generate_credential_report"] += 1
        return {"State": self.states.pop(0) if len(self.states) > 1 else self.states[0]}

    def __getattr__(self, operation: str) -> Any:
        def answer(**_: str) -> Any:
            self.calls[operation] += 1
            answer = self.answers[operation]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return answer


def content(lines: Any) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER)
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()


def error(code: str) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "no"}}
    return aws.client("iam").exceptions.from_code(code)(answer, "ListUserTags")  # type: ignore[no-any-return,operator]
