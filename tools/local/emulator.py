"""MiniStack as a child process."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.errors import FleetError
from tools.local.progress import LAST_RESORT_SECONDS
from tools.paths import ROOT
from tools.sandbox import ACCOUNT, ISOLATED, REGION

PYTHON = ROOT / ".venv" / "emulator" / "bin" / "python"
LAUNCHER = Path(__file__).with_name("start_ministack.py")


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment(port: int, state: Path) -> dict[str, str]:
    """Return MiniStack's whole environment, all of which the functions see too."""
    return {
        **ISOLATED,
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "DOCKER_HOST": "unix:///nonexistent",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "PROBE_LOOPBACK": "1",  # scenarios serve there what the fleet looks at
        "S3_DATA_DIR": str(state / "s3"),
        "SFTP_ENABLED": "0",
        "STATE_DIR": str(state / "state"),
        "TMPDIR": str(state),
    }


@dataclass(frozen=True, slots=True)
class Emulator:
    """MiniStack while it runs; it leads the process group of its functions."""

    endpoint: str
    pid: int


@contextmanager
def running(port: int, state: Path, extra: Mapping[str, str]) -> Iterator[Emulator]:
    """Run MiniStack on `port` with its files in `state`; yield it once it answers.

    Raises `FleetError` with the end of its log when it does not start.
    """
    log = state / "ministack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [PYTHON, "-P", LAUNCHER],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment(port, state), **extra},
            cwd=state,
            start_new_session=True,
        )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait(process, f"{endpoint}/_ministack/ready", log)
        yield Emulator(endpoint, process.pid)
    finally:
        _stop(process)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + LAST_RESORT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with direct.open(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    how = (
        f"did not answer within {LAST_RESORT_SECONDS / 60:.0f} minutes"
        if process.poll() is None
        else f"ended with code {process.returncode}"
    )
    last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise FleetError(f"the AWS emulator {how}; the end of its log:\n{last}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill MiniStack and its process group, the functions; none holds anything worth a wait."""
    with suppress(
        ProcessLookupError, PermissionError
    ):  # macOS denies signalling a group of zombies
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()
