import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from functions.stale_backups.app import handler
from tests.conftest import Context
from tests.unit.functions.stale_backups.account import (
    HERE,
    HOUR,
    LONG_AGO,
    NOW,
    TABLE,
    TAG,
    Account,
    Client,
    denied,
)

from fleet import aws
from fleet.settings import SettingsError
from fleet_backups import services

EVENT = json.loads((Path(__file__).parents[2] / "events" / "stale_backups.json").read_text())
ALLOWED = 26 * HOUR


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    monkeypatch.setattr(aws, "client", lambda _: Client(made))
    monkeypatch.setattr(services, "sleep", lambda _: None)
    monkeypatch.setattr(aws, "read_parameter", lambda *_, **__: made.pages.get("dumps", "[]"))
    for name, value in {
        "ACCOUNT": "123456789012",
        "DUMPS_PARAMETER": "/fleet/stale_backups/dumps",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "stale_backups")
    return made


def reported(account: Account, context: Context) -> dict[str, dict[str, Any]]:
    handler(EVENT, context)
    (report,) = account.published
    return {finding["subject"]: finding for finding in report["findings"]}


def test_all_is_looked_at_without_a_tag_to_select(
    account: Account, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELECT_TAG", "")
    old, new = NOW - timedelta(days=3), NOW - HOUR

    def instance(name: str, latest: datetime | None = None, **facts: Any) -> dict[str, Any]:
        found = {
            "DBInstanceIdentifier": name,
            "DBInstanceStatus": "available",
            "InstanceCreateTime": LONG_AGO,
        }
        return found | ({"LatestRestorableTime": latest} if latest else {}) | facts

    instances = [
        instance("window", new),
        instance("late", old),
        instance("snapshot"),
        instance("copied"),
        instance("member", DBClusterIdentifier="aurora"),
        instance("replica", ReadReplicaSourceDBInstanceIdentifier="window"),
        {"DBInstanceIdentifier": "coming", "DBInstanceStatus": "creating"},
    ]
    account.has("rds", "DescribeDBInstances", {"DBInstances": instances})
    shots = [
        {"DBInstanceIdentifier": "snapshot", "SnapshotCreateTime": new, "Status": "available"},
        {
            "DBInstanceIdentifier": "copied",
            "SnapshotCreateTime": new,
            "OriginalSnapshotCreateTime": old,
            "Status": "available",
        },
        {"DBInstanceIdentifier": "gone", "SnapshotCreateTime": old, "Status": "available"},
    ]
    account.has("rds", "DescribeDBSnapshots", {"DBSnapshots": shots})
    cluster = {
        "DBClusterIdentifier": "aurora",
        "ClusterCreateTime": LONG_AGO,
        "Status": "available",
    }
    account.has(
        "rds", "DescribeDBClusters", {"DBClusters": [cluster | {"LatestRestorableTime": old}]}
    )
    volumes = [
        {"VolumeId": f"vol-{name}", "State": "in-use", "CreateTime": LONG_AGO}
        for name in ("kept", "late")
    ]
    account.has("ec2", "DescribeVolumes", {"Volumes": volumes})
    kept = {"VolumeId": "vol-kept", "StartTime": new, "State": "completed"}
    late = {"VolumeId": "vol-late", "StartTime": new, "State": "pending"}
    account.has("ec2", "DescribeSnapshots", {"Snapshots": [kept]})
    account.has("ec2", "DescribeSnapshots", {"Snapshots": [late]})
    system = {
        "OwnerId": "1",
        "CreationToken": "x",
        "NumberOfMountTargets": 0,
        "PerformanceMode": "maxIO",
        "Tags": [],
    }
    system |= {"SizeInBytes": {"Value": 1}, "CreationTime": LONG_AGO, "LifeCycleState": "available"}
    systems = [system | {"FileSystemId": f"fs-{name}"} for name in ("kept", "never")]
    account.has("efs", "DescribeFileSystems", {"FileSystems": systems})
    buckets = [
        {"Name": name, "CreationDate": LONG_AGO} for name in ("continuous", "excepted", "never")
    ]
    account.has("s3", "ListBuckets", {"Buckets": buckets})
    on_demand = {"TableName": "orders", "BackupCreationDateTime": new, "BackupStatus": "AVAILABLE"}
    account.has("dynamodb", "ListBackups", {"BackupSummaries": [on_demand]})
    account.has_table("orders")
    account.has_tags(**{"arn:aws:s3:::excepted": "none"})
    account.has("backup", "ListBackupVaults", {"BackupVaultList": [{"BackupVaultName": "Default"}]})
    points = [
        {
            "ResourceArn": arn,
            "CreationDate": at,
            "Status": status,
            "RecoveryPointArn": f"arn:aws:backup:{HERE}:{of}",
        }
        for arn, at, status, of in (
            (
                f"arn:aws:elasticfilesystem:{HERE}:file-system/fs-kept",
                new,
                "COMPLETED",
                "recovery-point:1",
            ),
            ("arn:aws:s3:::continuous", old, "AVAILABLE", "recovery-point:continuous:continuous-1"),
            (f"arn:aws:rds:{HERE}:cluster:aurora", new, "PARTIAL", "recovery-point:2"),
            (f"arn:aws:fsx:{HERE}:volume/other", old, "COMPLETED", "recovery-point:3"),
        )
    ]
    account.has("backup", "ListRecoveryPointsByBackupVault", {"RecoveryPoints": points})
    titles = {finding["title"] for finding in reported(account, context).values()}
    assert titles == {
        "rds db:late: newest good backup is 3 d old (allowed 26 h)",
        "rds db:copied: newest good backup is 3 d old (allowed 26 h)",
        "rds cluster:aurora: newest good backup is 3 d old (allowed 26 h)",
        "ec2 volume/vol-late has no good backup",
        "elasticfilesystem file-system/fs-never has no good backup",
        "s3 never has no good backup",
    }
    requests = dict(account.requests)
    assert requests["describe_snapshots"] == {
        "OwnerIds": ["self"],
        "PaginationConfig": {"PageSize": 1_000},
    }
    assert requests["list_buckets"] == {"BucketRegion": "eu-west-1"}
    assert requests["get_resources"]["TagFilters"] == []


@pytest.mark.parametrize(
    ("select", "filters"),
    [
        (None, [{"Key": TAG, "Values": []}]),
        ("backup", [{"Key": "backup", "Values": []}]),
        ("backup=daily", [{"Key": "backup", "Values": ["daily"]}]),
    ],
)
def test_a_tag_selects_what_is_looked_at(
    select: str | None,
    filters: list[Any],
    account: Account,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if select:
        monkeypatch.setenv("SELECT_TAG", select)
    account.has("dynamodb", "ListTables", {"TableNames": ["other"]})
    account.has_table("orders")
    account.has_tags(**{TABLE: "", f"arn:aws:dynamodb:{HERE}:table/gone": "1h"})
    assert set(reported(account, context)) == {TABLE}
    requests = account.requests
    assert (
        next(request for name, request in requests if name == "get_resources")["TagFilters"]
        == filters
    )
    assert [request for name, request in requests if name == "describe_table"] == [
        {"TableName": "orders"}
    ]


@pytest.mark.parametrize(
    ("age", "found"),
    [("", 1), ("4h", 1), ("2d", 0), ("none", 0)],
    ids=["the default", "shorter", "longer", "excepted"],
)
def test_a_resource_says_how_old_its_backup_may_be(
    age: str, found: int, account: Account, context: Context
) -> None:
    account.has_table("orders", latest=NOW - 30 * HOUR)
    account.has_tags(**{TABLE: age})
    assert len(reported(account, context)) == found


def test_a_tag_that_is_mistyped_is_a_finding_about_its_resource(
    account: Account, context: Context
) -> None:
    account.has_table("orders", latest=NOW)
    account.has_tags(**{TABLE: "daily"})
    (finding,) = reported(account, context).values()
    assert finding["subject"] == TABLE
    assert finding["title"] == f"{TABLE} has a tag fleet:backup-max-age that cannot be used"
    assert "'daily'" in finding["detail"]["reason"]


@pytest.mark.parametrize(
    "error", [denied(), ReadTimeoutError(endpoint_url="https://x")], ids=["denied", "timeout"]
)
@pytest.mark.parametrize("operation", ["describe_table", "describe_continuous_backups"])
def test_a_table_that_cannot_be_read_is_a_finding_under_its_own_subject(
    operation: str, error: Exception, account: Account, context: Context
) -> None:
    account.has_table("orders", latest=NOW)
    account.pages[operation] = [error]
    account.has_tags(**{TABLE: ""})
    (finding,) = reported(account, context).values()
    assert finding["subject"] == TABLE
    assert finding["title"].endswith("some backups could not be read")
    assert str(error) in finding["detail"]["unread"]


def test_a_table_that_is_deleted_meanwhile_is_no_finding(
    account: Account, context: Context
) -> None:
    account.has_table("orders")
    account.pages["describe_table"] = [denied("ResourceNotFoundException")]
    account.has_tags(**{TABLE: ""})
    assert reported(account, context) == {}


def test_a_vault_that_cannot_be_read_leaves_only_those_in_doubt_whose_backups_nothing_else_shows(
    account: Account, context: Context
) -> None:
    account.has_table("orders")
    system, good = f"arn:aws:elasticfilesystem:{HERE}:file-system/fs-gone", "arn:aws:s3:::good"
    account.has("s3", "ListBuckets", {"Buckets": [{"Name": "good", "CreationDate": LONG_AGO}]})
    account.has_tags(**{TABLE: "", system: "", good: ""})
    vaults = [{"BackupVaultName": "locked"}, {"BackupVaultName": "open"}]
    account.has("backup", "ListBackupVaults", {"BackupVaultList": vaults})
    point = {
        "ResourceArn": good,
        "CreationDate": NOW,
        "Status": "COMPLETED",
        "RecoveryPointArn": "arn:aws:backup:x",
    }

    def points(request: dict[str, Any]) -> Any:
        if request["BackupVaultName"] == "locked":
            raise denied()
        return {"RecoveryPoints": [point]}

    account.pages["list_recovery_points_by_backup_vault"] = [points]
    account.pages["dumps"] = "[{path: s3://dumps/, max_age: 26h}]"
    found = reported(account, context)
    assert {subject: finding["title"] for subject, finding in found.items()} == {
        TABLE: "dynamodb table/orders: no recent backup found, and some backups could not be read",
        "s3://dumps/": "s3://dumps/ has no good backup",
    }


@pytest.mark.parametrize(
    "operation",
    [
        *(
            "get_resources",
            "describe_db_instances",
            "describe_db_snapshots",
            "describe_db_clusters",
            "list_backups",
        ),
        *(
            "describe_volumes",
            "describe_snapshots",
            "describe_file_systems",
            "list_buckets",
            "list_tables",
        ),
        "list_backup_vaults",
    ],
)
def test_a_service_that_cannot_be_listed_fails_the_run(
    operation: str, account: Account, context: Context
) -> None:
    account.has_table("orders")
    account.has_tags(**{TABLE: ""})
    account.pages[operation] = [denied()]
    with pytest.raises(ClientError, match="AccessDenied"):
        handler(EVENT, context)
    assert account.published == []


DUMPS = """
- {path: s3://dumps/new/, max_age: 26h, min_bytes: 100}
- {path: s3://dumps/old/, max_age: 26h}
- {path: s3://dumps/small/, max_age: 26h, min_bytes: 101}
- {path: s3://dumps/empty/, max_age: 26h}
- {path: s3://denied, max_age: 26h}
- {path: s3://dumps/new/, max_age: 1h}
- {path: s3://dumps/x/, max_age: daily}
"""


def test_a_path_without_a_new_and_large_dump_is_a_finding(
    account: Account, context: Context
) -> None:
    account.has("s3", "ListObjectsV2", {})
    ages = {"new/": [HOUR, 3 * ALLOWED], "old/": [30 * HOUR], "small/": [HOUR, 50 * HOUR]}

    def listed(request: dict[str, Any]) -> Any:
        if request["Bucket"] == "denied":
            raise denied("NoSuchBucket")
        assert request["Bucket"] == "dumps"
        found = ages.get(request["Prefix"], [])
        return (
            {"Contents": [{"LastModified": NOW - age, "Size": 100} for age in found]}
            if found
            else {}
        )

    account.pages["list_objects_v2"] = [listed]
    account.pages["dumps"] = DUMPS
    found = {subject: finding["title"] for subject, finding in reported(account, context).items()}
    unusable = [f"entry {number} of /fleet/stale_backups/dumps" for number in (6, 7)]
    assert found == {
        "s3://dumps/old/": "s3://dumps/old/: newest good backup is 30 h old (allowed 26 h)",
        "s3://dumps/small/": "s3://dumps/small/ has no good backup",
        "s3://dumps/empty/": "s3://dumps/empty/ has no good backup",
        "s3://denied": "s3://denied: no recent backup found, and some backups could not be read",
        **{entry: f"{entry} cannot be used" for entry in unusable},
    }


def test_a_malformed_setting_stops_the_job(
    account: Account, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_AGE", "a day")
    with pytest.raises(
        SettingsError, match="MAX_AGE: expected a duration such as 12h or 30d, got 'a day'"
    ):
        handler(EVENT, context)
    assert account.published == []
