from tests.unit.functions.stale_backups.account import HOUR, LONG_AGO, NOW

from fleet_backups.values import (
    History,
    RecoveryPoint,
    Resource,
    Unreadable,
    UnreadableVault,
    gather,
)

RESOURCE = Resource("a", LONG_AGO)
OLD, NEW = RecoveryPoint("a", NOW - HOUR, "COMPLETED"), RecoveryPoint("a", NOW, "COMPLETED")


def test_evidence_is_sorted_by_subject_in_whatever_order_it_comes() -> None:
    other = RecoveryPoint("b", NOW)
    assert gather([OLD, other, RESOURCE, NEW]) == {
        "a": History("a", RESOURCE, [OLD, NEW]),
        "b": History("b", None, [other]),
    }


def test_a_resource_in_doubt_leaves_the_others_alone() -> None:
    histories = gather([RESOURCE, Unreadable("b", "AccessDenied")])
    assert {subject: history.unread for subject, history in histories.items()} == {
        "a": [],
        "b": ["AccessDenied"],
    }


def test_a_vault_that_cannot_be_read_leaves_everything_in_doubt() -> None:
    histories = gather([UnreadableVault("locked"), RESOURCE, Unreadable("b", "denied")])
    assert histories["a"].unread == ["locked"]
    assert histories["b"].unread == ["denied", "locked"]


def test_points_of_a_resource_are_ordered_by_time() -> None:
    assert sorted([NEW, OLD]) == [OLD, NEW]
