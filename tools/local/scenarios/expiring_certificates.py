"""Two TLS servers, one healthy and one whose certificate ends in days, and a certificate in ACM
that nothing uses.
"""

import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

import trustme

from tools.local.alert_waits import wait_until_opened, wait_until_resolved
from tools.local.destinations import PAGERDUTY, SLACK
from tools.local.fleet import Fleet, by_subject
from tools.local.progress import expect

TRIGGER = "schedule"
JOB = "expiring_certificates"


class Server:
    """A TLS server on a port of its own, which may be given another certificate while it runs."""

    def __init__(self, certificate: trustme.LeafCert) -> None:
        """Serve with this certificate until the process ends."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.show(certificate)
        threading.Thread(target=self._serve, name="tls", daemon=True).start()

    def show(self, certificate: trustme.LeafCert) -> None:
        """Show this certificate from now on."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        self._context = context

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            with self._context.wrap_socket(connection, server_side=True) as session:
                session.recv(1)
        except OSError:  # the client has gone, as probes do
            connection.close()


@dataclass(frozen=True, slots=True)
class Scene:
    """An authority that only the list trusts, a healthy server, and one to be renewed soon."""

    authority: trustme.CA
    healthy: Server
    ending: Server


@cache
def scene() -> Scene:
    """Start the servers, once."""
    authority = trustme.CA()
    ending = authority.issue_cert(
        "127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=5, hours=12)
    )
    return Scene(authority, Server(authority.issue_cert("127.0.0.1")), Server(ending))


def seed(fleet: Fleet) -> None:
    """Start the servers and list them, with the authority that they are to be held against."""
    made = scene()
    authority = (
        f"{fleet.variables(JOB)['ENDPOINTS_PARAMETER'].rpartition('/')[0]}/authorities/local"
    )
    pem = made.authority.cert_pem.bytes().decode()
    fleet.account.ssm.put_parameter(Name=authority, Value=pem, Type="String", Overwrite=True)
    listed = "\n".join(
        f"- {{host: 127.0.0.1, port: {server.port}, private: true, authority: {authority}}}"
        for server in (made.healthy, made.ending)
    )
    fleet.configure(JOB, "ENDPOINTS_PARAMETER", listed)


def play(fleet: Fleet) -> str:
    """Expect findings about one server and ACM, until one is renewed and the other deleted."""
    made = scene()
    unused = made.authority.issue_cert(
        "old.example.com", not_after=datetime.now(UTC) + timedelta(days=20)
    )
    arn = fleet.account.acm.import_certificate(
        Certificate=unused.cert_chain_pems[0].bytes(), PrivateKey=unused.private_key_pem.bytes()
    )["CertificateArn"]
    endpoint = f"127.0.0.1:{made.ending.port}"
    findings = fleet.report(JOB)
    severities = by_subject(findings, "severity")
    expect(
        severities == {endpoint: "critical", arn: "info"},
        f"expected a critical and an info; reported: {findings}",
    )
    title = by_subject(findings, "title")[endpoint]
    expect("expires in 5 d" in title, f"the certificate ends in 5 days; the title is: {title}")
    wait_until_opened(fleet, f"{JOB}/{endpoint}", SLACK, PAGERDUTY)
    wait_until_opened(fleet, f"{JOB}/{arn}")
    made.ending.show(made.authority.issue_cert("127.0.0.1"))
    fleet.account.acm.delete_certificate(CertificateArn=arn)
    fleet.report_nothing(JOB, "the certificate is renewed, and the other deleted")
    wait_until_resolved(fleet, f"{JOB}/{endpoint}", SLACK, PAGERDUTY)
    wait_until_resolved(fleet, f"{JOB}/{arn}")
    return (
        f"{title}: opened at Slack, PagerDuty and webhook; renewed, and resolved at each. "
        "One in ACM that nothing uses (info) opened at the webhook alone, and ended with its "
        "deletion; the healthy server was not reported"
    )
