"""A bucket with prefixes full of build caches, one to prune, one to try dry, and an entry that
someone mistyped.
"""

from tools.local.alert_waits import wait_until_opened, wait_until_resolved
from tools.local.destinations import SLACK
from tools.local.fleet import Fleet, by_subject
from tools.local.progress import expect

TRIGGER = "schedule"
BUCKET = "fleet-caches"
OBJECTS = 30
KEEP = 5
ENTRIES = f"""
- {{bucket: {BUCKET}, prefix: cache/, keep_newest: {KEEP}, dry_run: false}}
- {{bucket: {BUCKET}, prefix: tried/, keep_newest: {KEEP}}}
- {{bucket: {BUCKET}, prefix: logs/, keep_newest: some}}
"""
REPAIRED = f"""
- {{bucket: {BUCKET}, prefix: cache/, keep_newest: {KEEP}, dry_run: false}}
- {{bucket: {BUCKET}, prefix: tried/, keep_newest: {KEEP}, dry_run: false}}
- {{bucket: {BUCKET}, prefix: logs/, keep_newest: {KEEP}}}
"""


def keys(prefix: str, count: int) -> set[str]:
    """Return the keys of the newest `count` objects: the newer, the smaller the number."""
    return {f"{prefix}{number:02}.tar" for number in range(count)}


def seed(fleet: Fleet) -> None:
    """Fill the bucket, oldest objects first, and list the prefixes."""
    fleet.account.make_bucket(BUCKET)
    for prefix in ("cache/", "tried/"):
        for key in sorted(keys(prefix, OBJECTS), reverse=True):
            fleet.account.s3.put_object(Bucket=BUCKET, Key=key, Body=b"cache")
    fleet.configure("prune_objects", "ENTRIES_PARAMETER", ENTRIES)


def play(fleet: Fleet) -> str:
    """Expect the newest objects under one prefix, and findings until the list is repaired."""
    findings = fleet.report("prune_objects")
    pruned, tried = stored(fleet, "cache/"), stored(fleet, "tried/")
    expect(
        pruned == keys("cache/", KEEP),
        f"expected the {KEEP} newest under cache/; there are: {sorted(pruned)}",
    )
    expect(
        tried == keys("tried/", OBJECTS),
        f"the dry run deleted objects; {len(tried)} of {OBJECTS} are left",
    )
    severities = by_subject(findings, "severity")
    mistyped = f"entry 3 of {fleet.variables('prune_objects')['ENTRIES_PARAMETER']}"
    dry = f"s3://{BUCKET}/tried/"
    expect(
        severities == {mistyped: "warning", dry: "info"},
        f"expected a warning and an info; reported: {severities}",
    )
    wait_until_opened(fleet, f"prune_objects/{mistyped}", SLACK)
    wait_until_opened(fleet, f"prune_objects/{dry}")
    fleet.configure("prune_objects", "ENTRIES_PARAMETER", REPAIRED)
    fleet.report_nothing("prune_objects", "the list is repaired")
    wait_until_resolved(fleet, f"prune_objects/{mistyped}", SLACK)
    wait_until_resolved(fleet, f"prune_objects/{dry}")
    return (
        f"deleted {OBJECTS - KEEP} of {OBJECTS} objects; the dry run deleted none. "
        "A mistyped entry opened at Slack, the dry run (info) at the webhook alone; "
        "both were resolved there once the list was repaired"
    )


def stored(fleet: Fleet, prefix: str) -> set[str]:
    """Return the keys under the prefix."""
    listing = fleet.account.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return {item["Key"] for item in listing.get("Contents", [])}
