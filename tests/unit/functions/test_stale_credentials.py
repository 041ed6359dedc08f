import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from functions.stale_credentials.app import Credential, Settings, asked, handler, ids, report, stale
from tests.conftest import Context
from tools.sandbox import ACCOUNT

from fleet import aws
from fleet.findings import Severity
from fleet.settings import SettingsError, load

EVENT = json.loads((Path(__file__).parents[2] / "events" / "stale_credentials.json").read_text())
NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
REPORTED = NOW - timedelta(hours=3)
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
TAG = "fleet:stale-credentials-exception"
USERS = 5_000
KEY_COLUMNS = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
HEADER = [
    *(
        "user",
        "arn",
        "user_creation_time",
        "password_enabled",
        "password_last_used",
        "password_last_changed",
    ),
    *("password_next_rotation", "mfa_active"),
    *(f"access_key_{number}_{column}" for number in (1, 2) for column in KEY_COLUMNS),
    *("cert_1_active", "cert_1_last_rotated", "cert_2_active", "cert_2_last_rotated"),
]
Published = Callable[[], list[dict[str, Any]]]


def ago(days: float) -> str:
    return (NOW - timedelta(days=days)).isoformat()


def line(user: str = "ann", **columns: str) -> dict[str, str]:
    """A user's line in the report, without any credential but what `columns` say."""
    named = {
        "user": user,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/team/{user}",
        "user_creation_time": ago(1_000),
    }
    states = {name: "false" for name in HEADER if name.endswith(("_active", "_enabled"))}
    return dict.fromkeys(HEADER, "N/A") | states | named | columns


def key(made: float, used: float | None = None, number: int = 1) -> dict[str, str]:
    """The columns of a key that was made and used so many days ago."""
    columns = {"active": "true", "last_rotated": ago(made)}
    if used is not None:
        columns |= {
            "last_used_date": ago(used),
            "last_used_region": "us-east-1",
            "last_used_service": "s3",
        }
    return {f"access_key_{number}_{name}": value for name, value in columns.items()}


def root(**columns: str) -> dict[str, str]:
    arn = f"arn:aws:iam::{ACCOUNT}:root"
    return line(
        "<root_account>",
        arn=arn,
        **{"password_enabled": "not_supported", "mfa_active": "true", **columns},
    )


def password(days: float = 1, **columns: str) -> dict[str, str]:
    return {"password_enabled": "true", "password_last_changed": ago(days), **columns}


def judged(line: dict[str, str]) -> dict[str, dict[str, Severity]]:
    return {each.subject: dict(each.faults) for each in stale(line, Settings(), NOW)}


SECOND = 1 / 86_400
UNUSED_91 = {"has not been used for 91 d": WARNING}


@pytest.mark.parametrize(
    ("columns", "faults"),
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
def test_a_key_is_judged_by_its_age_and_its_last_use(columns: dict[str, str], faults: Any) -> None:
    assert judged(line(**columns)) == ({} if faults is None else {"user/ann/access_key_1": faults})


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
    found = list(
        stale(line(**password(), **key(100, 1), **key(91, 0.5, number=2)), Settings(), NOW)
    )
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
    (found,) = stale(line("a+b=c,d@e", **password()), Settings(), NOW)
    assert found.page == "iam/home#/users/details/a%2Bb%3Dc%2Cd%40e?section=security_credentials"


MADE = NOW - timedelta(days=100)


def listed(id_: str, made: datetime = MADE, status: str = "Active") -> Any:
    return {"AccessKeyId": id_, "CreateDate": made, "Status": status}


@pytest.mark.parametrize(
    ("keys", "own"),
    [
        pytest.param(
            [listed("AKIA1111AAAA"), listed("AKIA2222BBBB", NOW)],
            ["AKIA…AAAA"],
            id="the one made then",
        ),
        pytest.param(
            [listed("AKIA1111AAAA", status="Inactive"), listed("AKIA2222BBBB", REPORTED)],
            [],
            id="inactive",
        ),
        pytest.param([listed("AKIA2222BBBB", NOW)], [], id="replaced since the report"),
        pytest.param(
            [listed("AKIA1111AAAA", MADE - timedelta(days=9))],
            ["AKIA…AAAA"],
            id="changed when reported",
        ),
        pytest.param([], [], id="deleted"),
    ],
)
def test_a_keys_id_is_that_of_the_active_key_made_when_the_report_says(
    keys: list[Any], own: list[str]
) -> None:
    assert ids(keys, MADE, REPORTED) == own


def credential(**facts: Any) -> Credential:
    return Credential(
        "user/ann/password",
        "ann",
        {"is old": CRITICAL},
        "page",
        {"a": 1},
        **{"user": "ann", **facts},
    )


class Fake:
    """An IAM in which ann has a password, no MFA and a key; other answers as given. It counts its calls."""

    def __init__(
        self, *lines: dict[str, str], states: tuple[str, ...] = ("COMPLETE",), **answers: Any
    ) -> None:
        self.exceptions = aws.client("iam").exceptions
        self.calls = Counter[str]()
        self.states = list(states)
        self.answers = {
            "list_user_tags": {"Tags": []},
            "list_access_keys": {"AccessKeyMetadata": [listed("AKIAIOSFODNN7EXAMPLE")]},
            "list_mfa_devices": {"MFADevices": []},
            "get_login_profile": {},
            "get_account_summary": {
                "SummaryMap": {"AccountAccessKeysPresent": 1, "AccountMFAEnabled": 0}
            },
            "get_credential_report": {"Content": content(lines), "GeneratedTime": REPORTED},
            **answers,
        }

    def generate_credential_report(self) -> dict[str, str]:
        self.calls["generate_credential_report"] += 1
        return {"State": self.states.pop(0) if len(self.states) > 1 else self.states[0]}

    def __getattr__(self, operation: str) -> Any:
        def answer(**_: str) -> Any:
            self.calls[operation] += 1
            answer = self.answers[operation]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return answer


def content(lines: Any) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER)
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue().encode()


def error(code: str) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "no"}}
    return aws.client("iam").exceptions.from_code(code)(answer, "ListUserTags")  # type: ignore[no-any-return,operator]


def test_what_is_still_there_is_told_with_the_users_tags_and_the_moment_of_the_report() -> None:
    iam: Any = Fake(list_user_tags={"Tags": [{"Key": "team", "Value": "data"}]})
    found = asked(iam, REPORTED, credential(made=MADE))
    assert (found.faults, found.tags) == ({"is old": CRITICAL}, {"team": "data"})
    assert found.name == "access key AKIA…MPLE of ann"
    assert found.detail == {"a": 1, "credential report of": "2026-11-20 03:00:00+00:00"}
    assert asked(iam, REPORTED, credential()).tags == {"team": "data"}
    assert asked(iam, REPORTED, credential(user="<root_account>")).faults == {"is old": CRITICAL}


@pytest.mark.parametrize(
    ("answers", "facts"),
    [
        pytest.param(
            {"list_access_keys": {"AccessKeyMetadata": []}}, {"made": MADE}, id="key deleted"
        ),
        pytest.param({"list_mfa_devices": {"MFADevices": [{}]}}, {}, id="MFA enabled"),
        pytest.param({"get_login_profile": "NoSuchEntity"}, {}, id="password removed"),
        pytest.param({"list_access_keys": "NoSuchEntity"}, {"made": MADE}, id="user deleted"),
        pytest.param(
            {
                "get_account_summary": {
                    "SummaryMap": {"AccountAccessKeysPresent": 0, "AccountMFAEnabled": 0}
                }
            },
            {"user": "<root_account>", "made": MADE},
            id="root's key deleted",
        ),
        pytest.param(
            {
                "get_account_summary": {
                    "SummaryMap": {"AccountAccessKeysPresent": 1, "AccountMFAEnabled": 1}
                }
            },
            {"user": "<root_account>"},
            id="root's MFA enabled",
        ),
    ],
)
def test_what_was_cured_since_the_report_has_no_faults(
    answers: dict[str, Any], facts: dict[str, Any]
) -> None:
    given: Any = {
        name: error(answer) if isinstance(answer, str) else answer
        for name, answer in answers.items()
    }
    iam: Any = Fake(**given)
    assert asked(iam, REPORTED, credential(**facts)).faults == {}


@pytest.mark.parametrize("operation", ["list_user_tags", "list_mfa_devices"])
def test_what_iam_does_not_tell_of_stays_under_its_subject_as_a_warning(operation: str) -> None:
    silent: Any = {operation: ConnectTimeoutError(endpoint_url="https://x")}
    iam: Any = Fake(**silent)
    found = asked(iam, REPORTED, credential())
    assert found.subject == "user/ann/password"
    assert found.faults == {
        "is old": WARNING,
        "may be excepted, or cured: IAM did not say": WARNING,
    }
    assert "Connect timeout" in str(found.detail["error"])


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How long the job has slept."""
    slept: list[int] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def test_a_report_that_is_being_made_is_waited_for(waits: list[int]) -> None:
    iam: Any = Fake(line("ann"), states=("STARTED", "INPROGRESS", "INPROGRESS", "COMPLETE"))
    moment, lines = report(iam)
    assert ([each["user"] for each in lines], moment, waits) == (["ann"], REPORTED, [1, 2, 4])


def test_a_report_that_is_not_made_in_time_fails_the_run(waits: list[int]) -> None:
    iam: Any = Fake(states=("STARTED", "INPROGRESS"))
    with pytest.raises(TimeoutError, match="IAM has not made its credential report in 167 s"):
        report(iam)
    assert sum(waits) == 167
    assert iam.calls["get_credential_report"] == 0


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


def test_what_moto_reports_of_a_user_is_read_and_confirmed(iam: Any, waits: list[int]) -> None:
    iam.create_user(UserName="ann", Tags=[{"Key": "team", "Value": "data"}])
    id_ = iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
    iam.create_login_profile(UserName="ann", Password="x" * 20)
    reported, lines = report(iam)
    assert waits == [1], "moto's first answer is STARTED"
    later = datetime.now(UTC) + timedelta(days=100)
    found = [
        asked(iam, reported, each) for line in lines for each in stale(line, Settings(), later)
    ]
    assert [(each.subject, list(each.faults.values())) for each in found] == [
        ("user/ann/password", [CRITICAL]),
        ("user/ann/access_key_1", [WARNING, WARNING]),
    ]
    assert found[1].name == f"access key {id_[:4]}…{id_[-4:]} of ann"
    assert [each.tags for each in found] == [{"team": "data"}] * 2


def test_settings_that_cannot_be_meant_stop_the_job_and_are_all_named() -> None:
    with pytest.raises(
        SettingsError, match=r"old_days and .* 400 and 365, no_mfa_days and .* 9 and 7"
    ):
        load(Settings, {"OLD_DAYS": "400", "NO_MFA_DAYS": "9"})
