"""Two tables, one of them without point-in-time recovery, and three paths for dumps, of which one
is old, one small.
"""

from datetime import UTC, datetime, timedelta

from tools.local.alert_waits import wait_until_opened, wait_until_resolved
from tools.local.destinations import SLACK
from tools.local.fleet import Fleet, by_subject
from tools.local.progress import expect
from tools.sandbox import ACCOUNT, CONFIG, REGION, session

TRIGGER = "schedule"
JOB = "stale_backups"
BUCKET = "fleet-dumps"
OLD = f"s3://{BUCKET}/old/"
SMALL = f"s3://{BUCKET}/small/"
GOOD = f"s3://{BUCKET}/good/"
BYTES = {OLD: 2_000, SMALL: 10, GOOD: 2_000}
DUMPS = f"""
- {{path: "{OLD}", max_age: 5s}}
- {{path: "{SMALL}", max_age: 1h, min_bytes: 1000}}
- {{path: "{GOOD}", max_age: 1h, min_bytes: 1000}}
"""
UNPROTECTED = "shop-orders"
PROTECTED = "shop-invoices"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{UNPROTECTED}"


def seed(fleet: Fleet) -> None:
    """Create the tables and a vault; leave the dumps."""
    endpoint = fleet.account.endpoint
    vaults = session().client("backup", endpoint_url=endpoint, config=CONFIG)
    vaults.create_backup_vault(BackupVaultName="fleet-played")
    for name in (UNPROTECTED, PROTECTED):
        create_table(fleet, name)
    protect(fleet, PROTECTED)
    fleet.account.make_bucket(BUCKET)
    for path, size in BYTES.items():
        dump(fleet, path, size)
    fleet.configure(JOB, "DUMPS_PARAMETER", DUMPS)


def play(fleet: Fleet) -> str:
    """Expect the table, the old and the small dump; then protect and dump again."""

    def is_old() -> bool:
        return age(fleet) > timedelta(seconds=6)

    fleet.wait_for(is_old, "the dump does not grow old")
    findings = fleet.report(JOB)
    titles = by_subject(findings, "title")
    expect(
        set(titles) == {TABLE, OLD, SMALL},
        f"expected the table, the old and the small dump; reported: {titles}",
    )
    for subject in titles:
        wait_until_opened(fleet, f"{JOB}/{subject}", SLACK)
    protect(fleet, UNPROTECTED)
    dump(fleet, SMALL, 2_000)
    dump(fleet, OLD, 2_000)
    fleet.report_nothing(JOB, "all has a recent backup now")
    for subject in titles:
        wait_until_resolved(fleet, f"{JOB}/{subject}", SLACK)
    return (
        f"{'; '.join(titles.values())}: opened at Slack and webhook; "
        "resolved at both once the table had point-in-time recovery and new dumps were there"
    )


def create_table(fleet: Fleet, name: str) -> None:
    """Create a table that may be without a backup for five seconds."""
    fleet.account.dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": "fleet:backup-max-age", "Value": "5s"}],
    )


def protect(fleet: Fleet, table: str) -> None:
    """Turn point-in-time recovery on."""
    fleet.account.dynamodb.update_continuous_backups(
        TableName=table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )


def dump(fleet: Fleet, path: str, size: int) -> None:
    """Leave a dump of so many bytes under a path."""
    prefix = path.removeprefix(f"s3://{BUCKET}/")
    now = datetime.now(UTC)
    key = f"{prefix}{now:%H%M%S}.sql"
    fleet.account.s3.put_object(Bucket=BUCKET, Key=key, Body=bytes(size))


def age(fleet: Fleet) -> timedelta:
    """Return how old the newest dump under the old path is."""
    answer = fleet.account.s3.list_objects_v2(Bucket=BUCKET, Prefix="old/")
    newest = max(dump["LastModified"] for dump in answer["Contents"])
    return datetime.now(UTC) - newest
