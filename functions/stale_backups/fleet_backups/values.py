"""What the readers learn: resources, their recovery points, and what could not be read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

NEVER = datetime.min.replace(tzinfo=UTC)

RESTORABLE = "restorable"
"""The status of a recovery point whose service gives it none: it can be restored."""


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that should have backups."""

    subject: str
    """Its ARN, or the path of dumps."""
    created: datetime | None
    """None while AWS is still making it. `NEVER` if unknown: then a backup is due at once."""
    status: str = ""
    """In its service's words, such as `available`."""


@dataclass(frozen=True, slots=True, order=True)
class RecoveryPoint:
    """A moment to which a resource can be restored, if the backup ended well.

    Those of one resource are ordered by time.
    """

    subject: str
    """The resource that it restores."""
    at: datetime
    status: str = RESTORABLE
    """In its service's words, such as `COMPLETED` or `pending`."""
    continuous: bool = False
    """Whether it reaches from `at` to now."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A resource whose backups could not be read."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class UnreadableVault:
    """A vault that could not be read. It may hold backups of any resource."""

    reason: str


Evidence = Resource | RecoveryPoint | Unreadable | UnreadableVault


@dataclass(slots=True)
class History:
    """The evidence about one subject."""

    subject: str
    resource: Resource | None = None
    """None if there is no such resource, as when only its backups are left."""
    points: list[RecoveryPoint] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    """Why some of its backups may be missing here."""

    def add(self, item: Resource | RecoveryPoint | Unreadable) -> None:
        """Take in one more piece of evidence about the subject."""
        match item:
            case Resource():
                self.resource = item
            case RecoveryPoint():
                self.points.append(item)
            case Unreadable():
                self.unread.append(item.reason)


def gather(evidence: Iterable[Evidence]) -> dict[str, History]:
    """Sort evidence by subject. A vault that could not be read leaves every subject in doubt."""
    histories: dict[str, History] = {}
    unread_vaults = []
    for item in evidence:
        if isinstance(item, UnreadableVault):
            unread_vaults.append(item.reason)
        else:
            history = histories.setdefault(item.subject, History(item.subject))
            history.add(item)
    for history in histories.values():
        history.unread.extend(unread_vaults)
    return histories
