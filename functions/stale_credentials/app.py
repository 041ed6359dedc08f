"""Report IAM credentials that are old or unused, and users who can sign in without MFA.

Trigger: schedule, daily. Reads: IAM's credential report, and IAM itself about what the report shows to be stale.
Reports: one finding per stale key or password.
"""

import csv
import io
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.findings import Finding, Severity
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import load
from fleet.staleness import Ladders, Stale, judged

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import AccessKeyMetadataTypeDef

ROOT = "<root_account>"
NO_TIME = ("", "N/A", "no_information", "not_supported")
WAITS = (
    1,
    2,
    4,
    *[8] * 20,
)  # seconds, while IAM makes its report: over half of the function's time-out
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Settings(Ladders):
    old_days: int = 90
    old_critical_days: int = 365
    unused_days: int = 90
    unused_critical_days: int = 365
    no_mfa_days: int = 0
    no_mfa_critical_days: int = 7


@dataclass(frozen=True, slots=True)
class Credential(Stale):
    """A password, or the key that was made at a moment: the report tells no key's id."""

    user: str = ""
    made: datetime | None = None


def stale(line: Mapping[str, str], settings: Settings, now: datetime) -> Iterator[Credential]:
    """Judge a user's password and keys by their line of the credential report."""
    user, root = line["user"], line["user"] == ROOT
    subject, name = ("root", "the root user") if root else (f"user/{user}", user)
    page = (
        "security_credentials"
        if root
        else f"users/details/{quote(user, safe='')}?section=security_credentials"
    )
    found = partial(Credential, page=f"iam/home#/{page}", user=user)
    enabled, mfa = line["password_enabled"].lower(), line["mfa_active"].lower()
    if mfa == "false" and (enabled != "false" if root else enabled == "true"):
        since = moment(line["password_last_changed"]) or datetime.fromisoformat(
            line["user_creation_time"]
        )
        what = f"can sign in without MFA, by a password that is {(now - since).days} d old"
        faults = settings.faults("no_mfa", what, now - since)
        faults = {"can sign in without MFA": Severity.CRITICAL} if root else faults
        detail = {"user": line["arn"], "last signed in": line["password_last_used"]}
        yield found(f"{subject}/password", name, faults, detail=detail)
    for key in ("access_key_1", "access_key_2"):
        if line[f"{key}_active"].lower() == "true":
            made, used = (
                datetime.fromisoformat(line[f"{key}_last_rotated"]),
                moment(line[f"{key}_last_used_date"]),
            )
            age, idle = now - made, now - (used or made)
            faults = {"can do anything, and should not exist": Severity.CRITICAL} if root else {}
            faults |= settings.faults("old", f"is {age.days} d old", age)
            unused = f"has not been used for {idle.days} d" if used else "has never been used"
            faults |= settings.faults("unused", unused, idle)
            place = f"{line[f'{key}_last_used_service']} in {line[f'{key}_last_used_region']}"
            detail = {
                "user": line["arn"],
                "created": str(made),
                "last used": f"{used}, {place}" if used else "never",
            }
            yield found(
                f"{subject}/{key}",
                f"{key.replace('_', ' ')} of {name}",
                faults,
                detail=detail,
                made=made,
            )


def moment(text: str) -> datetime | None:
    return None if text in NO_TIME else datetime.fromisoformat(text)


def ids(keys: list["AccessKeyMetadataTypeDef"], made: datetime, reported: datetime) -> list[str]:
    """Of a user's active keys, return the masked id of the one made at that moment.

    A report may tell the moment of a later change: then it is one of those that are older than the report.
    """
    exact = [key for key in keys if key["CreateDate"].replace(microsecond=0) == made]
    own = exact or [key for key in keys if key["CreateDate"] <= reported]
    return [
        f"{key['AccessKeyId'][:4]}…{key['AccessKeyId'][-4:]}"
        for key in own
        if key["Status"] == "Active"
    ]


def asked(iam: "IAMClient", reported: datetime, found: Credential) -> Credential:
    """Ask IAM itself, for a report can be four hours old and knows no tags; what is gone has no faults any more."""
    detail, gone = (
        {**found.detail, "credential report of": str(reported)},
        replace(found, faults={}),
    )
    try:
        if found.user == ROOT:
            summary = iam.get_account_summary()["SummaryMap"]
            over = (
                not summary["AccountAccessKeysPresent"]
                if found.made
                else summary["AccountMFAEnabled"]
            )
            return gone if over else replace(found, detail=detail)
        if found.made:
            keys = iam.list_access_keys(UserName=found.user)["AccessKeyMetadata"]
            if not (own := ids(keys, found.made, reported)):
                return gone
            found = replace(found, name=f"access key {' or '.join(own)} of {found.user}")
        else:
            iam.get_login_profile(UserName=found.user)
            if iam.list_mfa_devices(UserName=found.user)["MFADevices"]:
                return gone
        tags = {tag["Key"]: tag["Value"] for tag in iam.list_user_tags(UserName=found.user)["Tags"]}
        return replace(found, detail=detail, tags=tags)
    except iam.exceptions.NoSuchEntityException:  # the password, or the whole user, was deleted
        return gone
    except (BotoCoreError, ClientError) as error:  # perhaps it is excepted, so that it wakes nobody
        faults = dict.fromkeys(
            (*found.faults, "may be excepted, or cured: IAM did not say"), Severity.WARNING
        )
        return replace(found, faults=faults, detail={**detail, "error": str(error)})


def report(iam: "IAMClient") -> tuple[datetime, Iterator[Mapping[str, str]]]:
    """Read the lines of the credential report, and the moment that they tell of. Raises `TimeoutError`."""
    for wait in WAITS:
        if iam.generate_credential_report().get("State") == "COMPLETE":
            made = iam.get_credential_report()
            return made["GeneratedTime"], csv.DictReader(io.StringIO(made["Content"].decode()))
        time.sleep(wait)
    raise TimeoutError(f"IAM has not made its credential report in {sum(WAITS)} s")


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings, iam = load(Settings), aws.client("iam")
    reported, lines = report(iam)
    found = [
        each for line in lines for each in stale(line, settings, run.scheduled_at) if each.faults
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for each in pool.map(partial(asked, iam, reported), found):
            yield from judged(each, run.job, run.scheduled_at)
