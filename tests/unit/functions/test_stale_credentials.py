import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from functions.stale_credentials.app import Settings, examine_user, handler
from tests.conftest import Context
from tests.unit.functions.stale_credentials.iam import NOW, Fake, key, line, password, root
from tools.sandbox import ACCOUNT

from fleet import aws
from fleet.findings import Range, Severity
from fleet.settings import SettingsError, load
from fleet_credentials.lookup import Credential, confirm
from fleet_credentials.report import parse_user, read_report

EVENT = json.loads((Path(__file__).parents[2] / "events" / "stale_credentials.json").read_text())
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
TAG = "fleet:stale-credentials-exception"
USERS = 5_000
Published = Callable[[], list[dict[str, Any]]]


def credentials(line: dict[str, str], now: datetime = NOW) -> list[Credential]:
    return list(examine_user(parse_user(line), Settings(), now))


def judged(line: dict[str, str]) -> dict[str, dict[str, Severity]]:
    return {credential.subject: dict(credential.flaws) for credential in credentials(line)}


SECOND = 1 / 86_400
UNUSED_91 = {"has not been used for 91 d": WARNING}


@pytest.mark.parametrize(
    ("columns", "flaws"),
    [
        pytest.param(key(90, used=0), {}, id="as old as it may be"),
        pytest.param(key(90 + SECOND, used=0), {"is 90 d old": WARNING}, id="a second older"),
        pytest.param(key(365 + SECOND, used=0), {"is 365 d old": CRITICAL}, id="critical"),
        pytest.param(key(100, used=91), {"is 100 d old": WARNING} | UNUSED_91, id="old and unused"),
        pytest.param(
            key(95), {"is 95 d old": WARNING, "has never been used": WARNING}, id="never used"
        ),
        pytest.param(key(89), {}, id="not used yet"),
        pytest.param(
            key(400), {"is 400 d old": CRITICAL, "has never been used": CRITICAL}, id="forgotten"
        ),
        pytest.param(key(400) | {"access_key_1_active": "FALSE"}, None, id="inactive"),
        pytest.param(
            key(95, used=0) | {"access_key_1_active": "TRUE"},
            {"is 95 d old": WARNING},
            id="capitals",
        ),
    ],
)
def test_a_key_is_judged_by_its_age_and_its_last_use(columns: dict[str, str], flaws: Any) -> None:
    assert judged(line(**columns)) == ({} if flaws is None else {"user/ann/access_key_1": flaws})


@pytest.mark.parametrize(
    ("columns", "days", "severity"),
    [
        pytest.param(password(0.5), 0, WARNING, id="new"),
        pytest.param(password(7), 7, WARNING, id="a week"),
        pytest.param(password(7 + SECOND), 7, CRITICAL, id="longer"),
        pytest.param(
            password(1, password_last_changed="N/A"), 1_000, CRITICAL, id="as old as the user"
        ),
        pytest.param(
            password(1, password_enabled="TRUE", mfa_active="FALSE"), 1, WARNING, id="capitals"
        ),
        pytest.param(password(1, mfa_active="true"), None, None, id="with MFA"),
        pytest.param({}, None, None, id="no password"),
        pytest.param({"password_enabled": "not_supported"}, None, None, id="no statement"),
    ],
)
def test_a_password_without_mfa_is_judged_by_its_age(
    columns: Any, days: Any, severity: Any
) -> None:
    what = f"can sign in without MFA, by a password that is {days} d old"
    assert judged(line(**columns)) == (
        {} if severity is None else {"user/ann/password": {what: severity}}
    )


def test_each_key_and_the_password_are_credentials_of_their_own() -> None:
    found = credentials(line(**password(), **key(100, 1), **key(91, 0.5, number=2)))
    assert [each.subject for each in found] == [
        "user/ann/password",
        "user/ann/access_key_1",
        "user/ann/access_key_2",
    ]
    assert [each.name for each in found] == ["ann", "access key 1 of ann", "access key 2 of ann"]
    assert found[2].detail == {
        "user": f"arn:aws:iam::{ACCOUNT}:user/team/ann",
        "created": "2026-08-21 06:00:00+00:00",
        "last used": "2026-11-19 18:00:00+00:00, s3 in us-east-1",
    }
    assert found[0].page == "iam/home#/users/details/ann?section=security_credentials"


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        pytest.param({}, {}, id="as it should be"),
        pytest.param(
            {"mfa_active": "false"},
            {"root/password": {"can sign in without MFA": CRITICAL}},
            id="no MFA",
        ),
        pytest.param(
            {"mfa_active": "false", "password_enabled": "FALSE"}, {}, id="no password at all"
        ),
        pytest.param(
            key(1, used=0.5),
            {"root/access_key_1": {"can do anything, and should not exist": CRITICAL}},
            id="a new key",
        ),
    ],
)
def test_root_has_mfa_and_no_keys(columns: dict[str, str], found: Any) -> None:
    assert judged(root(**columns)) == found


def test_a_user_called_root_is_not_the_root_user() -> None:
    assert list(judged(line("root", **password()))) == ["user/root/password"]


def test_the_link_leads_to_users_whatever_their_names() -> None:
    (found,) = credentials(line("a+b=c,d@e", **password()))
    assert found.page == "iam/home#/users/details/a%2Bb%3Dc%2Cd%40e?section=security_credentials"


@pytest.fixture
def job(moto: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[Fake], None]:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "stale_credentials")
    real = aws.client

    def use(fake: Fake) -> None:
        monkeypatch.setattr(aws, "client", lambda name: fake if name == "iam" else real(name))

    return use


def test_five_thousand_users_cost_two_calls_and_three_for_what_is_found(
    job: Callable[[Fake], None], context: Context, published: Published
) -> None:
    healthy = (
        line(f"u{number}", **password(9, mfa_active="true"), **key(9, used=1))
        for number in range(USERS - 3)
    )
    bad = [
        line("ann", **password()),
        line("bob", **key(100, used=1)),
        line("eve", **key(400), **password(9)),
    ]
    fake = Fake(root(), *bad, *healthy)
    job(fake)
    assert handler(EVENT, context)["findings"] == 4
    assert fake.calls == {
        "generate_credential_report": 1,
        "get_credential_report": 1,
        "list_access_keys": 2,
        "get_login_profile": 2,
        "list_mfa_devices": 2,
        "list_user_tags": 4,
    }
    (event,) = published()
    titles = {
        finding["subject"]: (finding["title"], finding["severity"])
        for finding in event["detail"]["findings"]
    }
    assert titles == {
        "user/ann/password": (
            "ann can sign in without MFA, by a password that is 1 d old",
            "warning",
        ),
        "user/bob/access_key_1": ("access key AKIA…MPLE of bob is 100 d old", "warning"),
        "user/eve/access_key_1": (
            "access key AKIA…MPLE of eve is 400 d old and has never been used",
            "critical",
        ),
        "user/eve/password": (
            "eve can sign in without MFA, by a password that is 9 d old",
            "critical",
        ),
    }


def test_an_exception_of_the_user_holds_for_all_that_is_the_users(
    job: Callable[[Fake], None], context: Context, published: Published
) -> None:
    user = line("ann", **password(), **key(100))
    job(
        Fake(
            user,
            list_user_tags={"Tags": [{"Key": TAG, "Value": "2027-01-31 until the vendor moves"}]},
        )
    )
    assert handler(EVENT, context)["findings"] == 0
    job(Fake(user, list_user_tags={"Tags": [{"Key": TAG, "Value": "2026-10-31"}]}))
    assert handler(EVENT, context)["findings"] == 2
    titles = [finding["title"] for event in published() for finding in event["detail"]["findings"]]
    assert all(title.endswith("; its exception has ended: '2026-10-31'") for title in titles)


def test_a_line_that_cannot_be_read_hides_no_other_user_and_ends_no_earlier_finding(
    job: Callable[[Fake], None], context: Context, published: Published
) -> None:
    garbled = [
        line("bob", **key(100) | {"access_key_1_last_rotated": "soon"}),
        line("eve", user_creation_time="N/A", **password(password_last_changed="N/A")),
    ]
    root_user = root(mfa_active="false", user_creation_time="N/A")
    job(Fake(root_user, *garbled, line("ann", **password()), line("zoe", **key(100))))
    assert handler(EVENT, context)["findings"] == 5
    details = [event["detail"] for event in published()]
    subjects = [finding["subject"] for detail in details for finding in detail["findings"]]
    assert subjects == [
        "root/password",
        "user/ann/password",
        "user/bob",
        "user/eve",
        "user/zoe/access_key_1",
    ]
    covered = [Range(detail["after"], detail["through"]) for detail in details]
    for subject in ("user/bob/access_key_1", "user/eve/password"):
        assert not any(subject in part for part in covered)


@pytest.mark.parametrize(
    "code", ["AccessDenied", "LimitExceededException", "ServiceFailureException"]
)
def test_without_a_report_the_run_fails_and_reports_nothing(
    code: str, job: Callable[[Fake], None], context: Context, published: Published
) -> None:
    job(Fake(get_credential_report=ClientError({"Error": {"Code": code}}, "GetCredentialReport")))
    with pytest.raises(ClientError, match=code):
        handler(EVENT, context)
    assert published() == []


@pytest.fixture
def iam(moto: None) -> Any:
    return aws.client("iam")


def test_what_moto_reports_of_a_user_is_read_and_confirmed(
    iam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # moto's first answer is STARTED
    iam.create_user(UserName="ann", Tags=[{"Key": "team", "Value": "data"}])
    id_ = iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
    iam.create_login_profile(UserName="ann", Password="x" * 20)
    report = read_report(iam)
    later = datetime.now(UTC) + timedelta(days=100)
    (user,) = map(parse_user, report.lines)
    stale = examine_user(user, Settings(), later)
    found = [confirm(iam, report.made, each) or pytest.fail("gone") for each in stale]
    assert [(each.subject, list(each.flaws.values())) for each in found] == [
        ("user/ann/password", [CRITICAL]),
        ("user/ann/access_key_1", [WARNING, WARNING]),
    ]
    assert found[1].name == f"access key {id_[:4]}…{id_[-4:]} of ann"
    assert [each.tags for each in found] == [{"team": "data"}] * 2


def test_settings_that_cannot_be_meant_stop_the_job_and_are_all_named() -> None:
    with pytest.raises(
        SettingsError, match=r"OLD_DAYS and .* 400 and 365, NO_MFA_DAYS and .* 9 and 7"
    ):
        load(Settings, {"OLD_DAYS": "400", "NO_MFA_DAYS": "9"})
