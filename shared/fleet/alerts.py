"""Observations, of which triage makes findings, and alerts, which sinks deliver."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from fleet.findings import Fact, Severity

DETAIL_TYPE = "Alert"
TEXTS = ("id", "dedup_key", "title", "subject", "source", "owner", "link", "runbook")
# PagerDuty takes no longer dedup_key (Events API v2, "Send an alert event").
KEY_CHARACTERS = 255


class Status(StrEnum):
    """What an observation says about its subject."""

    FAILING = "failing"
    """It fails, until another observation says that it is well."""
    OK = "ok"
    """It is well, or well again."""
    OCCURRED = "occurred"
    """Something happened once; nothing will say that it is over."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one message says about one subject, whatever sent it."""

    source: str
    """What observes: a job (`paused_pipelines`) or an AWS service (`aws.cloudwatch`)."""
    subject: str
    """Stable within its source: the same problem has the same subject each time."""
    status: Status
    severity: Severity
    title: str
    """One line, of at most TITLE_CHARACTERS."""
    at: datetime
    """Since when it is so (UTC), as the message says."""
    event_id: str
    """Stays the same when the message is delivered again."""
    detail: Mapping[str, Fact] = field(default_factory=dict)
    """Flat facts for people."""
    link: str = ""
    resources: tuple[str, ...] = ()
    """ARNs."""
    owner: str = ""

    @property
    def dedup_key(self) -> str:
        """What all alerts about the subject have in common."""
        return dedup_key(self.source, self.subject)


def dedup_key(source: str, subject: str) -> str:
    """Return `source/subject`, with a hash in place of a subject that is not fit for a key.

    Fit are printable ASCII characters, so many that the key has at most KEY_CHARACTERS.
    """
    key = f"{source}/{subject}"
    if len(key) <= KEY_CHARACTERS and key.isascii() and key.isprintable():
        return key
    digest = hashlib.sha256(subject.encode("utf-8", "surrogatepass"))
    return f"{source}/{digest.hexdigest()}"


class AlertStatus(StrEnum):
    """The transition that an alert is about."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REMINDED = "reminded"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One transition in the life of a finding, as sinks deliver it. Times are UTC."""

    id: str
    """A hash of what makes the transition unique: the same in all copies of the alert."""
    dedup_key: str
    """The same for all alerts about the finding."""
    status: AlertStatus
    severity: Severity
    title: str
    subject: str
    source: str
    owner: str
    """Empty when nobody is known to own it."""
    count: int
    """How often it has been observed since it opened."""
    first_seen: datetime
    """When it opened."""
    last_seen: datetime
    detail: Mapping[str, Fact] = field(default_factory=dict)
    link: str = ""
    runbook: str = ""
    """A link to the job's section of the runbook, or empty."""

    def as_json(self) -> str:
        """Return the `detail` of an `Alert` event, as ASCII text: one character is one byte."""
        fields = asdict(self)
        fields["detail"] = dict(self.detail)
        fields["first_seen"] = self.first_seen.isoformat()
        fields["last_seen"] = self.last_seen.isoformat()
        return json.dumps(fields)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the `detail` of an `Alert` event.

        Raises `KeyError`, `TypeError` or `ValueError` when the document is not one.
        """
        wrong = [name for name in TEXTS if not isinstance(document.get(name, ""), str)]
        if wrong:
            raise TypeError(f"expected text in {', '.join(wrong)}")
        facts = document.get("detail", {})
        if not isinstance(facts, dict):
            raise TypeError("expected facts in detail")
        if any(isinstance(fact, dict | list) for fact in facts.values()):
            raise TypeError("expected facts in detail")
        for name in ("id", "dedup_key", "link", "runbook"):
            document.get(name, "").encode()  # half of a surrogate pair is a ValueError
        if not all(0 < len(document[name]) <= KEY_CHARACTERS for name in ("id", "dedup_key")):
            raise ValueError(f"expected id and dedup_key of at most {KEY_CHARACTERS} characters")
        return cls(
            **{
                **document,
                "status": AlertStatus(document["status"]),
                "severity": Severity(document["severity"]),
                "first_seen": datetime.fromisoformat(document["first_seen"]),
                "last_seen": datetime.fromisoformat(document["last_seen"]),
            }
        )
