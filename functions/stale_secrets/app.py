"""Report secrets that are past their rotation or expiry, or that nobody reads any more.

Trigger: schedule, daily. Reads: Secrets Manager; SSM SecureStrings with the tag `fleet:expires`.
Reports: one finding per stale secret, and one per service that cannot be read.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.findings import Finding, Severity, Unread
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import load
from fleet.staleness import Candidate, Thresholds, judge, last_moment

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.type_defs import SecretListEntryTypeDef
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import ParameterMetadataTypeDef, ParameterStringFilterTypeDef

EXPIRES = "fleet:expires"


@dataclass(frozen=True, slots=True)
class Settings(Thresholds):
    late_days: int = 0
    late_critical_days: int = 7
    unused_days: int = 90
    unused_critical_days: int = 365


def examine_secret(
    secret: "SecretListEntryTypeDef", settings: Settings, now: datetime
) -> Candidate:
    """Return a secret with its flaws: a late rotation, and that nobody reads it."""
    name = secret["Name"]
    last_read = secret.get("LastAccessedDate")
    return Candidate(
        subject=f"secret/{name}",
        name=f"secret {name}",
        flaws={
            **rotation_flaws(secret, settings, now),
            **reading_flaws(secret, settings, now),
        },
        page=f"secretsmanager/secret?name={quote(name, safe='')}",
        detail={
            "created": f"{secret['CreatedDate']:%Y-%m-%d}",
            "last read": f"{last_read:%Y-%m-%d}" if last_read else "never",
            "last rotated": str(secret.get("LastRotatedDate", "never")),
            "owner": secret.get("OwningService", "this account"),
        },
        tags={tag["Key"]: tag["Value"] for tag in secret.get("Tags", [])},
    )


def rotation_flaws(
    secret: "SecretListEntryTypeDef", settings: Settings, now: datetime
) -> dict[str, Severity]:
    """Return the flaw of a secret whose rotation is late; none if it is not to be rotated."""
    due = rotation_due(secret)
    if not secret.get("RotationEnabled") or due is None:
        return {}
    flaw = f"should have been rotated {(now - due).days} d ago"
    if is_rotating(secret):
        flaw += ", and the attempt failed"
    return settings.flaws("late", flaw, now - due)


def reading_flaws(
    secret: "SecretListEntryTypeDef", settings: Settings, now: datetime
) -> dict[str, Severity]:
    """Return the flaw of a secret that nobody has read for long, or ever since it was created."""
    last_read = secret.get("LastAccessedDate")
    unread_for = now - (last_read or secret["CreatedDate"])
    flaw = f"has not been read for {unread_for.days} d" if last_read else "has never been read"
    return settings.flaws("unused", flaw, unread_for)


def is_rotating(secret: "SecretListEntryTypeDef") -> bool:
    """Whether a rotation has begun and not ended.

    When it fails, AWS leaves the label on its version (Secrets Manager User Guide, "Rotation").
    """
    versions = secret.get("SecretVersionsToStages", {}).values()
    return any("AWSPENDING" in labels and "AWSCURRENT" not in labels for labels in versions)


def rotation_due(secret: "SecretListEntryTypeDef") -> datetime | None:
    """The moment by which a secret was to be rotated. None if AWS names none.

    A rotation that failed can put off AWS's next date, but not this one.
    """
    due = secret.get("NextRotationDate")
    if not is_rotating(secret):
        return due
    last = secret.get("LastRotatedDate")
    days = secret.get("RotationRules", {}).get("AutomaticallyAfterDays", 0)
    failed = last + timedelta(days=days) if last else secret["LastChangedDate"]
    return min(due, failed) if due else failed


def examine_parameter(
    parameter: "ParameterMetadataTypeDef",
    tags: Mapping[str, str],
    settings: Settings,
    now: datetime,
) -> Candidate:
    """Return a parameter with its flaw: it is past the day in its tag, or the tag has no day."""
    name = parameter["Name"]
    return Candidate(
        subject=f"parameter/{name}",
        name=f"parameter {name}",
        flaws=expiry_flaws(tags[EXPIRES], settings, now),
        page=f"systems-manager/parameters/{quote(name.lstrip('/'))}/description",
        detail={
            "written": str(parameter["LastModifiedDate"]),
            "by": parameter.get("LastModifiedUser", "somebody"),
        },
        tags=tags,
    )


def expiry_flaws(expires: str, settings: Settings, now: datetime) -> dict[str, Severity]:
    """Return the flaw of what expires after a day, such as `2027-01-31 the vendor's key`."""
    try:
        late = now - last_moment(expires)
    except ValueError:  # the finding shows the tag itself
        flaw = f"has a tag {EXPIRES} that does not begin with a day such as {now:%Y-%m-%d}"
        return {f"{flaw}: {expires!r}": Severity.WARNING}
    return settings.flaws("late", f"expired {late.days} d ago ({expires})", late)


def read_secrets(settings: Settings, now: datetime) -> Iterator[Candidate]:
    """Yield the region's secrets, but no replicas, which are rotated in their primary region."""
    manager = aws.client("secretsmanager")
    region = manager.meta.region_name
    for page in manager.get_paginator("list_secrets").paginate():
        for secret in page["SecretList"]:
            if secret.get("PrimaryRegion", region) == region:
                yield examine_secret(secret, settings, now)


def read_parameters(settings: Settings, now: datetime) -> Iterator[Candidate]:
    """Yield the SecureStrings that have the tag `fleet:expires`."""
    ssm = aws.client("ssm")
    filters: list[ParameterStringFilterTypeDef] = [
        {"Key": "Type", "Values": ["SecureString"]},
        {"Key": f"tag:{EXPIRES}"},
    ]
    pages = ssm.get_paginator("describe_parameters").paginate(
        ParameterFilters=filters, PaginationConfig={"PageSize": 50}
    )
    for page in pages:
        for parameter in page["Parameters"]:
            tags = read_tags(ssm, parameter["Name"])
            if EXPIRES in tags:
                yield examine_parameter(parameter, tags, settings, now)


def read_tags(ssm: "SSMClient", parameter: str) -> dict[str, str]:
    """Return a parameter's tags: none if it was deleted meanwhile."""
    try:
        answer = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=parameter)
    except ssm.exceptions.InvalidResourceId:
        return {}  # it was deleted after it was listed
    return {tag["Key"]: tag["Value"] for tag in answer["TagList"]}


def judge_service(
    service: str,
    source: str,
    read: Callable[[Settings, datetime], Iterator[Candidate]],
    settings: Settings,
    run: Run,
) -> Iterator[Finding]:
    """Yield what is stale in a service, or that it cannot be read; `source` begins its subjects."""
    try:
        candidates = list(read(settings, run.scheduled_at))
    except (BotoCoreError, ClientError) as error:
        title = f"{service} cannot be read, so nobody knows which of its secrets are stale"
        yield Unread(source, title, detail={"error": str(error)})
        return
    for candidate in candidates:
        yield from judge(candidate, run.job, run.scheduled_at)


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings = load(Settings)
    yield from judge_service("Secrets Manager", "secret", read_secrets, settings, run)
    yield from judge_service("SSM", "parameter", read_parameters, settings, run)
