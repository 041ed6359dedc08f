from datetime import datetime, timedelta, timezone

import pytest
from tests.unit.functions.stale_backups.account import HOUR, LONG_AGO, NOW, TABLE

from fleet.findings import Finding
from fleet_backups.judgement import judge, short_name
from fleet_backups.values import NEVER, History, RecoveryPoint, Resource

ALLOWED = 26 * HOUR


def table(status: str = "ACTIVE", created: datetime | None = LONG_AGO) -> Resource:
    return Resource(TABLE, created, status)


def point(age: timedelta, status: str = "COMPLETED", continuous: bool = False) -> RecoveryPoint:
    return RecoveryPoint(TABLE, NOW - age, status, continuous)


ACTIVE = table()


def judged(
    *points: RecoveryPoint, resource: Resource | None = ACTIVE, unread: str = ""
) -> list[Finding]:
    history = History(TABLE, resource, list(points), [unread] if unread else [])
    return list(judge(history, ALLOWED, NOW))


@pytest.mark.parametrize(
    ("beyond", "count"),
    [(-timedelta(seconds=1), 0), (timedelta(0), 0), (timedelta(seconds=1), 1)],
    ids=["a second less", "exactly", "a second more"],
)
def test_a_backup_is_stale_when_older_than_allowed(beyond: timedelta, count: int) -> None:
    assert len(judged(point(ALLOWED + beyond))) == count
    just_created = table(created=NOW - ALLOWED - beyond)
    assert len(judged(resource=just_created)) == count


def test_a_stale_backup_is_a_finding_with_what_was_tried_since() -> None:
    zone = timezone(HOUR, "CET")
    failed = RecoveryPoint(TABLE, (NOW - HOUR).astimezone(zone), "PARTIAL")
    assert judged(point(timedelta(days=3, hours=5, minutes=59)), failed) == [
        Finding(
            subject=TABLE,
            title="dynamodb table/orders: newest good backup is 3 d 5 h old (allowed 26 h)",
            detail={
                "allowed": "26 h",
                "2026-11-17 01:01 UTC": "completed",
                "2026-11-20 06:00 UTC": "partial",
                "unread": "nothing",
            },
        )
    ]


def test_the_detail_shows_the_newest_three_points() -> None:
    days = [timedelta(days=number) for number in (9, 5, 7, 6)]
    (finding,) = judged(*map(point, days))
    assert list(finding.detail) == [
        "allowed",
        "2026-11-13 07:00 UTC",
        "2026-11-14 07:00 UTC",
        "2026-11-15 07:00 UTC",
        "unread",
    ]


@pytest.mark.parametrize(
    "status",
    [
        *("PARTIAL", "EXPIRED", "STOPPED", "CREATING", "DELETING"),
        *("failed", "pending", "error", "only 3 bytes", ""),
    ],
)
def test_a_recovery_point_that_did_not_end_in_success_does_not_count(status: str) -> None:
    (finding,) = judged(point(HOUR, status))
    assert finding.title == "dynamodb table/orders has no good backup"
    assert judged(point(2 * HOUR), point(HOUR, status)) == []


@pytest.mark.parametrize("status", ["restorable", "COMPLETED", "AVAILABLE", "available"])
def test_a_good_one_counts_however_its_service_says_so(status: str) -> None:
    assert judged(point(HOUR, status)) == []


def test_a_continuous_backup_reaches_to_now_until_it_is_stopped() -> None:
    assert judged(point(timedelta(days=300), "AVAILABLE", continuous=True)) == []
    (finding,) = judged(point(timedelta(days=300), "STOPPED", continuous=True))
    assert finding.detail["2026-01-24 07:00 UTC"] == "stopped"


@pytest.mark.parametrize("status", ["creating", "CREATING", "deleting", "DELETING", "deleted"])
def test_what_comes_or_goes_needs_no_backup(status: str) -> None:
    assert judged(resource=table(status)) == []


def test_what_is_not_there_needs_no_backup() -> None:
    assert judged(point(timedelta(days=90)), resource=None) == []
    assert judged(resource=None, unread="AccessDenied") == []
    assert judged(resource=table("failed", created=None)) == []


@pytest.mark.parametrize("status", ["stopping", "stopped", "starting"])
def test_a_stopped_database_needs_a_backup_but_no_recent_one(status: str) -> None:
    assert judged(point(timedelta(days=6)), resource=table(status)) == []
    assert len(judged(resource=table(status))) == 1
    assert len(judged(point(HOUR, "failed"), resource=table(status))) == 1


def test_what_cannot_be_read_is_a_finding_only_when_nothing_else_shows_a_recent_backup() -> None:
    assert judged(point(HOUR), unread="AccessDenied") == []
    (finding,) = judged(point(2 * ALLOWED), unread="AccessDenied")
    assert finding.subject == TABLE
    assert (
        finding.title
        == "dynamodb table/orders: no recent backup found, and some backups could not be read"
    )
    assert finding.detail["unread"] == "AccessDenied"


def test_a_resource_of_unknown_age_needs_a_backup_at_once() -> None:
    assert NEVER < LONG_AGO
    assert len(judged(resource=table(created=NEVER))) == 1


def test_an_age_beyond_all_time_is_no_error() -> None:
    assert list(judge(History(TABLE, table()), timedelta(weeks=999_999), NOW)) == []


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (TABLE, "dynamodb table/orders"),
        ("arn:aws-cn:rds:cn-north-1:1:db:orders", "rds db:orders"),
        ("arn:aws:s3:::orders", "s3 orders"),
        ("s3://dumps/orders/", "s3://dumps/orders/"),
    ],
)
def test_a_title_names_service_and_resource_or_the_path(subject: str, name: str) -> None:
    assert short_name(subject) == name
