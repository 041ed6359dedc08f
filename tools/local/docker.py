"""Lets `sam local invoke` run a job in Docker against the running fleet.

The fleet listens on loopback only, which no container reaches. While it is asked to (`make run
DOCKER=1`), a relay listens on Docker's bridge too, an address that only this machine and its
containers see. The template written here holds the settings of the deployed functions: in the real
one they are references that only a deployment resolves.
"""

import asyncio
import json
import socket
import subprocess
import sys
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tools.errors import FleetError
from tools.local.account import Account
from tools.local.stack import BUILT, STACK, jobs
from tools.manifest import logical_id
from tools.paths import BUILD, ROOT
from tools.sandbox import ISOLATED

TEMPLATE = BUILD / "sam-local.json"
HOST = "host.docker.internal"

AS_DEPLOYED = {
    "FunctionName",
    "Runtime",
    "Handler",
    "Timeout",
    "MemorySize",
    "Architectures",
}
"""Properties that `sam local invoke` takes from the deployed function as they are."""


@contextmanager
def reachable(account: Account) -> Iterator[None]:
    """Make the fleet reachable from containers for a while; write `sam local invoke` a template."""
    # Docker Desktop leads its containers to the host's loopback by itself.
    if sys.platform != "darwin":
        gateway = _gateway()
        ports = {urlsplit(url).port for url in account.environment.values()}
        for port in ports:
            if port:
                _listen(gateway, port)
    TEMPLATE.write_text(json.dumps(template(account), indent=2) + "\n")
    try:
        yield
    finally:
        TEMPLATE.unlink(missing_ok=True)


def template(account: Account) -> dict[str, Any]:
    """Return a template with the jobs as they are deployed, and code as it is in this clone."""
    reach = {name: url.replace("127.0.0.1", HOST) for name, url in account.environment.items()}
    credentials = {
        name: value
        for name, value in ISOLATED.items()
        if name.startswith("AWS_") and "FILE" not in name
    }
    functions = account.functions()
    layer = {"ContentUri": str(_layer())}
    resources: dict[str, Any] = {
        "Layer": {"Type": "AWS::Serverless::LayerVersion", "Properties": layer}
    }
    for job in jobs():
        deployed = functions[f"{STACK}-{job}"]
        properties = {name: value for name, value in deployed.items() if name in AS_DEPLOYED}
        variables = deployed["Environment"]["Variables"] | credentials | reach
        properties["CodeUri"] = str(_code(job))
        properties["Layers"] = [{"Ref": "Layer"}]
        properties["Environment"] = {"Variables": variables}
        resources[logical_id(job)] = {
            "Type": "AWS::Serverless::Function",
            "Properties": properties,
        }
    return {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}


def _code(job: str) -> Path:
    """Return the job's folder, or what `sam build` made of one that must be built."""
    built = BUILT.parent / logical_id(job)
    return built if built.is_dir() else ROOT / "functions" / job


def _layer() -> Path:
    """Return what `sam build` made of the layer."""
    (packages,) = BUILT.parent.glob("*/python")
    return packages.parent


def _gateway() -> str:
    """Return this machine's address on Docker's default network."""
    command = ["docker", "network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"]
    try:
        (network, *_) = json.loads(
            subprocess.run(command, check=True, capture_output=True, text=True).stdout
        )
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        raise FleetError(
            "DOCKER=1 needs a Docker engine, and `docker network inspect bridge` failed"
        ) from error
    # An engine that was told no gateway names only the subnet, and takes its first address.
    return network.get("Gateway") or str(next(ip_network(network["Subnet"]).hosts()))


def _listen(gateway: str, port: int) -> None:
    """Pass connections to the gateway's port on to loopback's, for the life of this process."""
    try:
        listener = socket.create_server((gateway, port))
    except OSError as error:
        raise FleetError(
            f"cannot listen on Docker's bridge ({gateway}:{port}): {error.strerror}"
        ) from error
    threading.Thread(target=_relay, args=(listener, port), name="relay", daemon=True).start()


def _relay(listener: socket.socket, port: int) -> None:

    async def pump(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))

    async def serve() -> None:
        async with await asyncio.start_server(connected, sock=listener) as server:
            await server.serve_forever()

    asyncio.run(serve())
