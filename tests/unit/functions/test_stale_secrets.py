import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from functions.stale_secrets.app import (
    Settings,
    examine_parameter,
    examine_secret,
    handler,
    read_parameters,
    read_secrets,
)
from tests.conftest import Context

from fleet import aws
from fleet.findings import Severity
from fleet.settings import SettingsError, load
from fleet.staleness import Candidate

EVENT = json.loads((Path(__file__).parents[2] / "events" / "stale_secrets.json").read_text())
NOW = datetime(2026, 11, 20, 6, tzinfo=UTC)
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL
DAY = timedelta(days=1)
NO_DAY = "has a tag fleet:expires that does not begin with a day"
PENDING = {"v1": ["AWSCURRENT"], "v2": ["AWSPENDING"]}
Published = Callable[[], list[dict[str, Any]]]


def secret(name: str = "crm", **entry: Any) -> Candidate:
    """Examine a secret that was read today, but for what `entry` says."""
    made = {
        "Name": name,
        "CreatedDate": NOW - 400 * DAY,
        "LastChangedDate": NOW - 40 * DAY,
        "LastAccessedDate": NOW,
    }
    return examine_secret(made | entry, Settings(), NOW)  # type: ignore[arg-type] # the stubs ask for keys that AWS may omit


def rotated(**entry: Any) -> dict[str, Severity]:
    return dict(secret(RotationEnabled=True, **entry).flaws)


def parameter(expires: str, name: str = "/crm/key") -> Candidate:
    written: Any = {
        "Name": name,
        "LastModifiedDate": NOW - 9 * DAY,
        "LastModifiedUser": "arn:aws:iam::1:user/ann",
    }
    return examine_parameter(written, {"fleet:expires": expires}, Settings(), NOW)


def test_a_secret_that_is_read_and_rotated_has_no_flaws() -> None:
    assert secret().flaws == {}
    assert rotated(NextRotationDate=NOW + DAY, LastRotatedDate=NOW - 29 * DAY) == {}


@pytest.mark.parametrize(
    ("late", "severity"),
    [
        (timedelta(seconds=1), WARNING),
        (7 * DAY, WARNING),
        (7 * DAY + timedelta(seconds=1), CRITICAL),
    ],
    ids=["a second late", "a week", "longer"],
)
def test_a_rotation_is_late_from_its_moment_on(late: timedelta, severity: Severity) -> None:
    assert rotated(NextRotationDate=NOW - late) == {
        f"should have been rotated {late.days} d ago": severity
    }


def test_a_rotation_that_is_off_is_never_late() -> None:
    assert (
        secret(
            RotationEnabled=False, NextRotationDate=NOW - 90 * DAY, SecretVersionsToStages=PENDING
        ).flaws
        == {}
    )
    assert (
        secret(LastRotatedDate=NOW - 400 * DAY, RotationRules={"AutomaticallyAfterDays": 30}).flaws
        == {}
    )


def test_a_failed_rotation_is_late_though_the_next_one_was_put_off() -> None:
    rules = {"LastRotatedDate": NOW - 33 * DAY, "RotationRules": {"AutomaticallyAfterDays": 30}}
    late = {"should have been rotated 3 d ago, and the attempt failed": WARNING}
    assert rotated(**rules, NextRotationDate=NOW + 27 * DAY, SecretVersionsToStages=PENDING) == late
    assert rotated(**rules, SecretVersionsToStages=PENDING) == late
    done = {"v1": ["AWSPREVIOUS"], "v2": ["AWSCURRENT", "AWSPENDING"]}
    assert rotated(**rules, NextRotationDate=NOW + 27 * DAY, SecretVersionsToStages=done) == {}


def test_a_rotation_in_the_midst_of_its_work_is_not_late() -> None:
    rules = {"LastRotatedDate": NOW - 29 * DAY, "RotationRules": {"AutomaticallyAfterDays": 30}}
    assert rotated(**rules, NextRotationDate=NOW + DAY, SecretVersionsToStages=PENDING) == {}


def test_a_first_rotation_that_failed_is_late_since_it_began() -> None:
    late = {"should have been rotated 40 d ago, and the attempt failed": CRITICAL}
    assert rotated(NextRotationDate=NOW + DAY, SecretVersionsToStages=PENDING) == late


def test_a_rotation_that_was_only_set_up_has_no_date_yet() -> None:
    assert rotated() == {}


def test_a_secret_that_nobody_reads_is_stale() -> None:
    assert secret(LastAccessedDate=NOW - 91 * DAY).flaws == {"has not been read for 91 d": WARNING}
    assert secret(LastAccessedDate=NOW - 90 * DAY).flaws == {}
    never = secret(LastAccessedDate=None)
    assert (never.flaws, never.detail["last read"]) == ({"has never been read": CRITICAL}, "never")
    assert secret(LastAccessedDate=None, CreatedDate=NOW - DAY).flaws == {}


def test_a_secret_is_shown_with_its_dates_its_owner_and_its_page() -> None:
    found = secret(
        "prod/rds!db",
        OwningService="rds",
        LastRotatedDate=NOW - DAY,
        Tags=[{"Key": "team", "Value": "data"}],
    )
    assert (found.subject, found.page) == (
        "secret/prod/rds!db",
        "secretsmanager/secret?name=prod%2Frds%21db",
    )
    assert found.detail == {
        "created": "2025-10-16",
        "last read": "2026-11-20",
        "last rotated": "2026-11-19 06:00:00+00:00",
        "owner": "rds",
    }
    assert found.tags == {"team": "data"}


@pytest.mark.parametrize(
    ("expires", "flaws"),
    [
        ("2026-11-20", {}),
        ("2027-01-31 the vendor's key", {}),
        ("2026-11-19", {"expired 0 d ago (2026-11-19)": WARNING}),
        ("2026-11-12", {"expired 7 d ago (2026-11-12)": CRITICAL}),
        ("soon", {f"{NO_DAY} such as 2026-11-20: 'soon'": WARNING}),
        ("", {f"{NO_DAY} such as 2026-11-20: ''": WARNING}),
    ],
    ids=["today", "later", "yesterday", "over a week ago", "no day", "empty"],
)
def test_a_parameter_expires_with_the_day_in_its_tag(
    expires: str, flaws: dict[str, Severity]
) -> None:
    assert parameter(expires).flaws == flaws


def test_a_parameter_is_shown_with_who_wrote_it_and_its_page() -> None:
    found = parameter("2026-11-12")
    assert (found.subject, found.page) == (
        "parameter//crm/key",
        "systems-manager/parameters/crm/key/description",
    )
    assert found.detail == {"written": "2026-11-11 06:00:00+00:00", "by": "arn:aws:iam::1:user/ann"}


def put(name: str, kind: Any = "SecureString", **tags: str) -> None:
    listed: Any = [{"Key": key, "Value": value} for key, value in tags.items()]
    aws.client("ssm").put_parameter(Name=name, Value="x", Type=kind, Tags=listed)


@pytest.mark.usefixtures("moto")
def test_every_page_of_secure_strings_with_an_expiry_is_read_and_nothing_else() -> None:
    names = {f"/p{number}" for number in range(12)}  # moto has ten on a page
    for name in names:
        put(name, **{"fleet:expires": "2026-11-12"})
    put("/plain", "String", **{"fleet:expires": "2026-11-12"})
    put("/untagged")
    assert {found.name.split()[1] for found in read_parameters(Settings(), NOW)} == names


@pytest.mark.usefixtures("moto")
@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "tag removed"])
def test_a_parameter_that_was_changed_meanwhile_is_left_out(
    deleted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("/gone", **{"fleet:expires": "2026-11-12"})
    ssm = aws.client("ssm")

    def list_tags_for_resource(**_: str) -> dict[str, Any]:
        if deleted:
            raise ssm.exceptions.InvalidResourceId(
                {"Error": {"Code": "InvalidResourceId"}}, "ListTagsForResource"
            )
        return {"TagList": [{"Key": "team", "Value": "data"}]}

    monkeypatch.setattr(ssm, "list_tags_for_resource", list_tags_for_resource)
    assert list(read_parameters(Settings(), NOW)) == []


def pages_of_secrets(monkeypatch: pytest.MonkeyPatch, *pages: list[dict[str, Any]]) -> None:
    """Let ListSecrets answer with these, which moto knows too little of."""

    class Paginator:
        def paginate(self) -> Any:
            return iter([{"SecretList": page} for page in pages])

    monkeypatch.setattr(aws.client("secretsmanager"), "get_paginator", lambda _: Paginator())


def entry(name: str, read: timedelta = 100 * DAY, **more: Any) -> dict[str, Any]:
    dates = {"CreatedDate": NOW - 400 * DAY, "LastChangedDate": NOW, "LastAccessedDate": NOW - read}
    return {"Name": name, **dates, **more}


def test_every_page_of_secrets_is_read_but_no_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    replica, primary = (
        entry("replica", PrimaryRegion="us-east-1"),
        entry("primary", PrimaryRegion="eu-west-1"),
    )
    pages_of_secrets(monkeypatch, [entry("a"), replica], [], [primary])
    assert [found.subject for found in read_secrets(Settings(), NOW)] == [
        "secret/a",
        "secret/primary",
    ]


@pytest.fixture
def job(moto: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "stale_secrets")


@pytest.mark.usefixtures("job")
def test_the_job_reports_what_is_stale_and_not_excepted(
    context: Context, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = "fleet:stale-secrets-exception"
    excepted = entry("excepted", Tags=[{"Key": tag, "Value": "2026-12-31 until the move"}])
    ended = entry("ended", Tags=[{"Key": tag, "Value": "2026-10-31 until the move"}])
    pages_of_secrets(monkeypatch, [entry("stale"), entry("fresh", DAY), excepted, ended])
    put("/expired", **{"fleet:expires": "2026-11-18"})
    put("/excepted", **{"fleet:expires": "2026-11-18", tag: "2026-12-31"})
    assert handler(EVENT, context)["findings"] == 3
    (event,) = published()
    titles = {finding["subject"]: finding["title"] for finding in event["detail"]["findings"]}
    assert titles == {
        "parameter//expired": "parameter /expired expired 1 d ago (2026-11-18)",
        "secret/ended": "secret ended has not been read for 100 d; "
        "its exception has ended: '2026-10-31 until the move'",
        "secret/stale": "secret stale has not been read for 100 d",
    }


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListSecrets"),
            "AccessDeniedException",
        ),
        (ReadTimeoutError(endpoint_url="https://x"), "Read timeout"),
    ],
    ids=["denied", "read timeout"],
)
def test_a_service_that_cannot_be_read_on_a_later_page_resolves_nothing_of_it(
    error: Exception,
    reason: str,
    context: Context,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Paginator:
        def paginate(self) -> Any:
            yield {"SecretList": [entry("stale")]}
            raise error

    monkeypatch.setattr(aws.client("secretsmanager"), "get_paginator", lambda _: Paginator())
    put("/expired", **{"fleet:expires": "2026-11-18"})
    handler(EVENT, context)
    reports = sorted(
        (event["detail"] for event in published()), key=lambda detail: detail["after"] or ""
    )
    found = [[finding["subject"] for finding in each["findings"]] for each in reports]
    assert found == [["parameter//expired", "secret"], []]
    assert [(each["after"], each["through"]) for each in reports] == [
        (None, "secret/"),
        ("secret/\U0010ffff", None),
    ]
    assert reason in reports[0]["findings"][1]["detail"]["error"]


@pytest.mark.parametrize(("name", "value"), [("LATE_DAYS", "8"), ("UNUSED_DAYS", "-1")])
def test_settings_that_cannot_be_meant_stop_the_job(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(Settings, {name: value})
