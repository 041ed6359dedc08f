"""`python -m tools.local run | demo | build | invoke | deploy`; the Makefile's verbs call it."""

import argparse
import base64
import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from types import FrameType

from botocore.exceptions import BotoCoreError, ClientError

from tools import running, sandbox
from tools.errors import FleetError
from tools.local import docker, logs, play, stack
from tools.local.account import Account
from tools.local.scenarios import scenario
from tools.paths import ROOT
from tools.terminal import complain, console, say

POLITE = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def demo(_: argparse.Namespace) -> int:
    """Run the whole fleet once and say whether every job did what it should."""

    def explain(account: Account, since_ms: int, failed: bool) -> None:
        if failed:
            say("what the fleet logged:")
            for _, _, line in logs.lines(account, since_ms):
                say(f"  {logs.readable(line)}")

    return _play_then(explain)


def run(asked: argparse.Namespace) -> int:
    """Run the whole fleet and stay up, showing its log lines, until Ctrl-C."""

    def stay(account: Account, since_ms: int, _: bool) -> None:
        with docker.reachable(account) if asked.docker else nullcontext():
            with suppress(KeyboardInterrupt):
                from tools.operate.console import (
                    beside,  # with Flask, which the other commands need not
                )

                address = beside(account.endpoint, account.services, stack.STACK)
                say(f"the operators' console: {address}")
                say(
                    "the fleet stays up; its log lines follow. Ctrl-C ends it. "
                    "`make invoke JOB=...` runs a job again."
                )
                for line in logs.follow(account, since_ms):
                    say(line)
            say("ending the fleet ...")

    _play_then(stay)
    return 0


def _play_then(go_on: Callable[[Account, int, bool], None]) -> int:
    from tools.local import (
        start,
    )  # with moto, which is half a second more than the other commands need

    started = time.monotonic()
    play.RESULT.unlink(missing_ok=True)
    for job in stack.jobs():
        scenario(job)  # a job that has none is found out before anything is started
    with start.running_fleet() as fleet:
        ready = time.monotonic() - started
        say(f"ready after {ready:.1f} s; running each job through its trigger ...")
        began_ms = int(time.time() * 1000)
        outcomes = play.play_all(fleet)
        play.write(outcomes, ready, fleet.destinations)
        console.print(play.table(outcomes))
        failed = any(outcome.outcome != "ok" for outcome in outcomes)
        go_on(fleet.account, began_ms, failed)
        return int(failed)


def build(_: argparse.Namespace) -> int:
    """Build the template and the layer."""
    from tools.local import start

    start.build()
    return 0


def invoke(arguments: argparse.Namespace) -> int:
    """Invoke one job in the running fleet and print its log and its result."""
    known = stack.jobs()
    if arguments.job not in known:
        wrong = (
            f"there is no job {arguments.job!r}"
            if arguments.job
            else "say which job: make invoke JOB=name"
        )
        raise FleetError(f"{wrong}; known: {', '.join(known)}")
    event: Path = arguments.event or ROOT / "tests" / "events" / f"{arguments.job}.json"
    try:
        payload = json.dumps(json.loads(event.read_text()))
    except OSError as error:
        raise FleetError(f"the event {event} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise FleetError(f"the event {event} is not JSON: {error}") from None
    fleet = running.newest()
    account = Account(fleet.endpoint, fleet.services)
    name = f"{fleet.stack}-{arguments.job}"
    try:
        answer = account.lambda_.invoke(FunctionName=name, Payload=payload, LogType="Tail")
    except account.lambda_.exceptions.ResourceNotFoundException:
        raise FleetError(
            f"{arguments.job} is not in the running fleet yet: `make deploy-local` brings it"
        ) from None
    for line in base64.b64decode(answer.get("LogResult", "")).decode(errors="replace").splitlines():
        if not line.startswith(logs.LEFT_OUT):
            print(logs.readable(line), file=sys.stderr)
    print(json.dumps(json.loads(answer["Payload"].read() or "null"), indent=2))
    return 1 if "FunctionError" in answer else 0


def deploy(_: argparse.Namespace) -> int:
    """Bring what changed into the running fleet."""
    started = time.monotonic()
    fleet = running.newest()
    deployed = stack.fingerprints()
    changed = stack.update(Account(fleet.endpoint, fleet.services), fleet.deployed)
    fleet.with_deployed(deployed).announce()
    say(f"{', '.join(changed) or 'nothing'} changed; live after {time.monotonic() - started:.1f} s")
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (run, demo, build, invoke, deploy):
        summary = (command.__doc__ or "").strip()
        added = commands.add_parser(command.__name__, help=summary, description=summary)
        added.set_defaults(command=command)
        if command is run:
            added.add_argument(
                "--docker", action="store_true", help="let `sam local invoke` reach the fleet"
            )
        if command is invoke:
            added.add_argument("job", help="a folder of functions/")
            added.add_argument(
                "event", nargs="?", type=Path, help="a JSON file; tests/events/JOB.json without one"
            )
    return parser.parse_args()


def interrupted(_: int, __: FrameType | None) -> None:
    """Treat every polite request to end like Ctrl-C; let none interrupt the clean-up."""
    for polite in POLITE:
        signal.signal(polite, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    """Run one command."""
    asked = arguments()
    sandbox.isolate()
    for polite in POLITE:
        signal.signal(polite, interrupted)
    try:
        return int(asked.command(asked))
    except FleetError as error:
        complain(str(error))
        return 1
    except (BotoCoreError, ClientError) as error:
        complain(f"the local AWS account: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
