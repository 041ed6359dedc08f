"""What each service of AWS says about its resources and their backups: one reader for each.

When the resources of a service cannot be listed, its reader raises what botocore raises, which
ends the run. A single table or vault that cannot be read does not: it is yielded as unreadable.
A page may lack its list, as some services leave out empty ones.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from time import sleep
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet_backups.values import (
    NEVER,
    Evidence,
    RecoveryPoint,
    Resource,
    Unreadable,
    UnreadableVault,
)

# DescribeContinuousBackups may be called 10 times a second (DynamoDB API Reference).
SECONDS_BETWEEN_TABLES = 0.1


@dataclass(frozen=True, slots=True)
class Place:
    """The region and the account whose resources are read."""

    region: str
    account: str

    def arn(self, service: str, kind: str, name: str) -> str:
        """The ARN of a resource. `kind` ends as its service has it: `db:`, or `table/`."""
        partition = aws.partition(self.region)
        return f"arn:{partition}:{service}:{self.region}:{self.account}:{kind}{name}"


def read_services(place: Place, selected: Container[str] | None) -> Iterator[Evidence]:
    """Yield all resources and recovery points; of tables only the selected ARNs (None: all)."""
    yield from rds_instances(place)
    yield from rds_snapshots(place)
    yield from rds_clusters(place)
    yield from ebs_volumes(place)
    yield from ebs_snapshots(place)
    yield from efs_file_systems(place)
    yield from s3_buckets(place)
    yield from dynamodb_backups(place)
    yield from dynamodb_tables(place, selected)
    yield from backup_vaults()


def rds_instances(place: Place) -> Iterator[Evidence]:
    """Yield instances, and to what moment each can be restored."""
    paginator = aws.client("rds").get_paginator("describe_db_instances")
    for page in paginator.paginate():
        for instance in page.get("DBInstances", []):
            if shares_backups(instance):
                continue
            arn = place.arn("rds", "db:", instance["DBInstanceIdentifier"])
            yield Resource(
                subject=arn,
                created=instance.get("InstanceCreateTime"),
                status=instance["DBInstanceStatus"],
            )
            if latest := instance.get("LatestRestorableTime"):
                yield RecoveryPoint(arn, latest)


def shares_backups(instance: Mapping[str, Any]) -> bool:
    """Whether an instance has the backups of another: of its cluster, or of what it replicates."""
    others = (
        "DBClusterIdentifier",
        "ReadReplicaSourceDBInstanceIdentifier",
        "ReadReplicaSourceDBClusterIdentifier",
    )
    return any(instance.get(other) for other in others)


def rds_snapshots(place: Place) -> Iterator[Evidence]:
    """Yield snapshots of instances. A copy is as old as its original."""
    paginator = aws.client("rds").get_paginator("describe_db_snapshots")
    for page in paginator.paginate():
        for snapshot in page.get("DBSnapshots", []):
            original = snapshot.get("OriginalSnapshotCreateTime")
            created = original or snapshot.get("SnapshotCreateTime")
            if created:  # it has no time while it is being created
                arn = place.arn("rds", "db:", snapshot["DBInstanceIdentifier"])
                yield RecoveryPoint(
                    subject=arn,
                    at=created,
                    status=snapshot["Status"],
                )


def rds_clusters(place: Place) -> Iterator[Evidence]:
    """Yield clusters, also of Neptune and DocumentDB, and to what moment each can be restored."""
    paginator = aws.client("rds").get_paginator("describe_db_clusters")
    for page in paginator.paginate():
        for cluster in page.get("DBClusters", []):
            arn = place.arn("rds", "cluster:", cluster["DBClusterIdentifier"])
            yield Resource(
                subject=arn,
                created=cluster.get("ClusterCreateTime"),
                status=cluster["Status"],
            )
            if latest := cluster.get("LatestRestorableTime"):
                yield RecoveryPoint(arn, latest)


def ebs_volumes(place: Place) -> Iterator[Evidence]:
    """Yield volumes."""
    paginator = aws.client("ec2").get_paginator("describe_volumes")
    for page in paginator.paginate():
        for volume in page.get("Volumes", []):
            arn = place.arn("ec2", "volume/", volume["VolumeId"])
            yield Resource(
                subject=arn,
                created=volume["CreateTime"],
                status=volume["State"],
            )


def ebs_snapshots(place: Place) -> Iterator[Evidence]:
    """Yield the account's own snapshots of volumes."""
    paginator = aws.client("ec2").get_paginator("describe_snapshots")
    pages = paginator.paginate(OwnerIds=["self"], PaginationConfig={"PageSize": 1_000})
    for page in pages:
        for snapshot in page.get("Snapshots", []):
            arn = place.arn("ec2", "volume/", snapshot["VolumeId"])
            yield RecoveryPoint(
                subject=arn,
                at=snapshot["StartTime"],
                status=snapshot["State"],
            )


def efs_file_systems(place: Place) -> Iterator[Evidence]:
    """Yield file systems, of which only AWS Backup has backups."""
    paginator = aws.client("efs").get_paginator("describe_file_systems")
    for page in paginator.paginate():
        for system in page.get("FileSystems", []):
            arn = place.arn("elasticfilesystem", "file-system/", system["FileSystemId"])
            yield Resource(
                subject=arn,
                created=system["CreationTime"],
                status=system["LifeCycleState"],
            )


def s3_buckets(place: Place) -> Iterator[Evidence]:
    """Yield the region's buckets, of which only AWS Backup has backups."""
    partition = aws.partition(place.region)
    paginator = aws.client("s3").get_paginator("list_buckets")
    for page in paginator.paginate(BucketRegion=place.region):
        for bucket in page.get("Buckets", []):
            arn = f"arn:{partition}:s3:::{bucket['Name']}"
            yield Resource(arn, created=bucket["CreationDate"])


def dynamodb_backups(place: Place) -> Iterator[Evidence]:
    """Yield the on-demand backups of all tables."""
    paginator = aws.client("dynamodb").get_paginator("list_backups")
    for page in paginator.paginate():
        for backup in page.get("BackupSummaries", []):
            arn = place.arn("dynamodb", "table/", backup["TableName"])
            yield RecoveryPoint(
                subject=arn,
                at=backup["BackupCreationDateTime"],
                status=backup["BackupStatus"],
            )


def dynamodb_tables(place: Place, selected: Container[str] | None) -> Iterator[Evidence]:
    """Yield the tables whose ARNs are selected (None: all), one by one."""
    paginator = aws.client("dynamodb").get_paginator("list_tables")
    for page in paginator.paginate():
        for name in page.get("TableNames", []):
            arn = place.arn("dynamodb", "table/", name)
            if selected is None or arn in selected:
                sleep(SECONDS_BETWEEN_TABLES)
                yield from dynamodb_table(arn, name)


def dynamodb_table(arn: str, name: str) -> Iterator[Evidence]:
    """Yield a table, and to what moment it can be restored; nothing if it was deleted meanwhile."""
    dynamodb = aws.client("dynamodb")
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
        answer = dynamodb.describe_continuous_backups(TableName=name)
    except (BotoCoreError, ClientError) as error:
        if not is_missing(error):
            yield Resource(arn, created=NEVER)  # it was listed, so it should have a backup
            yield Unreadable(arn, f"cannot be read: {error}")
        return
    yield Resource(
        subject=arn,
        created=table["CreationDateTime"],
        status=table["TableStatus"],
    )
    backups = answer["ContinuousBackupsDescription"]
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    if latest := recovery.get("LatestRestorableDateTime"):
        yield RecoveryPoint(arn, latest)


def is_missing(error: Exception) -> bool:
    """Whether AWS says that there is no such resource."""
    if not isinstance(error, ClientError):
        return False
    return aws.error_code(error) == "ResourceNotFoundException"


def backup_vaults() -> Iterator[Evidence]:
    """Yield the recovery points in all vaults of AWS Backup, of whatever service."""
    paginator = aws.client("backup").get_paginator("list_backup_vaults")
    for page in paginator.paginate():
        for vault in page.get("BackupVaultList", []):
            yield from backup_vault(vault["BackupVaultName"])


def backup_vault(name: str) -> Iterator[Evidence]:
    """Yield the recovery points in one vault. The ARN of a continuous one says that it is."""
    paginator = aws.client("backup").get_paginator("list_recovery_points_by_backup_vault")
    try:
        for page in paginator.paginate(BackupVaultName=name):
            for point in page.get("RecoveryPoints", []):
                yield RecoveryPoint(
                    subject=point["ResourceArn"],
                    at=point["CreationDate"],
                    status=point["Status"],
                    continuous=":continuous" in point["RecoveryPointArn"],
                )
    except (BotoCoreError, ClientError) as error:
        yield UnreadableVault(f"cannot be read: {error}")
