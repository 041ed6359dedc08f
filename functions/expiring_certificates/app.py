"""Report certificates that expire soon, and servers whose certificates clients refuse.

Trigger: schedule, daily. Reads: TLS servers that a list in SSM names, ACM, IAM server certificates.
Reports: one finding for each server, and each certificate stored in AWS, that has something wrong.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from fleet import aws
from fleet.findings import Fact, Finding, Severity, span
from fleet.lists import entries, fault_findings, parameter_text
from fleet.probes.certificates import Defect, find_defects
from fleet.probes.target import Phase, Unreachable, parse_target
from fleet.probes.tls import Presented, Service, look_at_all
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import SettingsError, load, within

if TYPE_CHECKING:
    from mypy_boto3_acm import ACMClient
    from mypy_boto3_iam import IAMClient

# How severe it is that a certificate is valid for at most so much longer, the worst first.
LADDER = {
    timedelta(days=14): Severity.CRITICAL,
    timedelta(days=30): Severity.WARNING,
    timedelta(days=45): Severity.INFO,
}
CRITICAL_DEFECTS = {Defect.EXPIRED, Defect.NOT_YET_VALID}
PORTS = {"": 443, "smtp": 587, "imap": 143, "postgres": 5432}
AT_ONCE = 50
PARTS = 5  # a parameter holds 8 KB: about 200 servers


@dataclass(frozen=True, slots=True)
class Settings:
    """`acm_regions` are separated by commas; `probe_seconds` is the limit of one look."""

    endpoints_parameter: str
    acm_regions: str
    probe_seconds: int = 8

    def __post_init__(self) -> None:
        # 500 servers, all silent and so tried twice, take 160 s of the function's 300.
        within("probe_seconds", self.probe_seconds, 1, 12)


@dataclass(frozen=True, slots=True)
class Server:
    """An entry of the list: a server whose certificate is looked at.

    `port` is the protocol's usual one unless given; `sni` is the name to ask for, if it is not the
    host. `authority` names an SSM parameter: the PEM of who issued it, if few trust that.
    """

    host: str
    port: int = 0
    sni: str = ""
    starttls: Literal["", "smtp", "imap", "postgres"] = ""
    private: bool = False
    authority: str = ""

    def __post_init__(self) -> None:
        self.service()  # refuses what is not a host or port

    def __str__(self) -> str:
        return str(self.service())

    def service(self, authorities: str = "") -> Service:
        """Return the service to look at. Raises `ValueError` for a wrong host or port."""
        port = self.port or PORTS[self.starttls]
        target = parse_target(self.host, port, private=self.private)
        name = parse_target(self.sni or self.host, port).name
        return Service(target, name, self.starttls, authorities)

    def trusting_service(self) -> Service:
        """Return the service with its authority's PEM. Raises `SettingsError` if it is missing."""
        if not self.authority:
            return self.service()
        return self.service(parameter_text(self.authority))


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """A certificate that AWS stores. `name` is for people; one not `in_use` is shown to nobody."""

    arn: str
    name: str
    not_after: datetime
    in_use: bool
    detail: Mapping[str, Fact]


def severity(time_left: timedelta) -> Severity | None:
    """Return how severe it is that a certificate is valid for so much longer; None if it is not."""
    for limit, step in LADDER.items():
        if time_left <= limit:
            return step
    return None


def expiry(not_after: datetime, now: datetime) -> str:
    """Say when a certificate expires, or when it did."""
    length = span(not_after - now)
    date = f"{not_after:%Y-%m-%d %H:%M:%S} UTC"
    if not_after < now:
        return f"expired {length} ago, on {date}"
    return f"expires in {length}, on {date}"


def check_stored(stored: StoredCertificate, now: datetime) -> Iterator[Finding]:
    """Yield a finding if a certificate that AWS stores expires; an unused one hurts nobody."""
    severe = severity(stored.not_after - now)
    if severe is None:
        return
    title = f"{stored.name} {expiry(stored.not_after, now)}"
    if not stored.in_use:
        title += "; nothing uses it"
        severe = Severity.INFO
    yield Finding(
        subject=stored.arn,
        title=title,
        severity=severe,
        detail=stored.detail,
    )


def check_service(
    service: Service,
    result: Presented | Unreachable | None,
    now: datetime,
) -> Iterator[Finding]:
    """Yield a finding if something is wrong with a service, or nobody could look at it.

    The subject is always the service, so that no look ends what another one found.
    """
    match result:
        case Presented():
            yield from check_presented(service, result, now)
        case Unreachable():
            yield unreachable(service, result)
        case None:
            late = "the run had no time left"
            title = f"{service} was not looked at, so nobody knows its certificate: {late}"
            yield Finding(str(service), title)


def unreachable(service: Service, failure: Unreachable) -> Finding:
    """Say that nobody knows; without a finding, what was found before would end."""
    return Finding(
        subject=str(service),
        title=f"{service} cannot be reached, so nobody knows its certificate: {failure}",
        detail={"phase": failure.phase.value, "reason": failure.reason},
    )


def check_presented(service: Service, presented: Presented, now: datetime) -> Iterator[Finding]:
    """Yield a finding about what clients refuse, or about what of the chain expires first."""
    chain = presented.chain
    defects = find_defects(chain, presented.refusals, service.name, now)
    first = min(chain, key=attrgetter("not_after"), default=None)
    severe = None
    detail = {str(defect): text for defect, text in defects.items()}
    detail["address"] = presented.address
    if first:
        severe = severity(first.not_after - now)
        detail |= first.facts
    if defects:
        yield refused(service, defects, severe, detail)
    elif first and severe:
        own = first is chain[0]
        which = "the certificate" if own else f"the intermediate {first.subject}"
        title = f"{service}: {which} {expiry(first.not_after, now)}"
        yield Finding(str(service), title, severe, detail)


def refused(
    service: Service,
    defects: Iterable[Defect],
    severe: Severity | None,
    detail: Mapping[str, str],
) -> Finding:
    """Say what clients refuse. `severe` is how soon the certificate expires."""
    critical = severe is Severity.CRITICAL or CRITICAL_DEFECTS.intersection(defects)
    return Finding(
        subject=str(service),
        title=f"{service} shows a certificate that clients refuse: {', '.join(defects)}",
        severity=Severity.CRITICAL if critical else Severity.WARNING,
        detail=detail,
    )


def acm_certificates(acm: "ACMClient", region: str) -> Iterator[StoredCertificate]:
    """Read all certificates of a region that were issued."""
    # Unless all kinds of keys are named, ACM lists only RSA up to 2048 bits (ListCertificates).
    kinds = acm.meta.service_model.shape_for("KeyAlgorithm").enum  # type: ignore[attr-defined]
    for page in acm.get_paginator("list_certificates").paginate(Includes={"keyTypes": kinds}):
        for summary in page["CertificateSummaryList"]:
            if "NotAfter" not in summary:  # it was never issued
                continue
            in_use = summary.get("InUse", False)
            exported = summary.get("Exported", False)
            yield StoredCertificate(
                arn=summary["CertificateArn"],
                name=f"{summary.get('DomainName', 'a certificate')} in ACM of {region}",
                not_after=summary["NotAfter"],
                in_use=in_use or exported,
                detail={
                    "status": summary["Status"],
                    "renewal": summary.get("RenewalEligibility", "INELIGIBLE"),
                    "in use": in_use,
                    "exported": exported,
                },
            )


def iam_certificates(iam: "IAMClient") -> Iterator[StoredCertificate]:
    """Read all server certificates. IAM does not say whether they are in use, and renews none."""
    for page in iam.get_paginator("list_server_certificates").paginate():
        for metadata in page["ServerCertificateMetadataList"]:
            yield StoredCertificate(
                arn=metadata["Arn"],
                name=f"the IAM server certificate {metadata['ServerCertificateName']}",
                not_after=metadata["Expiration"],
                in_use=True,
                detail={"path": metadata["Path"]},
            )


def check_all_stored(regions: str, now: datetime) -> Iterator[Finding]:
    """Yield what is wrong with the certificates in ACM, of each region once, and in IAM."""
    distinct = dict.fromkeys(regions.split(","))
    for region in distinct:
        acm = aws.client("acm", region)
        for stored in acm_certificates(acm, region):
            yield from check_stored(stored, now)
    iam = aws.client("iam")
    for stored in iam_certificates(iam):
        yield from check_stored(stored, now)


def check_listed(settings: Settings, run: Run) -> Iterator[Finding]:
    """Yield what is wrong with the list, and with the servers in it."""
    listed = settings.endpoints_parameter
    servers = entries(listed, Server, str, optional=True, parts=PARTS)
    yield from fault_findings(servers.faults, listed)
    services = []
    for server in servers.usable:
        try:
            services.append(server.trusting_service())
        except SettingsError as error:
            failure = Unreachable(Phase.TLS, str(error))
            yield unreachable(server.service(), failure)
    results = look_at_all(services, settings.probe_seconds, AT_ONCE, run.deadline)
    for service, result in results:
        yield from check_service(service, result, run.scheduled_at)


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings = load(Settings)
    yield from check_all_stored(settings.acm_regions, run.scheduled_at)
    yield from check_listed(settings, run)
