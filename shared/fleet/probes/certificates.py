"""What X.509 certificates say, and what is wrong with those that a server showed: plain values, nothing is called."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

NAME_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, valid from the second `not_before` through the second `not_after`.

    `subject` and `issuer` are for people; what links certificates are their canonical forms and key identifiers.
    """

    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    links: tuple[str, str, bytes | None, bytes | None]

    @property
    def self_issued(self) -> bool:
        """Whether it names itself as its issuer."""
        return self.links[0] == self.links[1]

    @property
    def facts(self) -> dict[str, str]:
        """What people should know of it."""
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "valid from": self.not_before.isoformat(),
            "valid until": self.not_after.isoformat(),
            "names": ", ".join(self.names),
        }

    def issued(self, other: "Certificate") -> bool:
        """Whether it is named as the other's issuer."""
        subject, _, key, _ = self.links
        _, issuer, _, authority = other.links
        return subject == issuer and (key == authority or None in (key, authority))

    def covers(self, name: str) -> bool:
        """Whether it is for this host: an address, or a name in ASCII. A wildcard stands for one whole first label."""
        wildcard = "*." + name.partition(".")[2]
        return name in self.names or (
            name.count(".") > 1 and not _is_address(name) and wildcard in self.names
        )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why OpenSSL did not accept what was shown: the code and its text (openssl-verification-options)."""

    code: int
    message: str


class Fault(StrEnum):
    """What is wrong with a target's certificates."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    SELF_SIGNED = "self-signed"
    INCOMPLETE_CHAIN = "incomplete chain"
    UNTRUSTED = "untrusted"
    WRONG_HOST = "wrong host"
    INVALID = "invalid"


# X509_V_ERR_...: NOT_YET_VALID, HAS_EXPIRED, UNABLE_TO_GET_ISSUER_CERT, DEPTH_ZERO_SELF_SIGNED_CERT,
# SELF_SIGNED_CERT_IN_CHAIN, UNABLE_TO_GET_ISSUER_CERT_LOCALLY, UNABLE_TO_VERIFY_LEAF_SIGNATURE, HOSTNAME_MISMATCH,
# IP_ADDRESS_MISMATCH
TIME_REFUSALS = {9: Fault.NOT_YET_VALID, 10: Fault.EXPIRED}
TRUST_REFUSALS = {2, 18, 19, 20, 21}
NAME_REFUSALS = {62, 64}


def faults(
    relied: Sequence[Certificate], refusals: Iterable[Refusal], name: str, now: datetime
) -> dict[Fault, str]:
    """Return all that is wrong at a time, and what people should know of it.

    OpenSSL stops at the first reason; what the certificates themselves say completes it.
    """
    refused = {refusal.code: refusal.message for refusal in refusals}
    found = {
        TIME_REFUSALS[code]: message for code, message in refused.items() if code in TIME_REFUSALS
    }
    for fault, those in (
        (Fault.EXPIRED, [told(each) for each in relied if each.not_after < now]),
        (Fault.NOT_YET_VALID, [told(each) for each in relied if each.not_before > now]),
    ):
        if those:
            found[fault] = "; ".join(those)
    if refused.keys() & TRUST_REFUSALS:
        found |= (
            [_untrusted(relied)] if relied else [(Fault.UNTRUSTED, "; ".join(refused.values()))]
        )
    if refused.keys() & NAME_REFUSALS or (relied and not relied[0].covers(name)):
        names = ", ".join(relied[0].names[:20]) if relied else ""
        found[Fault.WRONG_HOST] = f"{name} is not among its names: {names or 'it has none'}"
    if rest := [
        refused[code]
        for code in refused.keys() - TIME_REFUSALS.keys() - TRUST_REFUSALS - NAME_REFUSALS
    ]:
        found[Fault.INVALID] = "; ".join(rest)
    return {fault: found[fault] for fault in Fault if fault in found}


def _untrusted(relied: Sequence[Certificate]) -> tuple[Fault, str]:
    last = relied[-1]
    if not last.self_issued:
        return (
            Fault.INCOMPLETE_CHAIN,
            f"{last.issuer}, which issued {last.subject}, is neither shown nor trusted",
        )
    if len(relied) == 1:
        return Fault.SELF_SIGNED, f"{last.subject} signed itself"
    return Fault.UNTRUSTED, f"the chain leads to {last.subject}, which is not trusted"


def told(certificate: Certificate) -> str:
    """Say what a certificate is."""
    valid = f"{certificate.not_before:%Y-%m-%d %H:%M:%S} to {certificate.not_after:%Y-%m-%d %H:%M:%S} UTC"
    return f"{certificate.subject}, issued by {certificate.issuer}, valid {valid}"


def path(shown: Sequence[Certificate]) -> Iterator[Certificate]:
    """Yield the certificates that lead upwards from the first, as far as they were shown, in whatever order."""
    rest = list(shown)
    here = shown[0] if shown else None
    while here:
        yield here
        rest = [each for each in rest if each != here]
        above = [] if here.self_issued else [each for each in rest if each.issued(here)]
        here = max(above, key=lambda each: each.not_after, default=None)


@lru_cache(maxsize=1_000)  # hundreds of servers show the same few intermediates
def parse(der: bytes) -> Certificate:
    """Read a certificate. Raises `ValueError`."""
    from asn1crypto import x509

    read = x509.Certificate.load(der)
    return Certificate(
        _shown(read.subject),
        _shown(read.issuer),
        _moment(read.not_valid_before),
        _moment(read.not_valid_after),
        tuple(_names(read.subject_alt_name_value or ())),
        (
            read.subject.hashable,
            read.issuer.hashable,
            read.key_identifier,
            read.authority_key_identifier,
        ),
    )


def _moment(date: Any) -> datetime:
    if not isinstance(date, datetime):  # asn1crypto has a type of its own for the year 0
        raise ValueError("a date of it is of the year 0")  # noqa: TRY004 - that is the certificate's fault
    try:
        return date.astimezone(UTC)
    except OverflowError:  # before the year 1 or after 9999 in UTC
        raise ValueError(f"{date} is no date") from None


def _names(general: Iterable[Any]) -> Iterator[str]:
    for name in general:
        if (
            name.name == "dns_name"
        ):  # as it stands: reading it as Unicode would refuse what is no IDN
            yield name.chosen.contents.decode("ascii", "replace").lower()
        elif name.name == "ip_address":
            yield str(ip_address(name.native))


def _shown(name: Any) -> str:
    """The common name, or else the whole name, as one printable line."""
    common = [
        each.native["value"]
        for part in name.chosen
        for each in part
        if each["type"].native == "common_name"
    ]
    text = ", ".join(map(str, common)) or name.human_friendly or "nobody"
    return "".join(each if each.isprintable() else "?" for each in text)[:NAME_CHARACTERS]


def _is_address(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:  # which is the answer
        return False
