import pytest
from tests.unit.functions.stale_backups.account import HOUR, NOW, Account, denied

from fleet.lists import parse_entries
from fleet_backups.dumps import Dump, read_dumps
from fleet_backups.values import NEVER, RecoveryPoint, Resource

PATH = "s3://dumps/orders/"
DUMP = Dump(PATH, 26 * HOUR, min_bytes=100)


@pytest.mark.parametrize(
    "path", ["", "dumps/orders/", "s3://", "s3://Dumps/", f"s3://dumps/{'x' * 1_000}"]
)
def test_anything_but_a_bucket_and_a_prefix_is_a_fault_of_the_list(path: str) -> None:
    listed = parse_entries(f"[{{path: '{path}', max_age: 26h}}]", Dump, "the list")
    assert not listed.usable
    assert "expected s3://bucket/prefix" in listed.faults[0].reason


def test_a_path_is_expected_to_hold_a_dump_from_the_beginning(account: Account) -> None:
    account.has("s3", "ListObjectsV2", {})
    history = read_dumps(DUMP)
    assert (history.resource, history.points) == (Resource(PATH, NEVER), [])
    assert account.requests == [("list_objects_v2", {"Bucket": "dumps", "Prefix": "orders/"})]


def test_a_dump_of_fewer_bytes_is_too_small(account: Account) -> None:
    objects = [{"LastModified": NOW, "Size": size} for size in (99, 100)]
    account.has("s3", "ListObjectsV2", {"Contents": objects})
    assert read_dumps(DUMP).points == [
        RecoveryPoint(PATH, NOW, "too small"),
        RecoveryPoint(PATH, NOW, "restorable"),
    ]


def test_a_listing_that_breaks_off_keeps_what_it_showed(account: Account) -> None:
    account.has("s3", "ListObjectsV2", {"Contents": [{"LastModified": NOW, "Size": 100}]})
    account.pages["list_objects_v2"].append(denied())
    history = read_dumps(DUMP)
    assert len(history.points) == 1
    assert history.unread == [f"cannot be read: {denied()}"]
