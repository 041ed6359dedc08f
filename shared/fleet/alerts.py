"""Observations and alerts."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from fleet.findings import Fact, Severity

SOURCE = "fleet"
DETAIL_TYPE = "Alert"
TEXTS = ("id", "dedup_key", "title", "subject", "source", "owner", "link", "runbook")
KEY_CHARACTERS = 255  # PagerDuty's dedup_key takes no more


class Status(StrEnum):
    """What an observation says of its subject: it fails, it is well again, or something happened once."""

    FAILING = "failing"
    OK = "ok"
    OCCURRED = "occurred"


@dataclass(frozen=True, slots=True)
class Observation:
    """What one message says of one subject, whatever sent it.

    `source` is what observes: a job of the fleet (`paused_pipelines`) or an AWS service (`aws.cloudwatch`).
    `subject` is stable within its source: the same trouble bears the same subject each time. `at` is when it was so
    (UTC), as the message says. `event_id` stays the same when the message is delivered again. `resources` are ARNs.
    """

    source: str
    subject: str
    status: Status
    severity: Severity
    title: str
    at: datetime
    event_id: str
    detail: Mapping[str, Fact] = field(default_factory=dict)
    link: str = ""
    resources: tuple[str, ...] = ()
    owner: str = ""

    @property
    def dedup_key(self) -> str:
        """What all alerts about the subject have in common."""
        return dedup_key(self.source, self.subject)


def dedup_key(source: str, subject: str) -> str:
    """Return `source/subject`, or a hash in the place of what is too long for a key."""
    key = f"{source}/{subject}"
    if len(key) <= KEY_CHARACTERS and key.isascii() and key.isprintable():
        return key
    return f"{source}/{hashlib.sha256(subject.encode('utf-8', 'surrogatepass')).hexdigest()}"


class AlertStatus(StrEnum):
    """The transition that an alert tells of."""

    OPENED = "opened"
    ESCALATED = "escalated"
    REMINDED = "reminded"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One transition in the life of a finding, as sinks deliver it.

    `id` is the hash of what makes the transition unique, so all copies of it bear the same. `count` is how often it was
    observed since it opened. `first_seen` and `last_seen` are UTC. `runbook` is a link to the job's entry, or empty.
    """

    id: str
    dedup_key: str
    status: AlertStatus
    severity: Severity
    title: str
    subject: str
    source: str
    owner: str
    count: int
    first_seen: datetime
    last_seen: datetime
    detail: Mapping[str, Fact] = field(default_factory=dict)
    link: str = ""
    runbook: str = ""

    def as_json(self) -> str:
        """The `detail` of an `Alert` event, as ASCII text."""
        fields = asdict(self) | {"detail": dict(self.detail)}
        return json.dumps(
            fields | {name: fields[name].isoformat() for name in ("first_seen", "last_seen")}
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the `detail` of an `Alert` event. Raises `KeyError`, `TypeError` or `ValueError` for any other."""
        facts = document.get("detail", {})
        wrong = [name for name in TEXTS if not isinstance(document.get(name, ""), str)]
        if (
            wrong
            or not isinstance(facts, dict)
            or any(isinstance(fact, dict | list) for fact in facts.values())
        ):
            raise TypeError(
                f"expected text in {', '.join(wrong)}" if wrong else "expected facts in detail"
            )
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
