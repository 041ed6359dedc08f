import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from functions.expiring_certificates import app
from functions.expiring_certificates.app import (
    Server,
    StoredCertificate,
    acm_certificates,
    check_service,
    check_stored,
    handler,
    iam_certificates,
    severity,
)
from tests import certificate_authority as pki
from tests.conftest import Context

from fleet import aws
from fleet.findings import Finding, Severity
from fleet.lists import parse_entries
from fleet.probes.certificates import Refusal, parse
from fleet.probes.target import Phase, Unreachable
from fleet.probes.tls import Presented, Service
from fleet.settings import SettingsError, load

EVENT = json.loads(
    (Path(__file__).parents[2] / "events" / "expiring_certificates.json").read_text()
)
NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)
TODAY = {"scheduled_at": pki.NOW.isoformat()}  # ACM imports no certificate that has expired
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
LEAF, MIDDLE = (parse(each.der) for each in pki.chains()["good.test"])
SERVICE = Server("good.test").service()
Published = Callable[[], list[dict[str, Any]]]


@pytest.mark.parametrize(
    ("left", "severe"),
    [
        (45 * DAY + SECOND, None),
        (45 * DAY, Severity.INFO),
        (30 * DAY + SECOND, Severity.INFO),
        (30 * DAY, Severity.WARNING),
        (14 * DAY + SECOND, Severity.WARNING),
        (14 * DAY, Severity.CRITICAL),
        (7 * DAY, Severity.CRITICAL),
        (SECOND, Severity.CRITICAL),
        (0 * DAY, Severity.CRITICAL),
        (-SECOND, Severity.CRITICAL),
        (-1_000 * DAY, Severity.CRITICAL),
    ],
)
def test_the_ladder_is_exact_to_the_second_and_holds_between_its_steps(
    left: timedelta, severe: Severity
) -> None:
    assert severity(left) is severe


def looked(left: timedelta, above: timedelta = 1_000 * DAY, *refusals: Refusal) -> list[Finding]:
    chain = (replace(LEAF, not_after=NOW + left), replace(MIDDLE, not_after=NOW + above))
    return list(check_service(SERVICE, Presented("192.0.2.7", chain, refusals), NOW))


def test_an_endpoint_whose_certificate_expires_is_a_finding_with_dates_and_issuer() -> None:
    (finding,) = looked(12 * DAY + timedelta(hours=3, minutes=59))
    assert finding == Finding(
        subject="good.test:443",
        title="good.test:443: the certificate expires in 12 d 3 h, on 2026-12-02 10:59:00 UTC",
        severity=Severity.CRITICAL,
        detail={
            "address": "192.0.2.7",
            "subject": "good.test",
            "issuer": "Intermediate",
            "valid from": pki.PAST.isoformat(),
            "valid until": "2026-12-02T10:59:00+00:00",
            "names": "good.test",
        },
    )


def test_what_expires_first_may_be_the_intermediate() -> None:
    (finding,) = looked(40 * DAY, 20 * DAY)
    assert finding.title.startswith(
        "good.test:443: the intermediate Intermediate expires in 20 d, on 2026-12-10"
    )
    assert (finding.severity, finding.detail["issuer"]) == (Severity.WARNING, "Root")


def test_an_endpoint_in_order_is_not_a_finding() -> None:
    assert looked(46 * DAY) == []


@pytest.mark.parametrize(
    ("left", "refusals", "severe", "text"),
    [
        (-SECOND, [], Severity.CRITICAL, "expired"),
        (1_000 * DAY, [10], Severity.CRITICAL, "expired"),
        (1_000 * DAY, [9], Severity.CRITICAL, "not yet valid"),
        (1_000 * DAY, [62], Severity.WARNING, "wrong host"),
        (1_000 * DAY, [20], Severity.WARNING, "incomplete chain"),
        (14 * DAY, [20], Severity.CRITICAL, "incomplete chain"),
        (-SECOND, [20, 62], Severity.CRITICAL, "expired, incomplete chain, wrong host"),
    ],
)
def test_what_clients_refuse_is_named(
    left: timedelta, refusals: list[int], severe: Severity, text: str
) -> None:
    (finding,) = looked(left, 1_000 * DAY, *(Refusal(code, "no") for code in refusals))
    assert finding.title == f"good.test:443 shows a certificate that clients refuse: {text}"
    assert finding.severity is severe
    assert finding.detail.keys() >= {*text.split(", "), "issuer", "valid until"}


def test_an_endpoint_that_was_not_reached_keeps_its_subject() -> None:
    (finding,) = check_service(SERVICE, Unreachable(Phase.CONNECT, "no answer in time"), NOW)
    assert finding.subject == looked(DAY)[0].subject
    assert finding.severity is Severity.WARNING
    assert (
        "cannot be reached, so nobody knows its certificate: connect: no answer in time"
        in finding.title
    )
    assert finding.detail == {"phase": "connect", "reason": "no answer in time"}


def test_an_endpoint_that_there_was_no_time_for_keeps_its_subject() -> None:
    (finding,) = check_service(SERVICE, None, NOW)
    assert (finding.subject, finding.severity) == (looked(DAY)[0].subject, Severity.WARNING)
    assert (
        "was not looked at, so nobody knows its certificate: the run had no time left"
        in finding.title
    )


@pytest.mark.parametrize(
    ("used", "severe", "text"),
    [(True, Severity.CRITICAL, "expired 3 d ago"), (False, Severity.INFO, "; nothing uses it")],
)
def test_a_certificate_that_nobody_is_shown_wakes_nobody(
    used: bool, severe: Severity, text: str
) -> None:
    (finding,) = check_stored(
        StoredCertificate("arn", "shop.test in ACM", NOW - 3 * DAY, used, {}), NOW
    )
    assert finding.severity is severe
    assert text in finding.title
    assert (
        list(
            check_stored(
                StoredCertificate("arn", "shop.test in ACM", NOW + 46 * DAY, used, {}), NOW
            )
        )
        == []
    )


@pytest.mark.parametrize(
    ("entry", "shown", "name"),
    [
        ("{host: a.test}", "a.test:443", "a.test"),
        ("{host: A.test., port: 8443}", "a.test:8443", "a.test"),
        ("{host: 192.0.2.7, sni: a.test}", "192.0.2.7:443 as a.test", "a.test"),
        ("{host: '2001:db8::7', port: 8443}", "[2001:db8::7]:8443", "2001:db8::7"),
        ("{host: bücher.test, starttls: smtp}", "xn--bcher-kva.test:587", "xn--bcher-kva.test"),
        ("{host: a.test, starttls: imap}", "a.test:143", "a.test"),
        ("{host: a.test, starttls: postgres, private: true}", "a.test:5432", "a.test"),
    ],
)
def test_an_entry_names_an_endpoint(entry: str, shown: str, name: str) -> None:
    (endpoint,) = parse_entries(f"- {entry}", Server, "here").usable
    service = endpoint.service()
    assert (str(service), service.name, service.target.private) == (shown, name, "private" in entry)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("{host: a b}", "'a b' is not a host name"),
        ("{host: 127.0.1}", "'127.0.1' is not a host name or an IP address in its usual form"),
        ("{host: a.test, port: 70000}", "a port is 1 to 65535, not 70000"),
        ("{host: a.test, sni: b/c}", "'b/c' is not a host name"),
        ("{host: a.test, starttls: ftp}", "is not one of"),
        ("{host: a.test, prot: 1}", "unknown: prot"),
        ("{port: 443}", "host"),
    ],
)
def test_an_entry_that_is_wrong_is_a_fault(entry: str, reason: str) -> None:
    (fault,) = parse_entries(f"- {entry}", Server, "here").faults
    assert reason in fault.reason


@pytest.mark.parametrize("seconds", [0, 13])
def test_a_probe_takes_seconds_that_fit_the_time_out(seconds: int) -> None:
    with pytest.raises(SettingsError, match="PROBE_SECONDS must be 1 to 12"):
        load(
            app.Settings,
            {"ENDPOINTS_PARAMETER": "x", "ACM_REGIONS": "x", "PROBE_SECONDS": str(seconds)},
        )


def imported(name: str, left: timedelta, region: str = "eu-west-1") -> str:
    issued = pki.issue(name, names=(name,), valid=(pki.PAST, pki.NOW + left))
    key = issued.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return aws.client("acm", region).import_certificate(Certificate=issued.pem, PrivateKey=key)[
        "CertificateArn"
    ]


class Pages:
    """An ACM whose certificates come on these pages; it remembers what was asked."""

    def __init__(self, *pages: list[dict[str, Any]]) -> None:
        self.pages = pages
        self.meta = aws.client("acm").meta
        self.asked: dict[str, Any] = {}

    def get_paginator(self, _: str) -> "Pages":
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        self.asked = asked
        return [{"CertificateSummaryList": page} for page in self.pages]


def test_every_certificate_of_acm_is_read_whatever_its_key_and_with_its_use() -> None:
    common = {"NotAfter": NOW, "DomainName": "a.test", "Status": "ISSUED"}
    acm: Any = Pages(
        [{"CertificateArn": "1", "InUse": True, "RenewalEligibility": "ELIGIBLE", **common}],
        [
            {"CertificateArn": "2", **common},
            {"CertificateArn": "pending", "Status": "PENDING_VALIDATION"},
        ],
        [{"CertificateArn": "3", "InUse": False, "Exported": True, **common}],
    )
    found = list(acm_certificates(acm, "eu-west-1"))
    assert [(stored.arn, stored.in_use, stored.detail["renewal"]) for stored in found] == [
        ("1", True, "ELIGIBLE"),
        ("2", False, "INELIGIBLE"),
        ("3", True, "INELIGIBLE"),
    ]
    assert {"RSA_2048", "RSA_4096", "EC_prime256v1", "EC_secp521r1"} <= set(
        acm.asked["Includes"]["keyTypes"]
    )


@pytest.mark.usefixtures("moto")
def test_server_certificates_of_iam_are_read() -> None:
    iam = aws.client("iam")
    iam.upload_server_certificate(ServerCertificateName="old", CertificateBody="x", PrivateKey="x")
    (stored,) = iam_certificates(iam)
    assert stored.arn.endswith(":server-certificate/old")
    assert (stored.name, stored.not_after.year, stored.in_use) == (
        "the IAM server certificate old",
        2012,
        True,
    )


@pytest.fixture
def job(moto: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "POWERTOOLS_SERVICE_NAME": "expiring_certificates",
        "ENDPOINTS_PARAMETER": "/fleet/expiring_certificates/endpoints",
        "ACM_REGIONS": "eu-west-1,us-east-1,eu-west-1",  # as a list that names a region twice
    }.items():
        monkeypatch.setenv(name, value)


def listing(text: str, part: str = "") -> None:
    aws.client("ssm").put_parameter(
        Name=f"/fleet/expiring_certificates/endpoints{part}", Value=text, Type="String"
    )


def answering(
    monkeypatch: pytest.MonkeyPatch, **seen: Presented | Unreachable | None
) -> list[Service]:
    asked: list[Service] = []

    def look_at_all(
        services: Iterable[Service], seconds: float, at_once: int, deadline: float
    ) -> Iterator[tuple[Service, Presented | Unreachable | None]]:
        assert 0 < deadline - time.monotonic() < Context.remaining_ms / 1000
        asked.extend(services)
        yield from ((each, seen[each.name.partition(".")[0]]) for each in asked)

    monkeypatch.setattr(app, "look_at_all", look_at_all)
    return asked


@pytest.mark.usefixtures("job")
def test_the_job_reports_endpoints_faulty_entries_and_what_aws_keeps(
    context: Context, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    arns = [imported("one.test", 20 * DAY), imported("two.test", DAY, "us-east-1")]
    imported("three.test", 60 * DAY)
    aws.client("ssm").put_parameter(Name="/fleet/authorities/a", Value="PEM", Type="String")
    listing("""
- {host: good.test, authority: /fleet/authorities/a}
- {host: dead.test}
- {host: 127.0.1}
""")
    listing(
        """
- {host: dead.test}
- {host: lost.test, authority: /fleet/authorities/none}
- {host: late.test}
""",
        "-2",
    )
    ending = Presented("192.0.2.7", (replace(LEAF, not_after=pki.NOW + 20 * DAY),))
    asked = answering(
        monkeypatch, good=ending, dead=Unreachable(Phase.RESOLVE, "no such name"), late=None
    )
    handler(TODAY, context)
    (event,) = published()
    listed = "of /fleet/expiring_certificates/endpoints"
    assert {finding["subject"]: finding["severity"] for finding in event["detail"]["findings"]} == {
        **dict.fromkeys(arns, "info"),
        "good.test:443": "warning",
        "dead.test:443": "warning",
        f"entry 3 {listed}": "warning",
        f"entry 4 {listed}": "warning",
        "lost.test:443": "warning",
        "late.test:443": "warning",
    }
    asked_for = [(service.name, service.authorities) for service in asked]
    assert asked_for == [("good.test", "PEM"), ("dead.test", ""), ("late.test", "")]


@pytest.mark.usefixtures("job")
def test_without_a_list_what_aws_keeps_is_looked_at(context: Context, published: Published) -> None:
    arn = imported("one.test", 20 * DAY)
    handler(TODAY, context)
    (event,) = published()
    assert [finding["subject"] for finding in event["detail"]["findings"]] == [arn]


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("service", ["acm", "iam"])
def test_what_cannot_be_listed_fails_the_run_rather_than_resolve_what_was_found(
    service: str, context: Context, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Iterator[StoredCertificate]:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "List")

    monkeypatch.setattr(app, f"{service}_certificates", refused)
    with pytest.raises(ClientError, match="AccessDenied"):
        handler(EVENT, context)
    assert published() == []
