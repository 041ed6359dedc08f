"""Show what triage makes of a message, and who would get the alert.

make explain EVENT=event.json                     # for people, with the routes of the local fleet
make explain EVENT=event.json STACK=fleet-prod    # with the routes of a stack in AWS
python -m tools.operate.explain --json FILE...    # for machines: one JSON line for each file

A message is whatever triage can meet: an EventBridge event, an SNS envelope, a bare SNS message,
plain text, or a Job Report. The file `-` is standard input. Nothing is sent, and nothing is stored.
"""

import argparse
import html
import io
import json
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tools.paths import ROOT

sys.path.extend(
    str(ROOT / folder) for folder in ("shared", "functions/triage_alerts", "functions/notify_slack")
)

from functions.notify_pagerduty.app import Integration
from functions.notify_slack.app import Channel
from functions.notify_webhook.app import Webhook
from functions.triage_alerts.app import find_owner

from fleet.alerts import Alert, AlertStatus, Observation, Status
from fleet.errors import Permanent
from fleet.events import unwrap
from fleet.findings import REPORT, SOURCE, Severity
from fleet.lists import Entries, entries, parse_entries
from fleet.settings import SettingsError
from fleet.sinks import Route
from fleet_slack.messages import finding_message
from fleet_triage.messages import from_message
from tools.errors import FleetError
from tools.operate import deployed
from tools.terminal import complain

UNREADABLE = 2


@dataclass(frozen=True, slots=True)
class Sink:
    """A job that delivers alerts.

    `parameter` ends the name of its list in SSM, and `kind` is an entry of that. `severities` are
    those that the template's rule lets through to its queue. Without `to_all`, an alert goes to
    the first route that takes it.
    """

    job: str
    parameter: str
    kind: type[Route]
    severities: tuple[Severity, ...]
    to_all: bool = False


SINKS = (
    Sink("notify_slack", "routes", Channel, (Severity.WARNING, Severity.CRITICAL)),
    Sink("notify_pagerduty", "routes", Integration, (Severity.CRITICAL,)),
    Sink("notify_webhook", "endpoints", Webhook, tuple(Severity), to_all=True),
)


@dataclass(frozen=True, slots=True)
class Fleet:
    """How a fleet is set up: the routes of each sink, by job, and who owns an observation.

    A sink whose routes are not known is missing.
    """

    routes: Mapping[str, Entries[Route]]
    owner: Callable[[Observation], str]


def decode(message: bytes) -> str:
    """Return the message as text; bytes that are not UTF-8 become replacement characters."""
    return message.decode("utf-8-sig", errors="replace")


def as_json(file: str, observations: Sequence[Observation]) -> str:
    """Return the line of JSON about a file."""
    document = {
        "file": file,
        "observations": [fields(observation) for observation in observations],
    }
    return json.dumps(document)


def fields(observation: Observation) -> dict[str, Any]:
    """Return an observation for machines; `at` is a time in ISO 8601."""
    return {
        "source": observation.source,
        "subject": observation.subject,
        "status": observation.status.value,
        "severity": observation.severity.value,
        "title": observation.title,
        "detail": dict(observation.detail),
        "link": observation.link,
        "at": observation.at.isoformat(),
        "event_id": observation.event_id,
    }


def describe(message: str, fleet: Fleet) -> Iterator[str]:
    """Yield paragraphs for people about a message."""
    observations = from_message(message)
    if is_report(message):
        yield (
            "A Job Report. Each finding in it fails. It is complete: other findings of the job\n"
            "that are open, within the report's range of subjects, are resolved."
        )
    elif not observations:
        yield "Not news: triage observes nothing in it."
    for observation in observations:
        owner = fleet.owner(observation)
        alert = first_alert(observation, owner)
        yield describe_observation(observation, owner)
        if observation.status is Status.OK:
            yield "The alert goes where the opening went, if the finding is open."
        else:
            yield "\n".join(describe_routes(alert, fleet))
        yield f"As Slack shows it:\n{indented(slack_text(alert))}"


def is_report(message: str) -> bool:
    """Whether the message holds a Job Report."""
    try:
        kinds = [(event.source, event.type) for event in unwrap(message)]
    except (Permanent, TypeError, RecursionError):  # plain text is a message too
        return False
    return (SOURCE, REPORT) in kinds


def first_alert(observation: Observation, owner: str) -> Alert:
    """Return the alert about an observation of which triage remembers nothing yet."""
    resolved = observation.status is Status.OK
    return Alert(
        id=observation.event_id,
        dedup_key=observation.dedup_key,
        status=AlertStatus.RESOLVED if resolved else AlertStatus.OPENED,
        severity=observation.severity,
        title=observation.title,
        subject=observation.subject,
        source=observation.source,
        owner=owner,
        count=1,
        first_seen=observation.at,
        last_seen=observation.at,
        detail=observation.detail,
        link=observation.link,
    )


def describe_observation(observation: Observation, owner: str) -> str:
    """Return an observation in lines for people."""
    facts = {
        "source": observation.source,
        "subject": observation.subject,
        "owner": owner or "nobody",
        "at": f"{observation.at:%Y-%m-%d %H:%M:%S} UTC",
        "event": observation.event_id,
        "link": observation.link or "none",
        **observation.detail,
    }
    title = f"{observation.status} ({observation.severity}): {observation.title}"
    lines = [f"{name}: {fact}" for name, fact in facts.items()]
    return f"{title}\n{indented(lines)}"


def describe_routes(alert: Alert, fleet: Fleet) -> Iterator[str]:
    """Yield a line for each sink: where it delivers the alert."""
    if not fleet.routes:
        yield "Routes unknown: give --stack, start the local fleet, or give --routes."
        return
    for sink in SINKS:
        yield f"{sink.job}: {describe_route(alert, sink, fleet.routes.get(sink.job))}"


def describe_route(alert: Alert, sink: Sink, routes: Entries[Route] | None) -> str:
    """Return where a sink delivers the alert, or why it does not."""
    if alert.severity not in sink.severities:
        return f"gets no alerts of severity {alert.severity}"
    if routes is None:
        return "routes unknown"
    if not routes.usable and not routes.faults:
        return "not in use, since it has no routes"
    taking = [destination(route) for route in routes.usable if route.takes(alert)]
    if not taking:
        taking = [f"no route matches owner {alert.owner!r}, severity {alert.severity}"]
    elif not sink.to_all:
        taking = taking[:1]
    faults = [fault.reason for fault in routes.faults]
    return "; ".join(taking + faults)


def destination(route: Route) -> str:
    """Return where a route leads; of a URL only its host, as its path may be a secret."""
    match route:
        case Channel():
            return route.channel or route.webhook
        case Integration():
            return route.key
        case Webhook():
            return urlsplit(route.url).hostname or "a URL without a host"
    return repr(route)


def slack_text(alert: Alert) -> list[str]:
    """Return what a finding's message in Slack says, in lines."""
    (attachment,) = finding_message(alert)["attachments"]
    texts = []
    for block in attachment["blocks"]:
        inner = [*block.get("fields", []), *block.get("elements", [])]
        if "text" in block:
            inner.append(block["text"])
        texts += [html.unescape(element["text"]) for element in inner]
    return [text.replace("\n", ": ", 1) for text in texts]


def indented(lines: Sequence[str]) -> str:
    """Return the lines as a block, each of them indented."""
    return textwrap.indent("\n".join(lines), "  ")


def find_fleet(options: argparse.Namespace) -> Fleet:
    """Return how the fleet that the command line names is set up, as far as that is known.

    Raises `FleetError` and `SettingsError`; the local fleet may be missing.
    """
    if options.routes:
        return Fleet(dict(options.routes), owner=nobody)
    try:
        stack = deployed.enter(options).name
    except FleetError:
        if options.stack or options.profile or options.region:
            raise
        return Fleet({}, owner=nobody)
    routes = {}
    for sink in SINKS:
        parameter = f"/{stack}/{sink.job}/{sink.parameter}"
        routes[sink.job] = entries(parameter, sink.kind, optional=True)
    return Fleet(routes, owner=partial(find_owner, f"/{stack}/triage_alerts/owners"))


def nobody(_: Observation) -> str:
    """Return no owner: the list of owners is not at hand."""
    return ""


def routes_of_sink(text: str) -> tuple[str, Entries[Route]]:
    """Read `SINK=FILE` for argparse; return the sink's job and its routes."""
    job, _, file = text.partition("=")
    for sink in SINKS:
        if sink.job == job:
            try:
                return job, parse_entries(Path(file).read_text(), sink.kind, file)
            except (OSError, SettingsError) as error:
                raise argparse.ArgumentTypeError(str(error)) from None
    jobs = ", ".join(sink.job for sink in SINKS)
    raise argparse.ArgumentTypeError(f"expected SINK=FILE, where SINK is one of {jobs}")


def read(file: str) -> bytes:
    """Return what is in a file, or what comes from standard input for `-`. Raises `OSError`."""
    if file == "-":
        return sys.stdin.buffer.read()
    return Path(file).read_bytes()


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.operate.explain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a message, or - for standard input"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each file")
    parser.add_argument(
        "--routes",
        action="append",
        type=routes_of_sink,
        metavar="SINK=FILE",
        help="a sink's list of routes in YAML, instead of a fleet's; repeat it for each sink",
    )
    deployed.add_arguments(parser)
    return parser.parse_args(words)


def main(words: Sequence[str]) -> int:
    """Do what the command line says; return the exit code, which is 2 when a file is unreadable."""
    options = arguments(words)
    if isinstance(sys.stdout, io.TextIOWrapper):  # names of files may hold what no terminal shows
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        fleet = None if options.json else find_fleet(options)
    except (FleetError, SettingsError) as error:
        complain(str(error))
        return 1
    code = 0
    for file in options.files:
        try:
            message = decode(read(file))
        except OSError as error:
            complain(f"{file} cannot be read: {error.strerror}")
            code = UNREADABLE
            continue
        if fleet is None:
            print(as_json(file, from_message(message)), flush=True)
        else:
            print(file, *describe(message, fleet), sep="\n\n", end="\n\n", flush=True)
    return code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
