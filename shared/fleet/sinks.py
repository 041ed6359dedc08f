"""What the sinks have in common: the alerts of a message, the routes that people write, and the room that there is."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TypeVar

from fleet.alerts import DETAIL_TYPE, SOURCE, Alert
from fleet.errors import Permanent
from fleet.events import Event
from fleet.findings import Fact, Severity, fit
from fleet.settings import Entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which alerts go somewhere: those of an owner (a glob), of these severities."""

    owner: str = "*"
    severities: tuple[Severity, ...] = tuple(Severity)

    def __post_init__(self) -> None:
        object.__setattr__(self, "severities", tuple(map(Severity, self.severities)))

    def takes(self, alert: Alert) -> bool:
        """Whether the alert goes there."""
        return fnmatchcase(alert.owner, self.owner) and alert.severity in self.severities


R = TypeVar("R", bound=Route)


def alerts(events: Iterable[Event]) -> Iterator[Alert]:
    """Yield the alert of each event. Raises `Permanent` for an event that is none."""
    for event in events:
        if (event.source, event.type) != (SOURCE, DETAIL_TYPE):
            raise Permanent(f"an event of {event.source} / {event.type} is no alert")
        try:
            yield Alert.from_json(event.detail)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Permanent(
                f"the event {event.id} is no alert: {type(error).__name__}: {error}"
            ) from error


def first(routes: Entries[R], alert: Alert) -> R | None:
    """The first route that takes the alert; None if there are no routes at all, as then the sink is not in use.

    Raises `Permanent` when none of the routes takes it, naming those that cannot be used.
    """
    if found := next((route for route in routes.usable if route.takes(alert)), None):
        return found
    if not routes.usable and not routes.faults:
        return None
    unusable = "".join(f"; {fault.reason}" for fault in routes.faults)
    raise Permanent(
        f"no route takes alerts of the owner {alert.owner!r} and the severity {alert.severity}{unusable}"
    )


def fitted(alert: Alert, write: Callable[[Alert], bytes], limit: int) -> bytes:
    """What `write` makes of the alert in at most `limit` bytes, with as many of its facts as there is room for.

    Raises `Permanent` when it is too large without any.
    """

    def size(facts: Mapping[str, Fact]) -> int:
        return len(write(replace(alert, detail=facts)))

    body = write(replace(alert, detail=fit(alert.detail, limit, size)))
    if len(body) > limit:
        raise Permanent(f"the alert is too large for {limit} bytes even without its facts")
    return body
