"""What the sinks share: the alerts of a message, the routes that people write, and size limits."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TypeVar

from fleet.alerts import DETAIL_TYPE, Alert
from fleet.errors import Permanent
from fleet.events import Event
from fleet.findings import SOURCE, Fact, Severity, fit
from fleet.lists import Entries, entries
from fleet.runtime.queued import Message, for_each
from fleet.runtime.telemetry import count, logger


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Which alerts a destination gets; a sink adds where that is.

    `owner` is a glob over the alert's owner, such as `payments-*`. `severities` are all of them
    unless people name some.
    """

    owner: str = "*"
    severities: tuple[Severity, ...] = tuple(Severity)

    def takes(self, alert: Alert) -> bool:
        """Whether the destination gets the alert."""
        owned = fnmatchcase(alert.owner, self.owner)
        return owned and alert.severity in self.severities


R = TypeVar("R", bound=Route)


def to_first_route(
    message: Message,
    parameter: str,
    kind: type[R],
    deliver: Callable[[Alert, R], bool],
) -> None:
    """Deliver each alert of a message by the first route that takes it.

    `parameter` names the SSM parameter whose YAML list holds the routes, each a `kind`. `deliver`
    returns whether it delivered the alert now; False says that this was done before. Raises what
    `deliver` raises, what `entries` raises for the list, and `Permanent` for an event that is not
    an alert or an alert that no route takes.
    """

    def deliver_alert(alert: Alert) -> None:
        routes = entries(parameter, kind, optional=True)
        route = first_route(routes, alert)
        if route is None:
            logger.info("no route is configured", alert=alert.id)
        else:
            count_delivery(delivered=deliver(alert, route))

    for_each(alerts(message.events()), deliver_alert)


def count_delivery(*, delivered: bool) -> None:
    """Count an alert as `Delivered`, or as `Repeated` when it had been delivered before."""
    if delivered:
        count(Delivered=1)
    else:
        count(Repeated=1)


def alerts(events: Iterable[Event]) -> Iterator[Alert]:
    """Yield the alert of each event. Raises `Permanent` for an event that is not an alert."""
    for event in events:
        kind = (event.source, event.type)
        if kind != (SOURCE, DETAIL_TYPE):
            raise Permanent(f"an event of {event.source} / {event.type} is not an alert")
        try:
            yield Alert.from_json(event.detail)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            cause = f"{type(error).__name__}: {error}"
            raise Permanent(f"the event {event.id} is not an alert: {cause}") from error


def first_route(routes: Entries[R], alert: Alert) -> R | None:
    """Return the first route that takes the alert, or None when there are no routes at all.

    Without routes the sink is not in use. Raises `Permanent` when none of the routes takes it; the
    message names the routes that cannot be used.
    """
    for route in routes.usable:
        if route.takes(alert):
            return route
    if not routes.usable and not routes.faults:
        return None
    reasons = [f"no route matches owner {alert.owner!r}, severity {alert.severity}"]
    reasons += [fault.reason for fault in routes.faults]
    raise Permanent("; ".join(reasons))


def fit_alert(
    alert: Alert,
    write: Callable[[Alert], bytes],
    limit: int,
) -> bytes:
    """Return what `write` makes of the alert in at most `limit` bytes.

    Where that is too little, its last facts are left out, and a fact `left out` says how many.
    Raises `Permanent` when the alert is too large even without its facts.
    """

    def size(facts: Mapping[str, Fact]) -> int:
        smaller = replace(alert, detail=facts)
        return len(write(smaller))

    facts = fit(alert.detail, limit, size)
    body = write(replace(alert, detail=facts))
    if len(body) > limit:
        raise Permanent(f"the alert is too large for {limit} bytes even without its facts")
    return body
