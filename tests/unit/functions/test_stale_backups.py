import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]
import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.validate import ParamValidator
from functions.stale_backups import app
from functions.stale_backups.app import NEVER, Seen, handler, judged
from tests.conftest import Context

from fleet import aws
from fleet.findings import Finding
from fleet.settings import SettingsError, parse_entries

EVENT = json.loads((Path(__file__).parents[2] / "events" / "stale_backups.json").read_text())
NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALLOWED = 26 * HOUR
LONG_AGO = NOW - timedelta(days=400)
HERE = "eu-west-1:123456789012"
TABLE = f"arn:aws:dynamodb:{HERE}:table/orders"
TAG = "fleet:backup-max-age"


def told(*seen: Seen, subject: str = TABLE, existing: bool = True) -> list[Finding]:
    itself = [Seen(created=LONG_AGO, state="ACTIVE")] if existing else []
    return list(judged(subject, [*itself, *seen], ALLOWED, NOW))


def point(age: timedelta, outcome: str = "COMPLETED", state: str = "") -> Seen:
    return Seen(NOW - age, outcome, state)


@pytest.mark.parametrize(
    ("beyond", "found"),
    [(-timedelta(seconds=1), 0), (timedelta(0), 0), (timedelta(seconds=1), 1)],
    ids=["a second less", "exactly", "a second more"],
)
def test_a_backup_is_stale_when_older_than_allowed(beyond: timedelta, found: int) -> None:
    assert len(told(point(ALLOWED + beyond))) == found
    assert (
        len(list(judged(TABLE, [Seen(created=NOW - ALLOWED - beyond)], ALLOWED, NOW))) == found
    )  # just created


def test_a_stale_backup_is_a_finding_with_what_was_tried_since() -> None:
    zone = timezone(HOUR, "CET")
    failed = Seen((NOW - HOUR).astimezone(zone), "PARTIAL")
    assert told(point(timedelta(days=3, hours=5, minutes=59)), failed) == [
        Finding(
            subject=TABLE,
            title="dynamodb table/orders has no good backup newer than 3 d 5 h",
            detail={
                "allowed": "1 day, 2:00:00",
                "2026-11-17 01:01 UTC": "completed",
                "2026-11-20 06:00 UTC": "partial",
                "unread": "nothing",
            },
        )
    ]


@pytest.mark.parametrize(
    "outcome",
    [
        "PARTIAL",
        "EXPIRED",
        "STOPPED",
        "CREATING",
        "DELETING",
        "failed",
        "pending",
        "error",
        "only 3 bytes",
    ],
)
def test_a_recovery_point_that_did_not_end_in_success_does_not_count(outcome: str) -> None:
    (finding,) = told(point(HOUR, outcome))
    assert finding.title.endswith("has no good backup")
    assert told(point(2 * HOUR), point(HOUR, outcome)) == []


@pytest.mark.parametrize("outcome", ["", "COMPLETED", "AVAILABLE", "available", "completed"])
def test_a_good_one_counts_however_its_service_says_so(outcome: str) -> None:
    assert told(point(HOUR, outcome)) == []


def test_a_continuous_backup_reaches_to_now_until_it_is_stopped() -> None:
    assert told(point(timedelta(days=300), "AVAILABLE", "lasts")) == []
    (finding,) = told(point(timedelta(days=300), "STOPPED", "lasts"))
    assert finding.detail["2026-01-24 07:00 UTC"] == "stopped"


@pytest.mark.parametrize("state", ["creating", "CREATING", "deleting", "DELETING", "deleted"])
def test_what_comes_or_goes_needs_no_backup(state: str) -> None:
    assert told(Seen(created=LONG_AGO, state=state)) == []


def test_what_is_not_there_needs_no_backup() -> None:
    assert told(point(timedelta(days=90)), existing=False) == []
    assert told(existing=False) == []


@pytest.mark.parametrize("state", ["stopping", "stopped", "starting"])
def test_a_stopped_database_needs_a_backup_but_no_recent_one(state: str) -> None:
    itself = Seen(None, "", state, LONG_AGO)
    assert told(itself, point(timedelta(days=6))) == []
    assert len(told(itself)) == 1
    assert len(told(itself, point(HOUR, "failed"))) == 1


def test_what_cannot_be_read_is_a_finding_only_when_nothing_else_shows_a_recent_backup() -> None:
    unread = Seen(outcome="cannot be read: AccessDenied")
    assert told(unread, point(HOUR)) == []
    (finding,) = told(unread, point(2 * ALLOWED))
    assert finding.subject == TABLE
    assert finding.title == "dynamodb table/orders has no recent backup that can be read"
    assert finding.detail["unread"] == "cannot be read: AccessDenied"


def test_a_path_is_expected_to_hold_a_dump_from_the_beginning() -> None:
    (finding,) = told(subject="s3://dumps/orders/", existing=False)
    assert (finding.subject, finding.title) == (
        "s3://dumps/orders/",
        "s3://dumps/orders/ has no good backup",
    )


def test_an_age_beyond_all_time_is_no_error() -> None:
    assert list(judged(TABLE, [Seen(created=LONG_AGO)], timedelta(weeks=999_999), NOW)) == []


class Account:
    """AWS as far as the job reads it: recorded pages by operation, each checked against botocore's model."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.published: list[Any] = []

    def has(self, service: str, operation: str, page: Any) -> None:
        model = botocore.session.get_session().get_service_model(service).operation_model(operation)
        assert model.output_shape
        report = ParamValidator().validate(page, model.output_shape)
        assert not report.has_errors(), report.generate_report()
        self.pages.setdefault(xform_name(operation), []).append(page)

    def answer(self, operation: str, request: dict[str, Any]) -> Iterator[Any]:
        self.requests.append((operation, request))
        for page in self.pages.get(operation, []):
            if isinstance(page, Exception):
                raise page
            yield page(request) if callable(page) else page


class Client:
    def __init__(
        self, account: Account, operation: str = "", request: dict[str, Any] | None = None
    ) -> None:
        self.account, self.operation, self.request = account, operation, request or {}

    def get_paginator(self, operation: str) -> "Client":
        return Client(self.account, operation)

    def paginate(self, **request: Any) -> "Client":
        return Client(self.account, self.operation, request)

    def search(self, query: str) -> Iterator[Any]:
        for page in self.account.answer(self.operation, self.request):
            found = jmespath.search(query, page)
            yield from (
                found if isinstance(found, list) else [found]
            )  # as botocore's PageIterator does

    def put_events(self, Entries: list[Any]) -> Any:  # noqa: N803 - boto3's name
        self.account.published += [json.loads(entry["Detail"]) for entry in Entries]
        return {"Entries": [{"EventId": "e1"}]}

    def describe_table(self, **request: Any) -> Any:
        return next(self.account.answer("describe_table", request))

    def describe_continuous_backups(self, **request: Any) -> Any:
        return next(self.account.answer("describe_continuous_backups", request))


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()
    monkeypatch.setattr(aws, "client", lambda _: Client(made))
    monkeypatch.setattr(app, "sleep", lambda _: None)
    monkeypatch.setattr(aws, "parameter", lambda *_, **__: made.pages.get("dumps", "[]"))
    for name, value in {
        "ACCOUNT": "123456789012",
        "DUMPS_PARAMETER": "/fleet/stale_backups/dumps",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "stale_backups")
    return made


def tagged(account: Account, **ages: str) -> None:
    found = [
        {"ResourceARN": arn, "Tags": [{"Key": TAG, "Value": age}]} for arn, age in ages.items()
    ]
    account.has("resourcegroupstaggingapi", "GetResources", {"ResourceTagMappingList": found})


def reported(account: Account, context: Context) -> dict[str, dict[str, Any]]:
    handler(EVENT, context)
    (report,) = account.published
    return {finding["subject"]: finding for finding in report["findings"]}


def denied(code: str = "AccessDeniedException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Read")


def table(account: Account, name: str, latest: datetime | None = None) -> None:
    account.has("dynamodb", "ListTables", {"TableNames": [name]})
    described = {"TableStatus": "ACTIVE", "CreationDateTime": LONG_AGO}
    account.has("dynamodb", "DescribeTable", {"Table": described})
    window = {"LatestRestorableDateTime": latest} if latest else {}
    backups = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": window}
    account.has("dynamodb", "DescribeContinuousBackups", {"ContinuousBackupsDescription": backups})


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
    table(account, "orders")
    tagged(account, **{"arn:aws:s3:::excepted": "none"})
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
        "rds db:late has no good backup newer than 3 d 0 h",
        "rds db:copied has no good backup newer than 3 d 0 h",
        "rds cluster:aurora has no good backup newer than 3 d 0 h",
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
    table(account, "orders")
    tagged(account, **{TABLE: "", f"arn:aws:dynamodb:{HERE}:table/gone": "1h"})
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
    table(account, "orders", latest=NOW - 30 * HOUR)
    tagged(account, **{TABLE: age})
    assert len(reported(account, context)) == found


def test_a_tag_that_is_mistyped_is_a_finding_about_its_resource(
    account: Account, context: Context
) -> None:
    table(account, "orders", latest=NOW)
    tagged(account, **{TABLE: "daily"})
    (finding,) = reported(account, context).values()
    assert finding["subject"] == TABLE
    assert finding["title"] == f"{TABLE} has a tag fleet:backup-max-age that cannot be used"
    assert "'daily'" in finding["detail"]["reason"]


@pytest.mark.parametrize(
    "error", [denied(), ReadTimeoutError(endpoint_url="https://x")], ids=["denied", "time-out"]
)
@pytest.mark.parametrize("operation", ["describe_table", "describe_continuous_backups"])
def test_a_table_that_cannot_be_read_bears_its_own_subject(
    operation: str, error: Exception, account: Account, context: Context
) -> None:
    table(account, "orders", latest=NOW)
    account.pages[operation] = [error]
    tagged(account, **{TABLE: ""})
    (finding,) = reported(account, context).values()
    assert finding["subject"] == TABLE
    assert finding["title"].endswith("has no recent backup that can be read")
    assert str(error) in finding["detail"]["unread"]


def test_a_table_that_is_deleted_meanwhile_is_no_finding(
    account: Account, context: Context
) -> None:
    table(account, "orders")
    account.pages["describe_table"] = [denied("ResourceNotFoundException")]
    tagged(account, **{TABLE: ""})
    assert reported(account, context) == {}


def test_a_vault_that_cannot_be_read_leaves_only_those_in_doubt_whose_backups_nothing_else_shows(
    account: Account, context: Context
) -> None:
    table(account, "orders")
    system, good = f"arn:aws:elasticfilesystem:{HERE}:file-system/fs-gone", "arn:aws:s3:::good"
    account.has("s3", "ListBuckets", {"Buckets": [{"Name": "good", "CreationDate": LONG_AGO}]})
    tagged(account, **{TABLE: "", system: "", good: ""})
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
        TABLE: "dynamodb table/orders has no recent backup that can be read",
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
    table(account, "orders")
    tagged(account, **{TABLE: ""})
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
    assert found == {
        "s3://dumps/old/": "s3://dumps/old/ has no good backup newer than 1 d 6 h",
        "s3://dumps/small/": "s3://dumps/small/ has no good backup",
        "s3://dumps/empty/": "s3://dumps/empty/ has no good backup",
        "s3://denied": "s3://denied has no recent backup that can be read",
        "entry 6 of /fleet/stale_backups/dumps": "entry 6 of /fleet/stale_backups/dumps cannot be used",
        "entry 7 of /fleet/stale_backups/dumps": "entry 7 of /fleet/stale_backups/dumps cannot be used",
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


def test_never_is_before_all_times() -> None:
    assert NEVER < LONG_AGO


@pytest.mark.parametrize(
    "path", ["", "dumps/orders/", "s3://", "s3://Dumps/", f"s3://dumps/{'x' * 1_000}"]
)
def test_a_path_that_is_none_is_a_fault_of_the_list(path: str) -> None:
    listed = parse_entries(f"[{{path: '{path}', max_age: 26h}}]", app.Dump, "the list")
    assert not listed.usable
    assert "expected s3://bucket/prefix" in listed.faults[0].reason
