"""Two secrets and two parameters: of each, one that has lain too long, and one that is in order."""

from datetime import UTC, datetime, timedelta

from tools.local.alert_waits import wait_until_opened, wait_until_resolved
from tools.local.destinations import SLACK
from tools.local.fleet import Fleet, by_subject
from tools.local.progress import expect

TRIGGER = "schedule"
JOB = "stale_secrets"
UNREAD, EXCEPTED = "crm/api-key", "billing/api-key"
EXPIRED, VALID = "/crm/certificate", "/billing/certificate"
SUBJECTS = [f"parameter/{EXPIRED}", f"secret/{UNREAD}"]


def seed(fleet: Fleet) -> None:
    """Create them, and let a secret be unused for no day at all."""
    now = datetime.now(UTC)
    manager = fleet.account.secretsmanager
    exception = f"{now + timedelta(days=30):%Y-%m-%d} until the vendor moves"
    manager.create_secret(Name=UNREAD, SecretString="s3cret")
    manager.create_secret(
        Name=EXCEPTED,
        SecretString="s3cret",
        Tags=[{"Key": "fleet:stale-secrets-exception", "Value": exception}],
    )
    write(fleet, EXPIRED, now - timedelta(days=3))
    write(fleet, VALID, now + timedelta(days=300))
    fleet.renew(JOB, fleet.variables(JOB) | {"UNUSED_DAYS": "0"})


def play(fleet: Fleet) -> str:
    """Expect a finding about each that has lain too long, until both are cured."""
    found = by_subject(fleet.report(JOB), "title")
    expect(list(found) == SUBJECTS, f"expected {SUBJECTS}; reported: {found}")
    titles = " and ".join(found.values())
    expect(
        "expired 2 d ago" in titles and "has never been read" in titles,
        f"the findings do not say what is wrong: {titles}",
    )
    for subject in SUBJECTS:
        wait_until_opened(fleet, f"{JOB}/{subject}", SLACK)

    fleet.account.secretsmanager.delete_secret(
        SecretId=UNREAD,
        ForceDeleteWithoutRecovery=True,
    )
    write(fleet, EXPIRED, datetime.now(UTC) + timedelta(days=365))
    fleet.report_nothing(JOB, "one was deleted, and the other renewed")
    for subject in SUBJECTS:
        wait_until_resolved(fleet, f"{JOB}/{subject}", SLACK)
    return f"{titles}: opened at Slack and webhook; deleted and renewed, and resolved at both"


def write(fleet: Fleet, name: str, until: datetime) -> None:
    """Write a parameter that expires at the end of a day."""
    ssm = fleet.account.ssm
    ssm.put_parameter(
        Name=name,
        Value="s3cret",
        Type="SecureString",
        Overwrite=True,
    )
    expires = f"{until:%Y-%m-%d} as the vendor issued it"
    ssm.add_tags_to_resource(
        ResourceType="Parameter",
        ResourceId=name,
        Tags=[{"Key": "fleet:expires", "Value": expires}],
    )
