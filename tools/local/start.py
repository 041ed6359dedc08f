"""A fleet from nothing to deployed."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tools import running
from tools.local import destinations, emulator, moto_services, stack
from tools.local.account import Account
from tools.local.call_log import CallLog
from tools.local.fleet import Fleet
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
        with emulator.running(port, state, services) as endpoint:
            account = Account(endpoint, services)
            say(f"  it answers at {endpoint}")
            say("deploying with sam ...")
            deployed = stack.deploy(account)
            running.Running(
                os.getpid(), time.time(), endpoint, services, stack.STACK, deployed
            ).announce()
            yield Fleet(account, receiving, calls)
