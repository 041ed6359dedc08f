"""What IAM itself says now about a credential that its report shows to be stale."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from fleet.findings import Severity
from fleet.staleness import Candidate
from fleet_credentials.report import ROOT

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_iam.type_defs import AccessKeyMetadataTypeDef


@dataclass(frozen=True, slots=True)
class Credential(Candidate):
    """A password or an access key, as the credential report shows it."""

    user: str = ""
    """The user's name, or `<root_account>`."""
    made: datetime | None = None
    """When the key was made. None for a password."""


def confirm(iam: "IAMClient", reported: datetime, credential: Credential) -> Credential | None:
    """Return a credential as IAM has it now, with its user's tags.

    The report, made at the moment `reported`, can be four hours old and has no tags. None when
    the credential is gone, or its user has MFA by now.
    """
    detail = {**credential.detail, "credential report of": str(reported)}
    known = replace(credential, detail=detail)
    try:
        current = look_up(iam, reported, known)
        if current is None:
            return None
        known = current
        return replace(known, tags=read_tags(iam, known.user))
    except iam.exceptions.NoSuchEntityException:
        return None  # the password, or the whole user, was deleted
    except (BotoCoreError, ClientError) as error:
        return in_doubt(known, error)


def look_up(iam: "IAMClient", reported: datetime, credential: Credential) -> Credential | None:
    """Return a credential that is still there, a key with its id. None for any other."""
    if credential.user == ROOT:
        return credential if is_still_roots(iam, credential) else None
    if credential.made is None:
        return credential if is_still_without_mfa(iam, credential.user) else None
    keys = iam.list_access_keys(UserName=credential.user)["AccessKeyMetadata"]
    ids = masked_ids(keys, credential.made, reported)
    if not ids:
        return None
    name = f"access key {' or '.join(ids)} of {credential.user}"
    return replace(credential, name=name)


def is_still_roots(iam: "IAMClient", credential: Credential) -> bool:
    """Whether the root user still has access keys or, if it is about the password, no MFA."""
    summary = iam.get_account_summary()["SummaryMap"]
    if credential.made:
        return bool(summary["AccountAccessKeysPresent"])
    return not summary["AccountMFAEnabled"]


def is_still_without_mfa(iam: "IAMClient", user: str) -> bool:
    """Whether a user has no MFA. Raises `NoSuchEntityException` if there is no password either."""
    iam.get_login_profile(UserName=user)
    answer = iam.list_mfa_devices(UserName=user)
    return not answer["MFADevices"]


def masked_ids(
    keys: Iterable["AccessKeyMetadataTypeDef"], made: datetime, reported: datetime
) -> list[str]:
    """Return the id, such as `AKIA…MPLE`, of the user's active key that was made at a moment.

    The report may have the moment of a later change instead. Then they are the ids of all active
    keys that are older than the report.
    """
    exact = [key for key in keys if key["CreateDate"].replace(microsecond=0) == made]
    older = [key for key in keys if key["CreateDate"] <= reported]
    ids = []
    for key in exact or older:
        if key["Status"] == "Active":
            key_id = key["AccessKeyId"]
            ids.append(f"{key_id[:4]}…{key_id[-4:]}")
    return ids


def read_tags(iam: "IAMClient", user: str) -> dict[str, str]:
    """Return a user's tags: none for the root user, who cannot have any."""
    if user == ROOT:
        return {}
    answer = iam.list_user_tags(UserName=user)
    return {tag["Key"]: tag["Value"] for tag in answer["Tags"]}


def in_doubt(credential: Credential, error: Exception) -> Credential:
    """Return a credential that IAM did not confirm: it wakes nobody, as it may be excepted."""
    doubt = "may be excepted, or cured: IAM did not say"
    return replace(
        credential,
        flaws=dict.fromkeys([*credential.flaws, doubt], Severity.WARNING),
        detail={**credential.detail, "error": str(error)},
    )
