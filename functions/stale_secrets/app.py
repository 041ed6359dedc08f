"""Report secrets that are past their rotation or expiry, or that nobody reads any more.

Trigger: schedule, daily. Reads: Secrets Manager; SSM SecureStrings with the tag `fleet:expires`.
Reports: one finding per stale secret, and one per service that cannot be read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.findings import Finding, Severity, Unread
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import load
from fleet.staleness import Ladders, Stale, judged, last_moment

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.type_defs import SecretListEntryTypeDef
    from mypy_boto3_ssm.type_defs import ParameterMetadataTypeDef, ParameterStringFilterTypeDef

EXPIRES = "fleet:expires"


@dataclass(frozen=True, slots=True)
class Settings(Ladders):
    late_days: int = 0
    late_critical_days: int = 7
    unused_days: int = 90
    unused_critical_days: int = 365


def of_secret(secret: "SecretListEntryTypeDef", settings: Settings, now: datetime) -> Stale:
    """Judge a secret by its rotation and by when somebody read it; Secrets Manager tells the day of that."""
    created, read = secret["CreatedDate"], secret.get("LastAccessedDate")
    idle, faults = now - (read or created), dict[str, Severity]()
    failed, due = pending(secret), rotation_due(secret)
    if secret.get("RotationEnabled") and due:
        what = f"should have been rotated {(now - due).days} d ago{', and the attempt failed' * failed}"
        faults |= settings.faults("late", what, now - due)
    faults |= settings.faults(
        "unused", f"has not been read for {idle.days} d" if read else "has never been read", idle
    )
    detail = {
        "created": f"{created:%Y-%m-%d}",
        "last read": f"{read:%Y-%m-%d}" if read else "never",
        "last rotated": str(secret.get("LastRotatedDate", "never")),
        "owner": secret.get("OwningService", "this account"),
    }
    tags = {tag["Key"]: tag["Value"] for tag in secret.get("Tags", [])}
    page = f"secretsmanager/secret?name={quote(secret['Name'], safe='')}"
    return Stale(f"secret/{secret['Name']}", f"secret {secret['Name']}", faults, page, detail, tags)


def pending(secret: "SecretListEntryTypeDef") -> bool:
    """Whether a rotation has begun and not ended: AWS leaves the label on its version when the rotation fails."""
    stages = secret.get("SecretVersionsToStages", {}).values()
    return any("AWSPENDING" in each and "AWSCURRENT" not in each for each in stages)


def rotation_due(secret: "SecretListEntryTypeDef") -> datetime | None:
    """The moment by which the secret was to be rotated. A failed rotation can put the next one off: not this."""
    due, rotated = secret.get("NextRotationDate"), secret.get("LastRotatedDate")
    if not pending(secret):
        return due
    days = secret.get("RotationRules", {}).get("AutomaticallyAfterDays", 0)
    failed = rotated + timedelta(days=days) if rotated else secret["LastChangedDate"]
    return min(due, failed) if due else failed


def of_parameter(
    parameter: "ParameterMetadataTypeDef",
    tags: Mapping[str, str],
    settings: Settings,
    now: datetime,
) -> Stale:
    """Judge a parameter by the day in its tag."""
    name, expires = parameter["Name"], tags[EXPIRES]
    try:
        late = now - last_moment(expires)
        faults = settings.faults("late", f"expired {late.days} d ago ({expires})", late)
    except ValueError:  # the finding shows the tag itself
        faults = {
            f"expires on no day such as {now:%Y-%m-%d}: its tag says {expires!r}": Severity.WARNING
        }
    detail = {
        "written": str(parameter["LastModifiedDate"]),
        "by": parameter.get("LastModifiedUser", "somebody"),
    }
    page = f"systems-manager/parameters/{quote(name.lstrip('/'))}/description"
    return Stale(f"parameter/{name}", f"parameter {name}", faults, page, detail, tags)


def secrets(settings: Settings, now: datetime) -> Iterator[Stale]:
    """Read every secret of the region, but replicas, which are rotated where they come from."""
    manager = aws.client("secretsmanager")
    for page in manager.get_paginator("list_secrets").paginate():
        for secret in page["SecretList"]:
            if secret.get("PrimaryRegion", manager.meta.region_name) == manager.meta.region_name:
                yield of_secret(secret, settings, now)


def parameters(settings: Settings, now: datetime) -> Iterator[Stale]:
    """Read the SecureStrings that have an expiry."""
    ssm = aws.client("ssm")
    having: list[ParameterStringFilterTypeDef] = [
        {"Key": "Type", "Values": ["SecureString"]},
        {"Key": f"tag:{EXPIRES}"},
    ]
    pages = ssm.get_paginator("describe_parameters").paginate(
        ParameterFilters=having, PaginationConfig={"PageSize": 50}
    )
    for parameter in (each for page in pages for each in page["Parameters"]):
        try:
            answer = ssm.list_tags_for_resource(
                ResourceType="Parameter", ResourceId=parameter["Name"]
            )
        except ssm.exceptions.InvalidResourceId:
            continue  # it was deleted meanwhile
        tags = {tag["Key"]: tag["Value"] for tag in answer["TagList"]}
        if EXPIRES in tags:
            yield of_parameter(parameter, tags, settings, now)


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings = load(Settings)
    for source, service, read in (
        ("secret", "Secrets Manager", secrets),
        ("parameter", "SSM", parameters),
    ):
        try:
            found = list(read(settings, run.scheduled_at))
        except (BotoCoreError, ClientError) as error:
            title = f"{service} cannot be read, so nobody knows which of its secrets are stale"
            yield Unread(source, title, detail={"error": str(error)})
        else:
            for each in found:
                yield from judged(each, run.job, run.scheduled_at)
