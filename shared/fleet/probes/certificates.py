"""What X.509 certificates say, and what is wrong with those that a server presented.

Everything here is plain values: nothing is called. Terms are those of RFC 5280.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

NAME_CHARACTERS = 100
NAMES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Links:
    """What ties a certificate to its issuer: names in canonical form, and key identifiers.

    Either identifier may be missing (RFC 5280, 4.2.1.1 and 4.2.1.2).
    """

    subject: str
    issuer: str
    key: bytes | None = None
    issuer_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, valid from the second `not_before` through the second `not_after` (UTC).

    `subject` and `issuer` are for people; `names` are the DNS names in lower case and the IP
    addresses among its subject alternative names.
    """

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    links: Links

    @property
    def self_issued(self) -> bool:
        """Whether it names itself as its issuer."""
        return self.links.subject == self.links.issuer

    @property
    def facts(self) -> dict[str, str]:
        """What people should know of it, as the detail of a finding."""
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "valid from": self.not_before.isoformat(),
            "valid until": self.not_after.isoformat(),
            "names": ", ".join(self.names),
        }

    def issued(self, other: "Certificate") -> bool:
        """Whether the other one names this as its issuer."""
        if self.links.subject != other.links.issuer:
            return False
        key, named = self.links.key, other.links.issuer_key
        return key is None or named is None or key == named

    def covers(self, host: str) -> bool:
        """Whether it is for this host: an address, or a name in ASCII.

        A wildcard stands for one whole first label (RFC 9525, 6.3), and not directly below a
        top-level domain.
        """
        if host in self.names:
            return True
        if _is_address(host) or host.count(".") < 2:
            return False
        _, _, parent = host.partition(".")
        return f"*.{parent}" in self.names


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why OpenSSL did not accept what was presented: X509_V_ERR_..., and its text.

    The codes are those of the manual page X509_STORE_CTX_get_error(3).
    """

    code: int
    message: str


class Defect(StrEnum):
    """What is wrong with the certificates of a server, the most telling first."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    SELF_SIGNED = "self-signed"
    INCOMPLETE_CHAIN = "incomplete chain"
    UNTRUSTED = "untrusted"
    WRONG_HOST = "wrong host"
    INVALID = "invalid"


# OpenSSL's codes, by what they come to.
TIME_REFUSALS = {
    9: Defect.NOT_YET_VALID,  # CERT_NOT_YET_VALID
    10: Defect.EXPIRED,  # CERT_HAS_EXPIRED
}
TRUST_REFUSALS = {
    2,  # UNABLE_TO_GET_ISSUER_CERT
    18,  # DEPTH_ZERO_SELF_SIGNED_CERT
    19,  # SELF_SIGNED_CERT_IN_CHAIN
    20,  # UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    21,  # UNABLE_TO_VERIFY_LEAF_SIGNATURE
}
NAME_REFUSALS = {
    62,  # HOSTNAME_MISMATCH
    64,  # IP_ADDRESS_MISMATCH
}


def find_defects(
    chain: Sequence[Certificate], refusals: Iterable[Refusal], host: str, now: datetime
) -> dict[Defect, str]:
    """Return all that is wrong at a time, each with what people should know of it.

    `chain` begins with the server's own certificate. OpenSSL stops at its first reason, so what
    the certificates themselves say completes it.
    """
    messages = {refusal.code: refusal.message for refusal in refusals}
    codes = messages.keys()
    defects = {defect: messages[code] for code, defect in TIME_REFUSALS.items() if code in messages}
    if expired := [describe(link) for link in chain if link.not_after < now]:
        defects[Defect.EXPIRED] = "; ".join(expired)
    if early := [describe(link) for link in chain if link.not_before > now]:
        defects[Defect.NOT_YET_VALID] = "; ".join(early)
    if codes & TRUST_REFUSALS and chain:
        defect, text = _distrust(chain)
        defects[defect] = text
    elif codes & TRUST_REFUSALS:
        defects[Defect.UNTRUSTED] = "; ".join(messages.values())
    if codes & NAME_REFUSALS or (chain and not chain[0].covers(host)):
        names = ", ".join(chain[0].names[:NAMES_SHOWN]) if chain else ""
        defects[Defect.WRONG_HOST] = f"{host} is not among its names: {names or 'it has none'}"
    other_codes = codes - TIME_REFUSALS.keys() - TRUST_REFUSALS - NAME_REFUSALS
    if other_codes:
        defects[Defect.INVALID] = "; ".join(messages[code] for code in other_codes)
    return {defect: defects[defect] for defect in Defect if defect in defects}


def _distrust(chain: Sequence[Certificate]) -> tuple[Defect, str]:
    last = chain[-1]
    if not last.self_issued:
        missing = f"{last.issuer}, which issued {last.subject}, is neither shown nor trusted"
        return Defect.INCOMPLETE_CHAIN, missing
    if len(chain) == 1:
        return Defect.SELF_SIGNED, f"{last.subject} signed itself"
    return Defect.UNTRUSTED, f"the chain leads to {last.subject}, which is not trusted"


def describe(certificate: Certificate) -> str:
    """Say in one line what a certificate is."""
    since = f"{certificate.not_before:%Y-%m-%d %H:%M:%S}"
    until = f"{certificate.not_after:%Y-%m-%d %H:%M:%S}"
    issuer = certificate.issuer
    return f"{certificate.subject}, issued by {issuer}, valid {since} to {until} UTC"


def chain_upwards(presented: Sequence[Certificate]) -> Iterator[Certificate]:
    """Yield the first certificate, its issuer and so on, as far as they are among `presented`.

    They may stand in any order. Of several possible issuers the one that is valid longest counts.
    """
    rest = list(presented)
    here = presented[0] if presented else None
    while here:
        yield here
        rest = [other for other in rest if other != here]
        issuers = [] if here.self_issued else [other for other in rest if other.issued(here)]
        here = max(issuers, key=lambda issuer: issuer.not_after, default=None)


# Lives as long as the process: hundreds of servers present the same few intermediates.
@lru_cache(maxsize=1_000)
def parse(der: bytes) -> Certificate:
    """Read a certificate in DER. Raises `ValueError`."""
    from asn1crypto import x509

    read = x509.Certificate.load(der)
    links = Links(
        read.subject.hashable,
        read.issuer.hashable,
        read.key_identifier,
        read.authority_key_identifier,
    )
    return Certificate(
        subject=_readable(read.subject),
        issuer=_readable(read.issuer),
        not_before=_utc(read.not_valid_before),
        not_after=_utc(read.not_valid_after),
        names=tuple(_names(read.subject_alt_name_value or ())),
        links=links,
    )


def _utc(date: Any) -> datetime:
    if not isinstance(date, datetime):  # asn1crypto has a type of its own for the year 0
        raise ValueError("the certificate has a date in year 0")  # noqa: TRY004 - not a wrong type
    try:
        return date.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"the certificate has a date beyond years 1 to 9999: {date}") from None


def _names(general_names: Iterable[Any]) -> Iterator[str]:
    for name in general_names:
        if name.name == "dns_name":
            # As the bytes stand: reading them as Unicode would refuse what is no IDN.
            yield name.chosen.contents.decode("ascii", "replace").lower()
        elif name.name == "ip_address":
            yield str(ip_address(name.native))


def _readable(name: Any) -> str:
    """Return the common name, or else the whole name, as one printable line."""
    common_names = [
        str(attribute.native["value"])
        for relative_name in name.chosen
        for attribute in relative_name
        if attribute["type"].native == "common_name"
    ]
    text = ", ".join(common_names) or name.human_friendly or "nobody"
    printable = "".join(char if char.isprintable() else "?" for char in text)
    return printable[:NAME_CHARACTERS]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:  # which is the answer
        return False
    return True
