from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from tests.unit.functions.stale_credentials.iam import MADE, NOW, REPORTED, Fake, error, listed

from fleet.findings import Severity
from fleet_credentials.lookup import Credential, confirm, masked_ids

WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


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
    assert masked_ids(keys, MADE, REPORTED) == own


def credential(**facts: Any) -> Credential:
    return Credential(
        "user/ann/password",
        "ann",
        {"is old": CRITICAL},
        "page",
        {"a": 1},
        **{"user": "ann", **facts},
    )


def confirmed(iam: Any, **facts: Any) -> Credential:
    found = confirm(iam, REPORTED, credential(**facts))
    assert found
    return found


def test_what_is_still_there_has_the_users_tags_and_the_moment_of_the_report() -> None:
    iam: Any = Fake(list_user_tags={"Tags": [{"Key": "team", "Value": "data"}]})
    found = confirmed(iam, made=MADE)
    assert (found.flaws, found.tags) == ({"is old": CRITICAL}, {"team": "data"})
    assert found.name == "access key AKIA…MPLE of ann"
    assert found.detail == {"a": 1, "credential report of": "2026-11-20 03:00:00+00:00"}
    assert confirmed(iam).tags == {"team": "data"}
    assert confirmed(iam, user="<root_account>").flaws == {"is old": CRITICAL}


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
def test_what_was_cured_since_the_report_is_left_out(
    answers: dict[str, Any], facts: dict[str, Any]
) -> None:
    given: Any = {
        name: error(answer) if isinstance(answer, str) else answer
        for name, answer in answers.items()
    }
    iam: Any = Fake(**given)
    assert confirm(iam, REPORTED, credential(**facts)) is None


@pytest.mark.parametrize("operation", ["list_user_tags", "list_mfa_devices"])
def test_what_iam_does_not_confirm_stays_under_its_subject_as_a_warning(operation: str) -> None:
    silent: Any = {operation: ConnectTimeoutError(endpoint_url="https://x")}
    found = confirmed(Fake(**silent))
    assert found.subject == "user/ann/password"
    assert found.flaws == {
        "is old": WARNING,
        "may be excepted, or cured: IAM did not say": WARNING,
    }
    assert "Connect timeout" in str(found.detail["error"])


def test_a_key_whose_user_has_no_readable_tags_keeps_its_id() -> None:
    found = confirmed(Fake(list_user_tags=ConnectTimeoutError(endpoint_url="https://x")), made=MADE)
    assert found.name == "access key AKIA…MPLE of ann"
