"""Serve the operators' console on this machine, for the running local fleet or, with your credentials, for a stack."""

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
# Waitress turns away connections beyond its limit, of which 100 are few for a page that many keep open.
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
    """Return the environment in which the console shows a deployed stack, as AWS's own settings lead there."""
    return {"STACK": stack, **({"AWS_PROFILE": profile} if profile else {})}


def free(port: int) -> int:
    """Return the port if nobody has it, or one that is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def application() -> Any:
    """Return the console's application, as the environment sets it up."""
    logging.getLogger("waitress.queue").setLevel(
        logging.ERROR
    )  # that requests wait is no news to who made them
    sys.path[:0] = [str(ROOT / "functions" / "console"), str(ROOT / "shared")]
    os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "console")
    from functions.console import app

    from fleet.settings import SettingsError

    try:
        made = app.create_app()
        made.extensions["reading"].places.check()
    except SettingsError as error:
        raise FleetError(str(error)) from None
    return made


def beside(endpoint: str, services: Mapping[str, str], stack: str) -> str:
    """Serve the console of a local fleet from a thread of this process, and return its address."""
    from waitress.server import create_server

    os.environ.update(of_local_fleet(endpoint, services, stack))
    port = free(PORT)
    server = create_server(application(), host=HOST, port=port, **SERVER)
    threading.Thread(target=server.run, name="console", daemon=True).start()
    return f"http://{HOST}:{port}/"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.operate.console", description=__doc__)
    parser.add_argument(
        "--stack", default="", help="such as fleet-prod; the local fleet without it"
    )
    parser.add_argument(
        "--profile", default="", help="of your AWS settings; the default one without it"
    )
    parser.add_argument(
        "--port",
        type=int,
        default=PORT,
        help=f"another is taken when it is in use (default: {PORT})",
    )
    asked = parser.parse_args()
    import waitress
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        if asked.stack:
            os.environ.update(of_stack(asked.stack, asked.profile))
        else:
            fleet = running.newest()
            os.environ.update(of_local_fleet(fleet.endpoint, fleet.services, fleet.stack))
        made = application()
    except (FleetError, BotoCoreError, ClientError) as error:
        print(f"the console cannot be started: {error}", file=sys.stderr)
        return 1
    port = free(asked.port)
    print(
        f"the console of {os.environ['STACK']}: http://{HOST}:{port}/  (Ctrl-C ends it)", flush=True
    )
    waitress.serve(made, host=HOST, port=port, **SERVER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
