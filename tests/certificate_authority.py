"""A public key infrastructure with everything wrong that is met, and a server that shows it.

The name that a client asks for chooses the certificates that it gets. All validity is relative to
`NOW`.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC).replace(microsecond=0)
PAST, FUTURE = NOW - timedelta(days=3_000), NOW + timedelta(days=3_000)
YESTERDAY, TOMORROW = NOW - timedelta(days=1), NOW + timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate with its key, and the name by which it issues others."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def issue(
    common_name: str,
    by: Issued | None = None,
    *,
    names: tuple[str, ...] = (),
    valid: tuple[datetime, datetime] = (PAST, FUTURE),
    ca: bool = False,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    signed_with: str = "",
    key_of: str = "",
) -> Issued:
    """Issue a certificate; without `by` it signs itself.

    `signed_with` another key makes its signature wrong.
    """
    own = key(key_of or ("leaf" if not ca else common_name))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    issuer, signer = (by.certificate.subject, by.key) if by else (subject, own)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if names:
        general = [
            x509.IPAddress(ip_address(name)) if _numeric(name) else x509.DNSName(name)
            for name in names
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    if not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return Issued(builder.sign(key(signed_with) if signed_with else signer, hashes.SHA256()), own)


def _numeric(name: str) -> bool:
    return name.replace(".", "").isdigit() or ":" in name


ROOT = issue("Root", ca=True)
INTERMEDIATE = issue("Intermediate", ROOT, ca=True)
ENDING_INTERMEDIATE = issue(
    "Ending Intermediate", ROOT, ca=True, valid=(PAST, NOW + timedelta(days=20))
)
EXPIRED_INTERMEDIATE = issue("Expired Intermediate", ROOT, ca=True, valid=(PAST, YESTERDAY))
FUTURE_INTERMEDIATE = issue("Future Intermediate", ROOT, ca=True, valid=(TOMORROW, FUTURE))
OLD_ROOT = issue("Old Root", ca=True, valid=(PAST, YESTERDAY))
CROSS_SIGNED = issue("Root", OLD_ROOT, ca=True, valid=(PAST, YESTERDAY))
PRIVATE_ROOT = issue("Private Root", ca=True)
NO_AUTHORITY = issue("No Authority", ROOT, key_of="no authority")

Chain = tuple[Issued, ...]


def leaf(name: str, by: Issued | None = INTERMEDIATE, **differently: Any) -> Issued:
    return issue(name, by, **{"names": (name,), **differently})


def chains() -> dict[str, Chain]:
    """Return what the server shows to those who ask for a name."""
    expired: dict[str, Any] = {"valid": (PAST, YESTERDAY)}
    early: dict[str, Any] = {"valid": (TOMORROW, FUTURE)}
    return {
        "good.test": (leaf("good.test"), INTERMEDIATE),
        "direct.test": (leaf("direct.test", ROOT),),
        "with-root.test": (leaf("with-root.test"), INTERMEDIATE, ROOT),
        "disordered.test": (leaf("disordered.test"), ROOT, INTERMEDIATE),
        "cross-signed.test": (leaf("cross-signed.test"), INTERMEDIATE, CROSS_SIGNED, OLD_ROOT),
        "unrelated.test": (leaf("unrelated.test"), INTERMEDIATE, EXPIRED_INTERMEDIATE),
        "www.wild.test": (leaf("*.wild.test"), INTERMEDIATE),
        "xn--bcher-kva.test": (leaf("xn--bcher-kva.test"), INTERMEDIATE),
        "ending.test": (leaf("ending.test", valid=(PAST, NOW + timedelta(days=40))), INTERMEDIATE),
        "ending-above.test": (leaf("ending-above.test", ENDING_INTERMEDIATE), ENDING_INTERMEDIATE),
        "expired.test": (leaf("expired.test", **expired), INTERMEDIATE),
        "early.test": (leaf("early.test", **early), INTERMEDIATE),
        "expired-above.test": (
            leaf("expired-above.test", EXPIRED_INTERMEDIATE),
            EXPIRED_INTERMEDIATE,
        ),
        "early-above.test": (leaf("early-above.test", FUTURE_INTERMEDIATE), FUTURE_INTERMEDIATE),
        "self-signed.test": (leaf("self-signed.test", None),),
        "self-signed-expired.test": (leaf("self-signed-expired.test", None, **expired),),
        "self-signed-other.test": (leaf("other.test", None),),
        "wrong.test": (leaf("other.test"), INTERMEDIATE),
        "wrong-expired.test": (leaf("other.test", **expired), INTERMEDIATE),
        "wrong-cross-signed.test": (leaf("other.test"), INTERMEDIATE, CROSS_SIGNED, OLD_ROOT),
        "too.deep.wild.test": (leaf("*.wild.test"), INTERMEDIATE),
        "common-name.test": (leaf("common-name.test", names=()), INTERMEDIATE),
        "incomplete.test": (leaf("incomplete.test"),),
        "incomplete-all-else.test": (leaf("other.test", **expired),),
        "wrong-above.test": (leaf("wrong-above.test"), ENDING_INTERMEDIATE),
        "private.test": (leaf("private.test", PRIVATE_ROOT),),
        "private-shown.test": (leaf("private-shown.test", PRIVATE_ROOT), PRIVATE_ROOT),
        "client.test": (leaf("client.test", purpose=ExtendedKeyUsageOID.CLIENT_AUTH), INTERMEDIATE),
        "no-authority.test": (leaf("no-authority.test", NO_AUTHORITY), NO_AUTHORITY),
        "forged.test": (leaf("forged.test", signed_with="forger"), INTERMEDIATE),
        # without a name that is asked for
        "": (leaf("127.0.0.1", names=("127.0.0.1", "::1")), INTERMEDIATE),
    }


def context(chain: Chain) -> ssl.SSLContext:
    """Return a server's context that shows this chain."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with NamedTemporaryFile() as file:
        private = chain[0].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        Path(file.name).write_bytes(b"".join([private, *(each.pem for each in chain)]))
        made.load_cert_chain(file.name)
    return made


def by_name() -> ssl.SSLContext:
    """Return a server's context that shows the chain of the name that is asked for."""
    contexts = {name: context(chain) for name, chain in chains().items()}

    def choose(session: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        session.context = contexts[name or ""]

    contexts[""].sni_callback = choose
    return contexts[""]


Talk = Callable[[socket.socket], None]


@contextmanager
def listening(answer: Talk, host: str = "127.0.0.1") -> Iterator[int]:
    """Answer each connection by a call in a thread of its own; yield the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, backlog=512) as listener:

        def one(connection: socket.socket) -> None:
            with connection, suppress(OSError):  # the other side has gone, as probes do
                answer(connection)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:  # the listener is closed
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def showing(tls: ssl.SSLContext, before: Talk = lambda _: None) -> Talk:
    """Answer with TLS, after what is said in plain text."""

    def answer(connection: socket.socket) -> None:
        before(connection)
        with tls.wrap_socket(connection, server_side=True) as session:
            session.recv(1)

    return answer
