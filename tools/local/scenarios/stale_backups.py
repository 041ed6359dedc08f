"""Two tables, one of them without point-in-time recovery, and three paths for dumps, of which one is old, one small."""

from datetime import UTC, datetime, timedelta

from mypy_boto3_dynamodb import DynamoDBClient

from tools.local.alert_waits import opened, resolved
from tools.local.destinations import SLACK
from tools.local.fleet import Fleet, eventually, expect
from tools.sandbox import ACCOUNT, CONFIG, REGION, session

TRIGGER = "schedule"
BUCKET = "fleet-dumps"
OLD, SMALL, GOOD = (f"s3://{BUCKET}/{name}/" for name in ("old", "small", "good"))
DUMPS = f"""
- {{path: "{OLD}", max_age: 5s}}
- {{path: "{SMALL}", max_age: 1h, min_bytes: 1000}}
- {{path: "{GOOD}", max_age: 1h, min_bytes: 1000}}
"""
MISSED = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/shop-orders"
PROTECTED = "shop-invoices"


def seed(fleet: Fleet) -> None:
    """Create the tables, which may be without a backup for five seconds, and a vault; leave the dumps."""
    endpoint = fleet.account.environment["AWS_ENDPOINT_URL"]
    vaults = session().client("backup", endpoint_url=endpoint, config=CONFIG)
    vaults.create_backup_vault(BackupVaultName="fleet-played")
    for name in ("shop-orders", PROTECTED):
        dynamodb(fleet).create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": "fleet:backup-max-age", "Value": "5s"}],
        )
    protect(fleet, PROTECTED)
    fleet.account.make_bucket(BUCKET)
    for path, size in ((OLD, 2_000), (SMALL, 10), (GOOD, 2_000)):
        dump(fleet, path, size)
    fleet.configure("stale_backups", "DUMPS_PARAMETER", DUMPS)


def play(fleet: Fleet) -> str:
    """Expect the table, the old and the small dump; then protect the one, dump anew, and expect that all is over."""
    eventually(lambda: age(fleet) > timedelta(seconds=6), "the dump does not grow old")
    found = {finding["subject"]: finding["title"] for finding in fleet.report("stale_backups")}
    expect(
        set(found) == {MISSED, OLD, SMALL},
        f"expected the table, the old and the small dump; reported: {found}",
    )
    for subject in found:
        opened(fleet, f"stale_backups/{subject}", SLACK)
    protect(fleet, "shop-orders")
    for path in (SMALL, OLD):
        dump(fleet, path, 2_000)
    left = fleet.report("stale_backups")
    expect(not left, f"all has a recent backup now; reported: {left}")
    for subject in found:
        resolved(fleet, f"stale_backups/{subject}", SLACK)
    return (
        f"{'; '.join(found.values())}: opened at Slack and webhook; resolved at both once the table had point-in-time "
        "recovery and new dumps were there"
    )


def dynamodb(fleet: Fleet) -> DynamoDBClient:
    """Return a client of the operator's."""
    return session().client(
        "dynamodb", endpoint_url=fleet.account.environment["AWS_ENDPOINT_URL"], config=CONFIG
    )


def protect(fleet: Fleet, table: str) -> None:
    """Turn point-in-time recovery on."""
    dynamodb(fleet).update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )


def dump(fleet: Fleet, path: str, size: int) -> None:
    """Leave a dump of so many bytes under a path."""
    key = f"{path.removeprefix(f's3://{BUCKET}/')}{datetime.now(UTC):%H%M%S}.sql"
    fleet.account.s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(size))


def age(fleet: Fleet) -> timedelta:
    """Return how old the newest dump under the old path is."""
    stored = fleet.account.s3.list_objects_v2(Bucket=BUCKET, Prefix="old/")["Contents"]
    return datetime.now(UTC) - max(item["LastModified"] for item in stored)
