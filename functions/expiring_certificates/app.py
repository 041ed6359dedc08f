"""Report certificates that expire soon, and servers whose certificates clients refuse.

Trigger: schedule, daily. Reads: TLS endpoints that a list in SSM names, ACM, IAM server certificates.
Reports: one finding for each endpoint, and each certificate kept in AWS, with which something is wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from fleet import aws
from fleet.findings import Fact, Finding, Severity
from fleet.probes.certificates import Defect, find_defects
from fleet.probes.target import Phase, Unreachable, parse_target
from fleet.probes.tls import Presented, Service, look_at_all
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import SettingsError, entries, load, parameter, unusable, within

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_iam import IAMClient

LADDER = {7: Severity.CRITICAL, 14: Severity.CRITICAL, 30: Severity.WARNING, 45: Severity.INFO}
SEVERE = {Defect.EXPIRED, Defect.NOT_YET_VALID}
PORTS = {"": 443, "smtp": 587, "imap": 143, "postgres": 5432}
AT_ONCE = 50
PARTS = 5  # a parameter holds 8 KB: some 200 endpoints


@dataclass(frozen=True, slots=True)
class Settings:
    endpoints_parameter: str
    acm_regions: str
    probe_seconds: int = 8

    def __post_init__(
        self,
    ) -> None:  # 500 endpoints, all silent and so tried twice, take 160 s of the function's 300
        within("probe_seconds", self.probe_seconds, 1, 12)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a certificate is shown. `authority` names an SSM parameter: the PEM of who issued it, if few trust that."""

    host: str
    port: int = 0
    sni: str = ""
    starttls: Literal["", "smtp", "imap", "postgres"] = ""
    private: bool = False
    authority: str = ""

    def __post_init__(self) -> None:
        self.service()  # refuses what is no host

    def service(self, authorities: str = "") -> Service:
        place = parse_target(self.host, self.port or PORTS[self.starttls], private=self.private)
        return Service(
            place, parse_target(self.sni or self.host, place.port).name, self.starttls, authorities
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """A certificate that AWS keeps. `used` unless nobody is ever shown it."""

    arn: str
    name: str
    not_after: datetime
    used: bool
    detail: Mapping[str, Fact]


def severity(left: timedelta) -> Severity | None:
    """The lowest step of the ladder that a certificate has come to, which is valid for so much longer."""
    return next((each for days, each in LADDER.items() if left <= timedelta(days=days)), None)


def until(not_after: datetime, now: datetime) -> str:
    days, rest = divmod(abs(not_after - now), timedelta(days=1))
    span = (
        f"expired {days} d {{}} h ago, on" if not_after < now else f"expires in {days} d {{}} h, on"
    )
    return f"{span.format(rest // timedelta(hours=1))} {not_after:%Y-%m-%d %H:%M:%S} UTC"


def of_kept(kept: Kept, now: datetime) -> Iterator[Finding]:
    """Yield what is wrong with a certificate that AWS keeps; an unused one hurts nobody."""
    if matters := severity(kept.not_after - now):
        title = f"{kept.name} {until(kept.not_after, now)}" + (
            "" if kept.used else "; nothing uses it"
        )
        yield Finding(kept.arn, title, matters if kept.used else Severity.INFO, kept.detail)


def of_endpoint(
    service: Service, seen: Presented | Unreachable | None, now: datetime
) -> Iterator[Finding]:
    """Yield what is wrong with an endpoint: what clients refuse, or what of its chain expires first."""
    if not isinstance(
        seen, Presented
    ):  # under the same subject, so that this never resolves what was found before
        why = f"cannot be reached, so nobody knows its certificate: {seen}"
        late = "was not looked at, so nobody knows its certificate: the run had no time left"
        detail = {"phase": seen.phase, "reason": seen.reason} if seen else {}
        yield Finding(str(service), f"{service} {why if seen else late}", detail=detail)
        return
    wrong = find_defects(seen.chain, seen.refusals, service.name, now)
    first = min(seen.chain, key=lambda each: each.not_after, default=None)
    matters = severity(first.not_after - now) if first else None
    detail = {str(fault): said for fault, said in wrong.items()} | {"address": seen.address}
    detail |= first.facts if first else {}
    if wrong:
        title = f"{service} shows a certificate that clients refuse: {', '.join(wrong)}"
        severe = matters is Severity.CRITICAL or SEVERE & wrong.keys()
        yield Finding(
            str(service), title, Severity.CRITICAL if severe else Severity.WARNING, detail
        )
    elif first and matters:
        which = "the certificate" if first is seen.chain[0] else f"the intermediate {first.subject}"
        yield Finding(
            str(service), f"{service}: {which} {until(first.not_after, now)}", matters, detail
        )


def in_acm(acm: "ACMClient", region: str) -> Iterator[Kept]:
    """Read all certificates of a region; without naming the kinds of keys, ACM lists RSA up to 2048 bits alone."""
    kinds = acm.meta.service_model.shape_for("KeyAlgorithm").enum  # type: ignore[attr-defined]
    for page in acm.get_paginator("list_certificates").paginate(Includes={"keyTypes": kinds}):
        for each in page["CertificateSummaryList"]:
            if "NotAfter" in each:  # otherwise it was never issued
                name = f"{each.get('DomainName', 'a certificate')} in ACM of {region}"
                use = {"in use": each.get("InUse", False), "exported": each.get("Exported", False)}
                detail = {
                    "status": each["Status"],
                    "renewal": each.get("RenewalEligibility", "INELIGIBLE"),
                    **use,
                }
                yield Kept(
                    each["CertificateArn"], name, each["NotAfter"], any(use.values()), detail
                )


def in_iam(iam: "IAMClient") -> Iterator[Kept]:
    """Read all server certificates; IAM does not tell whether they are in use, and renews none."""
    for page in iam.get_paginator("list_server_certificates").paginate():
        for each in page["ServerCertificateMetadataList"]:
            name = f"the IAM server certificate {each['ServerCertificateName']}"
            yield Kept(each["Arn"], name, each["Expiration"], True, {"path": each["Path"]})


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings, now = load(Settings), run.scheduled_at
    for region in dict.fromkeys(settings.acm_regions.split(",")):
        for kept in in_acm(aws.client("acm", region), region):
            yield from of_kept(kept, now)
    for kept in in_iam(aws.client("iam")):
        yield from of_kept(kept, now)
    listed, services = settings.endpoints_parameter, list[Service]()
    wanted = entries(
        listed, Endpoint, key=lambda endpoint: str(endpoint.service()), optional=True, parts=PARTS
    )
    yield from unusable(wanted.faults, listed)
    for endpoint in wanted.usable:
        try:
            services.append(
                endpoint.service(parameter(endpoint.authority) if endpoint.authority else "")
            )
        except SettingsError as error:
            yield from of_endpoint(endpoint.service(), Unreachable(Phase.TLS, str(error)), now)
    for service, seen in look_at_all(services, settings.probe_seconds, AT_ONCE, run.deadline):
        yield from of_endpoint(service, seen, now)
