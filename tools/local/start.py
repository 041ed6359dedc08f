"""A fleet from nothing to deployed."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from tools import running
from tools.local import destinations, emulator, moto_services, stack
from tools.local.account import Account
from tools.local.call_log import CallLog
from tools.local.fleet import Fleet
from tools.local.progress import cpu_ticks
from tools.terminal import say


def build() -> None:
    """Build the template and the layer, unless that has been done already."""
    say("building the template and the layer ...")
    if not stack.build():
        say("  nothing has changed since the last build")


@contextmanager
def running_fleet() -> Iterator[Fleet]:
    """Build, start and deploy; yield the fleet; remove everything at the end."""
    build()
    port = emulator.free_port()
    with (
        running.state() as state,
        moto_services.serving(f"http://127.0.0.1:{port}", calls := CallLog(state)) as missing,
        destinations.serving() as receiving,
    ):
        say("starting the AWS emulator ...")
        services = missing | destinations.environment(receiving)
        with emulator.running(port, state, services) as ministack:
            account = Account(ministack.endpoint, services)
            say(f"  it answers at {ministack.endpoint}")
            say("deploying with sam ...")
            deployed = stack.deploy(account)
            fleet = Fleet(account, receiving, calls, partial(cpu_ticks, ministack.pid))
            announce(account, deployed)
            yield fleet


def announce(account: Account, deployed: dict[str, str]) -> None:
    """Let the other commands of a user find this process's fleet."""
    running.Running(
        pid=os.getpid(),
        started=time.time(),
        endpoint=account.endpoint,
        services=account.services,
        stack=stack.STACK,
        deployed=deployed,
    ).announce()
