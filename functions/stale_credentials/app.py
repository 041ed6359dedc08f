"""Report IAM credentials that are old or unused, and users who can sign in without MFA.

Trigger: schedule, daily. Reads: IAM's credential report, and IAM itself about what that shows.
Reports: one finding per stale key or password, and one per user whose line cannot be read.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from fleet import aws
from fleet.findings import Finding, Severity, Unread
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import load
from fleet.staleness import Thresholds, judge
from fleet_credentials.lookup import Credential, confirm
from fleet_credentials.report import Key, User, parse_user, read_report, subject_of

LOOKUPS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Settings(Thresholds):
    old_days: int = 90
    old_critical_days: int = 365
    unused_days: int = 90
    unused_critical_days: int = 365
    no_mfa_days: int = 0
    no_mfa_critical_days: int = 7


def examine_user(user: User, settings: Settings, now: datetime) -> Iterator[Credential]:
    """Yield a user's keys, and a password that is enough to sign in, with their flaws."""
    if user.has_password and user.lacks_mfa:
        yield examine_password(user, settings, now)
    for key in user.keys:
        yield examine_key(user, key, settings, now)


def examine_password(user: User, settings: Settings, now: datetime) -> Credential:
    """Return the password of a user without MFA. Raises `ValueError` if nobody knows its age."""
    if user.is_root:
        flaws = {"can sign in without MFA": Severity.CRITICAL}
    else:
        age = now - user.password_since
        flaw = f"can sign in without MFA, by a password that is {age.days} d old"
        flaws = settings.flaws("no_mfa", flaw, age)
    return Credential(
        subject=f"{user.subject}/password",
        name=str(user),
        flaws=flaws,
        page=user.page,
        detail={"user": user.arn, "last signed in": user.password_used},
        user=user.name,
    )


def examine_key(user: User, key: Key, settings: Settings, now: datetime) -> Credential:
    """Return a key with its flaws: that it is the root user's, old, or unused."""
    flaws = {}
    if user.is_root:
        flaws["can do anything, and should not exist"] = Severity.CRITICAL
    age = now - key.made
    flaws |= settings.flaws("old", f"is {age.days} d old", age)
    idle = now - (key.used or key.made)
    unused = f"has not been used for {idle.days} d" if key.used else "has never been used"
    flaws |= settings.flaws("unused", unused, idle)
    return Credential(
        subject=f"{user.subject}/{key.slot}",
        name=f"{key.slot.replace('_', ' ')} of {user}",
        flaws=flaws,
        page=user.page,
        detail={
            "user": user.arn,
            "created": str(key.made),
            "last used": f"{key.used}, {key.used_for}" if key.used else "never",
        },
        user=user.name,
        made=key.made,
    )


def unreadable(line: Mapping[str, str], error: ValueError) -> Unread:
    """Say that a user's line of the report cannot be read: earlier findings about it stay open."""
    name = line["user"]
    return Unread(
        subject=subject_of(name),
        title=f"IAM's credential report cannot be read about {name}",
        detail={"error": str(error)},
    )


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings = load(Settings)
    iam = aws.client("iam")
    report = read_report(iam)
    stale = []
    for line in report.lines:
        try:
            user = parse_user(line)
            credentials = list(examine_user(user, settings, run.scheduled_at))
        except ValueError as error:
            yield unreadable(line, error)
            continue
        stale += [credential for credential in credentials if credential.flaws]
    with ThreadPoolExecutor(LOOKUPS_AT_ONCE) as pool:
        for credential in pool.map(partial(confirm, iam, report.made), stale):
            if credential:
                yield from judge(credential, run.job, run.scheduled_at)
