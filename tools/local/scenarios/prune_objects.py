"""A bucket with two prefixes full of build caches: one to prune, one to try dry."""

from tools.local.fleet import Fleet, expect

TRIGGER = "schedule"
BUCKET = "fleet-caches"
OBJECTS = 30
KEEP = 5
ENTRIES = f"""
- {{bucket: {BUCKET}, prefix: cache/, keep_newest: {KEEP}, dry_run: false}}
- {{bucket: {BUCKET}, prefix: tried/, keep_newest: {KEEP}}}
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
    """Expect the newest objects to be left under the one prefix, and a finding about the other."""
    findings = fleet.report("prune_objects")
    pruned, tried = stored(fleet, "cache/"), stored(fleet, "tried/")
    expect(pruned == keys("cache/", KEEP), f"expected the {KEEP} newest under cache/; there are: {sorted(pruned)}")
    expect(tried == keys("tried/", OBJECTS), f"the dry run deleted objects; {len(tried)} of {OBJECTS} are left")
    found = [(finding["subject"], finding["severity"]) for finding in findings]
    expect(found == [(f"s3://{BUCKET}/tried/", "info")], f"expected one info finding about tried/; reported: {found}")
    return f"deleted {OBJECTS - KEEP} of {OBJECTS} objects, kept the newest {KEEP}; the dry run deleted none"


def stored(fleet: Fleet, prefix: str) -> set[str]:
    """Return the keys under the prefix."""
    listing = fleet.account.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
    return {item["Key"] for item in listing.get("Contents", [])}
