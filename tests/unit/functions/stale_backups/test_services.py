from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from tests.unit.functions.stale_backups.account import (
    HERE,
    HOUR,
    LONG_AGO,
    NOW,
    TABLE,
    Account,
    denied,
)

from fleet_backups.services import (
    Place,
    backup_vaults,
    dynamodb_tables,
    rds_instances,
    rds_snapshots,
    read_services,
)
from fleet_backups.values import NEVER, RecoveryPoint, Resource, Unreadable, UnreadableVault

PLACE = Place("eu-west-1", "123456789012")
DATABASE = f"arn:aws:rds:{HERE}:db:orders"


@pytest.mark.parametrize(
    ("region", "arn"),
    [
        ("eu-west-1", "arn:aws:rds:eu-west-1:1:db:orders"),
        ("cn-north-1", "arn:aws-cn:rds:cn-north-1:1:db:orders"),
        ("us-gov-east-1", "arn:aws-us-gov:rds:us-gov-east-1:1:db:orders"),
    ],
)
def test_an_arn_is_of_the_partition_of_its_region(region: str, arn: str) -> None:
    assert Place(region, "1").arn("rds", "db:", "orders") == arn


def instance(**facts: Any) -> dict[str, Any]:
    named = {"DBInstanceIdentifier": "orders", "DBInstanceStatus": "available"}
    return {**named, "InstanceCreateTime": LONG_AGO, **facts}


def test_a_database_is_restorable_to_the_end_of_its_window(account: Account) -> None:
    databases = [instance(LatestRestorableTime=NOW), instance()]
    account.has("rds", "DescribeDBInstances", {"DBInstances": databases})
    database = Resource(DATABASE, LONG_AGO, "available")
    assert list(rds_instances(PLACE)) == [database, RecoveryPoint(DATABASE, NOW), database]


@pytest.mark.parametrize(
    "of",
    [
        "DBClusterIdentifier",
        "ReadReplicaSourceDBInstanceIdentifier",
        "ReadReplicaSourceDBClusterIdentifier",
    ],
)
def test_members_and_replicas_have_the_backups_of_another(of: str, account: Account) -> None:
    page = {"DBInstances": [instance(**{of: "other"}, LatestRestorableTime=NOW)]}
    account.has("rds", "DescribeDBInstances", page)
    assert list(rds_instances(PLACE)) == []


def test_a_copied_snapshot_is_as_old_as_its_original(account: Account) -> None:
    copied = {
        "DBInstanceIdentifier": "orders",
        "SnapshotCreateTime": NOW,
        "OriginalSnapshotCreateTime": LONG_AGO,
        "Status": "available",
    }
    coming = {"DBInstanceIdentifier": "orders", "Status": "creating"}
    account.has("rds", "DescribeDBSnapshots", {"DBSnapshots": [copied, coming]})
    assert list(rds_snapshots(PLACE)) == [RecoveryPoint(DATABASE, LONG_AGO, "available")]


@pytest.mark.parametrize("operation", ["describe_table", "describe_continuous_backups"])
@pytest.mark.parametrize(
    "error", [denied(), ReadTimeoutError(endpoint_url="https://x")], ids=["denied", "timeout"]
)
def test_a_table_that_cannot_be_read_should_have_a_backup_all_the_same(
    operation: str, error: Exception, account: Account
) -> None:
    account.has_table("orders", latest=NOW)
    account.pages[operation] = [error]
    assert list(dynamodb_tables(PLACE, None)) == [
        Resource(TABLE, NEVER),
        Unreadable(TABLE, f"cannot be read: {error}"),
    ]


@pytest.mark.parametrize("operation", ["describe_table", "describe_continuous_backups"])
def test_a_table_that_was_deleted_meanwhile_is_left_out(operation: str, account: Account) -> None:
    account.has_table("orders")
    account.pages[operation] = [denied("ResourceNotFoundException")]
    assert list(dynamodb_tables(PLACE, None)) == []


def test_only_selected_tables_are_described(account: Account) -> None:
    account.has("dynamodb", "ListTables", {"TableNames": ["other"]})
    account.has_table("orders")
    assert list(dynamodb_tables(PLACE, {TABLE})) == [Resource(TABLE, LONG_AGO, "ACTIVE")]


def test_a_vault_that_cannot_be_read_to_the_end_keeps_what_it_showed(account: Account) -> None:
    account.has("backup", "ListBackupVaults", {"BackupVaultList": [{"BackupVaultName": "locked"}]})
    began = NOW - HOUR
    point = {
        "ResourceArn": TABLE,
        "CreationDate": began,
        "Status": "AVAILABLE",
        "RecoveryPointArn": f"arn:aws:backup:{HERE}:recovery-point:continuous:orders-1",
    }
    account.has("backup", "ListRecoveryPointsByBackupVault", {"RecoveryPoints": [point]})
    account.pages["list_recovery_points_by_backup_vault"].append(denied())
    assert list(backup_vaults()) == [
        RecoveryPoint(TABLE, began, "AVAILABLE", continuous=True),
        UnreadableVault(f"cannot be read: {denied()}"),
    ]


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("rds", "DescribeDBInstances"),
        ("rds", "DescribeDBSnapshots"),
        ("rds", "DescribeDBClusters"),
        ("ec2", "DescribeVolumes"),
        ("ec2", "DescribeSnapshots"),
        ("efs", "DescribeFileSystems"),
        ("s3", "ListBuckets"),
        ("dynamodb", "ListBackups"),
        ("dynamodb", "ListTables"),
        ("backup", "ListBackupVaults"),
    ],
)
def test_a_page_without_its_list_hides_no_other_service(
    service: str, operation: str, account: Account
) -> None:
    account.has(service, operation, {})
    vaults = {"BackupVaultList": [{"BackupVaultName": "v1"}]}
    account.has("backup", "ListBackupVaults", vaults)
    account.has("backup", "ListRecoveryPointsByBackupVault", {})
    point = {
        "ResourceArn": TABLE,
        "CreationDate": NOW,
        "Status": "COMPLETED",
        "RecoveryPointArn": "arn:aws:backup:1",
    }
    account.has("backup", "ListRecoveryPointsByBackupVault", {"RecoveryPoints": [point]})
    found = list(read_services(PLACE, selected=None))
    assert found == [RecoveryPoint(TABLE, NOW, "COMPLETED")]
