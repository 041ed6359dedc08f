"""Two secrets and two parameters: of each, one that has lain too long, and one that is in order."""

from datetime import UTC, datetime, timedelta

from tools.local.alert_waits import opened, resolved
from tools.local.destinations import SLACK
from tools.local.fleet import Fleet, expect

TRIGGER = "schedule"
UNREAD, READ = "crm/api-key", "billing/api-key"
EXPIRED, VALID = "/crm/certificate", "/billing/certificate"
SUBJECTS = [f"parameter/{EXPIRED}", f"secret/{UNREAD}"]


def seed(fleet: Fleet) -> None:
    """Create them."""
    now = datetime.now(UTC)
    for name in (UNREAD, READ):
        fleet.account.at(now - timedelta(days=120)).secretsmanager.create_secret(
            Name=name, SecretString="s3cret"
        )
    fleet.account.secretsmanager.get_secret_value(SecretId=READ)
    write(fleet, EXPIRED, now - timedelta(days=3))
    write(fleet, VALID, now + timedelta(days=300))


def play(fleet: Fleet) -> str:
    """Expect a finding about each that has lain too long; then cure both, and expect people to hear that it is over."""
    found = {finding["subject"]: finding["title"] for finding in fleet.report("stale_secrets")}
    expect(list(found) == SUBJECTS, f"expected {SUBJECTS}; reported: {found}")
    titles = " and ".join(found.values())
    expect(
        "expired 2 d ago" in titles and "has never been read" in titles,
        f"the findings do not say what: {titles}",
    )
    for subject in SUBJECTS:
        opened(fleet, f"stale_secrets/{subject}", SLACK)
    fleet.account.secretsmanager.get_secret_value(SecretId=UNREAD)
    write(fleet, EXPIRED, datetime.now(UTC) + timedelta(days=365))
    left = fleet.report("stale_secrets")
    expect(not left, f"one was read, and the other renewed; reported: {left}")
    for subject in SUBJECTS:
        resolved(fleet, f"stale_secrets/{subject}", SLACK)
    return f"{titles}: opened at Slack and webhook; read and renewed, and resolved at both"


def write(fleet: Fleet, name: str, until: datetime) -> None:
    """Write a parameter that expires at the end of a day."""
    ssm = fleet.account.ssm
    ssm.put_parameter(Name=name, Value="s3cret", Type="SecureString", Overwrite=True)
    expires = f"{until:%Y-%m-%d} as the vendor issued it"
    ssm.add_tags_to_resource(
        ResourceType="Parameter", ResourceId=name, Tags=[{"Key": "fleet:expires", "Value": expires}]
    )
