"""Users: one with an old key and no MFA, one in order, and one whose old key is excepted."""

from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from typing import Any

from tools.local.alert_waits import wait_until_opened, wait_until_resolved
from tools.local.destinations import PAGERDUTY, SLACK
from tools.local.fleet import Fleet, by_subject
from tools.local.progress import expect

TRIGGER = "schedule"
JOB = "stale_credentials"
STALE = "vendor-upload"
HEALTHY = "ann"
EXCEPTED = "legacy-scanner"
PASSWORD = f"user/{STALE}/password"
KEY = f"user/{STALE}/access_key_1"


def seed(fleet: Fleet) -> None:
    """Create the users, and let a key be old on its first day.

    Once one user has MFA, the root user has it too: the emulator does not know one from the other.
    """
    iam = fleet.account.iam
    for user in (STALE, HEALTHY, EXCEPTED):
        iam.create_user(UserName=user)
    for user in (STALE, EXCEPTED):
        iam.create_access_key(UserName=user)
    for user in (STALE, HEALTHY):
        iam.create_login_profile(UserName=user, Password=token_urlsafe())
    give_mfa(fleet, HEALTHY)
    until = datetime.now(UTC) + timedelta(days=30)
    exception = f"{until:%Y-%m-%d} until the new scanner is there"
    iam.tag_user(
        UserName=EXCEPTED,
        Tags=[{"Key": "fleet:stale-credentials-exception", "Value": exception}],
    )
    no_time = {"OLD_DAYS": "0", "OLD_CRITICAL_DAYS": "0", "UNUSED_DAYS": "0"}
    fleet.renew(JOB, fleet.variables(JOB) | no_time)


def play(fleet: Fleet) -> str:
    """Expect findings about the key and the password of one user, until both are cured."""
    findings = fleet.report(JOB)
    severities = by_subject(findings, "severity")
    expect(
        severities == {KEY: "critical", PASSWORD: "warning"},
        f"expected an old key and no MFA; reported: {severities}",
    )
    answer = fleet.account.iam.list_access_keys(UserName=STALE)
    (key,) = answer["AccessKeyMetadata"]
    titles = by_subject(findings, "title")
    title = titles[KEY]
    last_characters = key["AccessKeyId"][-4:]
    fault = f"{last_characters} of {STALE} is 0 d old and has never been used"
    expect(title.endswith(fault), f"expected {fault!r}; the finding says: {title}")
    wait_until_opened(fleet, f"{JOB}/{KEY}", SLACK, PAGERDUTY)
    wait_until_opened(fleet, f"{JOB}/{PASSWORD}", SLACK)

    cure(fleet, key)
    fleet.report_nothing(JOB, "the key is inactive, and the user has MFA")
    wait_until_resolved(fleet, f"{JOB}/{KEY}", SLACK, PAGERDUTY)
    wait_until_resolved(fleet, f"{JOB}/{PASSWORD}", SLACK)
    return (
        f"{title}: opened at Slack and PagerDuty, as did the missing MFA at Slack; "
        "both cured, and resolved"
    )


def cure(fleet: Fleet, key: Any) -> None:
    """Make the key inactive, and give its user MFA."""
    fleet.account.iam.update_access_key(
        UserName=STALE,
        AccessKeyId=key["AccessKeyId"],
        Status="Inactive",
    )
    give_mfa(fleet, STALE)


def give_mfa(fleet: Fleet, user: str) -> None:
    """Enable an MFA device for the user."""
    iam = fleet.account.iam
    answer = iam.create_virtual_mfa_device(VirtualMFADeviceName=user)
    device = answer["VirtualMFADevice"]
    iam.enable_mfa_device(
        UserName=user,
        SerialNumber=device["SerialNumber"],
        AuthenticationCode1="123456",
        AuthenticationCode2="654321",
    )
