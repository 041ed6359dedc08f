"""Report databases, tables, volumes, file systems, buckets and dumps without a recent backup.

Trigger: schedule, daily. Reads: RDS, DynamoDB, EBS, EFS, S3, AWS Backup, tags, the list of dumps in SSM.
Reports: one finding for each whose newest good backup is missing or too old, or of which nobody knows.
"""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.findings import Finding
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import duration, entries, load, required, unusable

AGE_TAG = "fleet:backup-max-age"  # such as 26h, or `none` for what needs no backup
TAGS = f"ResourceTagMappingList[].[ResourceARN, Tags[?Key == '{AGE_TAG}'].Value | [0]]"
TYPES = [
    "rds:db",
    "rds:cluster",
    "dynamodb:table",
    "ec2:volume",
    "elasticfilesystem:file-system",
    "s3",
]
# The members of a cluster and the replicas of a source have its backups. A copy is as old as what it is a copy of.
OWN = "!not_null(DBClusterIdentifier, ReadReplicaSourceDBInstanceIdentifier, ReadReplicaSourceDBClusterIdentifier)"
SERVERS = f"DBInstances[?{OWN}].[DBInstanceIdentifier, LatestRestorableTime, '', DBInstanceStatus, InstanceCreateTime]"
SNAPSHOTS = (
    "DBSnapshots[].[DBInstanceIdentifier, OriginalSnapshotCreateTime || SnapshotCreateTime, Status]"
)
CLUSTERS = "DBClusters[].[DBClusterIdentifier, LatestRestorableTime, '', Status, ClusterCreateTime]"
TABLE_BACKUPS = "BackupSummaries[].[TableName, BackupCreationDateTime, BackupStatus]"
VOLUMES = "Volumes[].[VolumeId, null, '', State, CreateTime]"
FILE_SYSTEMS = "FileSystems[].[FileSystemId, null, '', LifeCycleState, CreationTime]"
BUCKETS = "Buckets[].[Name, null, '', '', CreationDate]"
LASTING = "contains(RecoveryPointArn, ':continuous') && 'lasts' || ''"
POINTS = f"RecoveryPoints[].[ResourceArn, CreationDate, Status, {LASTING}]"
GOOD, UNREAD, NEVER = (
    {"", "available", "completed"},
    "cannot be read",
    datetime.min.replace(tzinfo=UTC),
)
PASSING, STOPPED = {"creating", "deleting", "deleted"}, {"stopping", "stopped", "starting"}


@dataclass(frozen=True, slots=True)
class Settings:
    account: str
    dumps_parameter: str
    max_age: timedelta = timedelta(hours=26)
    select_tag: str = AGE_TAG  # a key, or key=value; without it, all are looked at


@dataclass(frozen=True, slots=True)
class Dump:
    path: str  # such as s3://dumps/orders/
    max_age: timedelta
    min_bytes: int = 1  # a smaller one has failed

    def __post_init__(self) -> None:
        if not re.fullmatch(r"s3://[a-z0-9.-]{3,63}(/.{0,900})?", self.path):
            raise ValueError(f"path: expected s3://bucket/prefix, got {self.path!r:.100}")


class Seen(NamedTuple):
    at: datetime | None = None  # a recovery point, and what became of it
    outcome: str = ""
    state: str = ""  # the thing itself, as its service has it
    created: datetime | None = None


def judged(subject: str, seen: list[Seen], allowed: timedelta, now: datetime) -> Iterator[Finding]:
    """Say what is wrong with the backups. What is younger than `allowed` needs none, what is stopped no newer one."""
    points = sorted((each.at, each.outcome.lower(), each.state) for each in seen if each.at)
    good = max(
        (now if state == "lasts" else at for at, outcome, state in points if outcome in GOOD),
        default=NEVER,
    )
    created = max(
        (each.created for each in seen if each.created),
        default=now if subject.startswith("arn:") else NEVER,
    )
    states = {each.state.lower() for each in seen}
    if (
        now - max(created, good) <= allowed
        or states & PASSING
        or (states & STOPPED and good > NEVER)
    ):
        return
    age = f"{(now - good).days} d {(now - good).seconds // 3_600} h"
    title = f"has no good backup newer than {age}" if good > NEVER else "has no good backup"
    if unread := "; ".join(each.outcome for each in seen if each.outcome.startswith(UNREAD)):
        title = "has no recent backup that can be read"
    name = " ".join(subject.split(":", 5)[2::3]) if subject.startswith("arn:") else subject
    detail = {
        f"{at.astimezone(UTC):%Y-%m-%d %H:%M %Z}": outcome or "restorable"
        for at, outcome, _ in points[-3:]
    }
    yield Finding(
        subject,
        f"{name} {title}",
        detail={"allowed": str(allowed), **detail, "unread": unread or "nothing"},
    )


def sources(
    settings: Settings, wanted: Container[str] | None, dumps: Iterable[Dump]
) -> Iterator[tuple[str, Any]]:
    """Yield how subjects begin, and rows of the rest. Services are listed at once: an error there ends the run."""
    region = required("AWS_REGION")
    here = f"arn:{aws.partition(region)}:{{}}:{region}:{settings.account}:{{}}".format
    rds, dynamodb, ec2, s3 = (
        aws.client("rds"),
        aws.client("dynamodb"),
        aws.client("ec2"),
        aws.client("s3"),
    )
    yield (
        here("rds", "db:"),
        [*rds.get_paginator("describe_db_instances").paginate().search(SERVERS)],
    )
    yield (
        here("rds", "db:"),
        [*rds.get_paginator("describe_db_snapshots").paginate().search(SNAPSHOTS)],
    )
    yield (
        here("rds", "cluster:"),
        [*rds.get_paginator("describe_db_clusters").paginate().search(CLUSTERS)],
    )
    yield (
        here("dynamodb", "table/"),
        [*dynamodb.get_paginator("list_backups").paginate().search(TABLE_BACKUPS)],
    )
    yield (
        here("ec2", "volume/"),
        [*ec2.get_paginator("describe_volumes").paginate().search(VOLUMES)],
    )
    pages = ec2.get_paginator("describe_snapshots").paginate(
        OwnerIds=["self"], PaginationConfig={"PageSize": 1_000}
    )
    yield here("ec2", "volume/"), [*pages.search("Snapshots[].[VolumeId, StartTime, State]")]
    found = [
        *aws.client("efs").get_paginator("describe_file_systems").paginate().search(FILE_SYSTEMS)
    ]
    yield here("elasticfilesystem", "file-system/"), found
    found = [*s3.get_paginator("list_buckets").paginate(BucketRegion=region).search(BUCKETS)]
    yield f"arn:{aws.partition(region)}:s3:::", found
    for name in dynamodb.get_paginator("list_tables").paginate().search("TableNames"):
        arn = here("dynamodb", f"table/{name}")
        if wanted is None or arn in wanted:
            yield arn, table(name)
    for vault in (
        aws.client("backup")
        .get_paginator("list_backup_vaults")
        .paginate()
        .search("BackupVaultList")
    ):
        points = aws.client("backup").get_paginator("list_recovery_points_by_backup_vault")
        yield "", points.paginate(BackupVaultName=vault["BackupVaultName"]).search(POINTS)
    for dump in dumps:
        bucket, _, prefix = dump.path.removeprefix("s3://").partition("/")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        yield (
            dump.path,
            pages.search(
                f"Contents[].['', LastModified, Size < `{dump.min_bytes}` && 'too small' || '']"
            ),
        )


def table(name: str) -> Iterator[Any]:
    sleep(0.1)  # DescribeContinuousBackups answers ten times a second
    described = aws.client("dynamodb").describe_table(TableName=name)["Table"]
    backups = aws.client("dynamodb").describe_continuous_backups(TableName=name)[
        "ContinuousBackupsDescription"
    ]
    latest = backups.get("PointInTimeRecoveryDescription", {}).get("LatestRestorableDateTime")
    yield "", latest, "", described["TableStatus"], described["CreationDateTime"]


def read(sources: Iterable[tuple[str, Any]]) -> dict[str, list[Seen]]:
    """Gather what is seen of each subject; under `arn:` stands what cannot be read of all."""
    seen: dict[str, list[Seen]] = {}
    for start, rows in sources:
        try:
            for name, *facts in filter(None, rows):  # a page may have no list at all
                seen.setdefault(start + name, []).append(Seen(*facts))
        except (BotoCoreError, ClientError) as error:
            there = (
                NEVER if start and "(ResourceNotFoundException)" not in str(error) else None
            )  # or gone meanwhile
            seen.setdefault(start or "arn:", []).append(Seen(None, f"{UNREAD}: {error}", "", there))
    return seen


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings = load(Settings)
    dumps = entries(settings.dumps_parameter, Dump, key=lambda dump: dump.path, optional=True)
    yield from unusable(dumps.faults, settings.dumps_parameter)
    key, _, value = settings.select_tag.partition("=")
    filters = [{"Key": key, "Values": [value] if value else []}] if key else []
    tagging = aws.client("resourcegroupstaggingapi").get_paginator("get_resources")
    tags = dict(tagging.paginate(ResourceTypeFilters=TYPES, TagFilters=filters).search(TAGS))
    seen = read(sources(settings, tags if key else None, dumps.usable))
    ages = {dump.path: dump.max_age for dump in dumps.usable}
    for arn in tags if key else seen.keys() - ages.keys():
        try:
            if (tag := tags.get(arn)) != "none":
                ages[arn] = duration(tag) if tag else settings.max_age
        except ValueError as error:
            yield Finding(
                arn, f"{arn} has a tag {AGE_TAG} that cannot be used", detail={"reason": str(error)}
            )
    for subject, allowed in ages.items():
        yield from judged(
            subject, seen.get(subject, []) + seen.get(subject[:4], []), allowed, run.scheduled_at
        )
