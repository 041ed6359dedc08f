"""Serve the operators' console on this machine.

It shows the local fleet that runs here or, with your credentials, a deployed stack.
"""

import argparse
import logging
import os
import socket
import sys
import threading
from collections.abc import Mapping
from typing import Any

from tools import running, sandbox
from tools.errors import FleetError
from tools.manifest import ROOT

PORT = 8321
HOST = "127.0.0.1"
# Waitress turns away connections beyond its limit. Its default of 100 is too few for pages that
# many people keep open.
SERVER: dict[str, Any] = {
    "threads": 8,
    "connection_limit": 1_000,
    "asyncore_use_poll": True,
    "ident": None,
}


def of_local_fleet(endpoint: str, services: Mapping[str, str], stack: str) -> dict[str, str]:
    """Return the environment in which the console shows a local fleet."""
    return {**sandbox.ISOLATED, "AWS_ENDPOINT_URL": endpoint, **services, "STACK": stack}


def of_stack(stack: str, profile: str) -> dict[str, str]:
    """Return the environment in which the console shows a deployed stack, by AWS's own settings."""
    environment = {"STACK": stack}
    if profile:
        environment["AWS_PROFILE"] = profile
    return environment


def free(port: int) -> int:
    """Return the port if nothing listens there, or another one that is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def application() -> Any:
    """Return the console's application, as the environment sets it up. Raises `FleetError`."""
    # Waitress warns whenever a request waits for a thread, which is no trouble.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    sys.path[:0] = [str(ROOT / "functions" / "console"), str(ROOT / "shared")]
    os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "console")
    from functions.console import app

    from fleet.settings import SettingsError

    try:
        application = app.create_app()
        application.extensions["reading"].places.check()
    except SettingsError as error:
        raise FleetError(str(error)) from None
    return application


def beside(endpoint: str, services: Mapping[str, str], stack: str) -> str:
    """Serve the console of a local fleet from a thread of this process. Return its address."""
    from waitress.server import create_server

    os.environ.update(of_local_fleet(endpoint, services, stack))
    port = free(PORT)
    server = create_server(application(), host=HOST, port=port, **SERVER)
    threading.Thread(target=server.run, name="console", daemon=True).start()
    return f"http://{HOST}:{port}/"


def main() -> int:
    """Serve the console until Ctrl-C. Return 1 when it cannot be started."""
    parser = argparse.ArgumentParser(prog="python -m tools.operate.console", description=__doc__)
    parser.add_argument("--stack", default="", help="such as fleet-prod (default: the local fleet)")
    parser.add_argument("--profile", default="", help="of your AWS settings (default: their own)")
    port_help = f"another one is taken when it is in use (default: {PORT})"
    parser.add_argument("--port", type=int, default=PORT, help=port_help)
    asked = parser.parse_args()
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        os.environ.update(_environment(asked.stack, asked.profile))
        served = application()
    except (FleetError, BotoCoreError, ClientError) as error:
        print(f"the console cannot be started: {error}", file=sys.stderr)
        return 1
    _serve(served, free(asked.port))
    return 0


def _environment(stack: str, profile: str) -> dict[str, str]:
    if stack:
        return of_stack(stack, profile)
    fleet = running.newest()
    return of_local_fleet(fleet.endpoint, fleet.services, fleet.stack)


def _serve(application: Any, port: int) -> None:
    import waitress

    address = f"http://{HOST}:{port}/"
    print(f"the console of {os.environ['STACK']}: {address}  (Ctrl-C ends it)", flush=True)
    waitress.serve(application, host=HOST, port=port, **SERVER)


if __name__ == "__main__":
    sys.exit(main())
