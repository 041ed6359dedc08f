"""Users: one whose key is old and who has no MFA, one who has what she needs, one whose old key is excepted."""

from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe

from tools.local.alert_waits import opened, resolved
from tools.local.destinations import PAGERDUTY, SLACK
from tools.local.fleet import Fleet, expect

TRIGGER = "schedule"
STALE, HEALTHY, EXCEPTED = "vendor-upload", "ann", "legacy-scanner"
PASSWORD, KEY = f"user/{STALE}/password", f"user/{STALE}/access_key_1"
TAG = "fleet:stale-credentials-exception"


def seed(fleet: Fleet) -> None:
    """Create the users. Who has MFA here, has it for the root user too: the emulator knows no better."""
    iam, now = fleet.account.iam, datetime.now(UTC)
    for user in (STALE, HEALTHY, EXCEPTED):
        iam.create_user(UserName=user)
    for user in (STALE, EXCEPTED):
        fleet.account.at(now - timedelta(days=400)).iam.create_access_key(UserName=user)
    iam.create_access_key(UserName=HEALTHY)
    for user in (STALE, HEALTHY):
        iam.create_login_profile(UserName=user, Password=token_urlsafe())
    give_mfa(fleet, HEALTHY)
    until = f"{now + timedelta(days=30):%Y-%m-%d} until the new scanner is there"
    iam.tag_user(UserName=EXCEPTED, Tags=[{"Key": TAG, "Value": until}])


def play(fleet: Fleet) -> str:
    """Expect the key and the password of the one user; then cure both, and expect people to hear that it is over."""
    found = {finding["subject"]: finding for finding in fleet.report("stale_credentials")}
    severities = {subject: finding["severity"] for subject, finding in found.items()}
    expect(
        severities == {KEY: "critical", PASSWORD: "warning"},
        f"expected an old key, no MFA; reported: {severities}",
    )
    (key,) = fleet.account.iam.list_access_keys(UserName=STALE)["AccessKeyMetadata"]
    title = found[KEY]["title"]
    told = f"{key['AccessKeyId'][-4:]} of {STALE} is 400 d old and has never been used"
    expect(title.endswith(told), f"expected {told!r}; the finding says: {title}")
    opened(fleet, f"stale_credentials/{KEY}", SLACK, PAGERDUTY)
    opened(fleet, f"stale_credentials/{PASSWORD}", SLACK)
    fleet.account.iam.update_access_key(
        UserName=STALE, AccessKeyId=key["AccessKeyId"], Status="Inactive"
    )
    give_mfa(fleet, STALE)
    left = fleet.report("stale_credentials")
    expect(not left, f"the key is inactive, and the user has MFA; reported: {left}")
    resolved(fleet, f"stale_credentials/{KEY}", SLACK, PAGERDUTY)
    resolved(fleet, f"stale_credentials/{PASSWORD}", SLACK)
    return f"{title}: opened at Slack and PagerDuty, as did the missing MFA at Slack; both cured, and resolved"


def give_mfa(fleet: Fleet, user: str) -> None:
    """Enable an MFA device for the user."""
    iam = fleet.account.iam
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName=user)["VirtualMFADevice"][
        "SerialNumber"
    ]
    iam.enable_mfa_device(
        UserName=user,
        SerialNumber=serial,
        AuthenticationCode1="123456",
        AuthenticationCode2="654321",
    )
