"""Whether a resource has a good and recent backup, and what people should know if it has none."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from fleet.findings import Finding, span
from fleet_backups.values import NEVER, RESTORABLE, History

# In the words of all services, in small letters: a recovery point that ended in success and is
# still there; a resource that is being created or deleted; a database that is stopped, or about
# to be.
GOOD_POINT = {RESTORABLE, "available", "completed"}
CREATING_OR_DELETING = {"creating", "deleting", "deleted"}
STOPPED = {"stopping", "stopped", "starting"}

POINTS_SHOWN = 3


def judge(history: History, allowed: timedelta, now: datetime) -> Iterator[Finding]:
    """Yield a finding if the newest good backup is missing, or older than `allowed`."""
    if needs_newer_backup(history, allowed, now):
        yield Finding(
            subject=history.subject,
            title=describe(history, allowed, now),
            detail={
                "allowed": span(allowed),
                **newest_points(history),
                "unread": "; ".join(history.unread) or "nothing",
            },
        )


def needs_newer_backup(history: History, allowed: timedelta, now: datetime) -> bool:
    """Whether the newest good backup is older than allowed.

    A resource younger than that needs none yet. One that is being created or deleted needs none at
    all, and a stopped database no newer one, as nothing changes in it.
    """
    resource = history.resource
    if resource is None or resource.created is None:
        return False
    status = resource.status.lower()
    newest = newest_good(history, now)
    if status in CREATING_OR_DELETING:
        return False
    if status in STOPPED and newest:
        return False
    covered_until = max(resource.created, newest or NEVER)
    return now - covered_until > allowed


def newest_good(history: History, now: datetime) -> datetime | None:
    """The latest moment to which the resource can be restored. None without a good backup."""
    moments = [
        now if point.continuous else point.at
        for point in history.points
        if point.status.lower() in GOOD_POINT
    ]
    return max(moments, default=None)


def describe(history: History, allowed: timedelta, now: datetime) -> str:
    """The title of the finding: what lacks a backup, and how old its newest one is."""
    name = short_name(history.subject)
    newest = newest_good(history, now)
    if history.unread:
        return f"{name}: no recent backup found, and some backups could not be read"
    if newest is None:
        return f"{name} has no good backup"
    age = span(now - newest)
    return f"{name}: newest good backup is {age} old (allowed {span(allowed)})"


def newest_points(history: History) -> dict[str, str]:
    """The status of the newest few recovery points, good or not, by their times."""
    statuses = {}
    for point in sorted(history.points)[-POINTS_SHOWN:]:
        time = f"{point.at.astimezone(UTC):%Y-%m-%d %H:%M %Z}"
        statuses[time] = point.status.lower()
    return statuses


def short_name(subject: str) -> str:
    """Service and resource of an ARN, such as `rds db:orders`; any other subject as it is."""
    if not subject.startswith("arn:"):
        return subject
    _, _, service, _, _, resource = subject.split(":", 5)
    return f"{service} {resource}"
