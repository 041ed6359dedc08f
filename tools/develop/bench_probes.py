"""Measure what a probe costs: probes per CPU second and peak memory, at 10, 100 and 1,000 targets.

The targets are one local server's, each named by its own path. Every figure is of a fresh process
(`probe_load`) that probes all targets a number of times, without the process's own start; what the
server costs is not counted. Where Debian's `prometheus-blackbox-exporter` is installed, it probes
the same targets in the same run, as many at once.
"""

import argparse
import json
import os
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import trustme

from tools.manifest import ROOT

EXPORTER = "prometheus-blackbox-exporter"
COUNTS = (10, 100, 1_000)
AT_ONCE = 100
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\n{"status": "UP"}'
IMPORTED = (ROOT, ROOT / "shared", ROOT / "functions" / "failing_endpoints")


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Answer every request in a process of its own, so that its time is not counted."""
    with socket.create_server(("127.0.0.1", 0), backlog=1_024) as server:
        if not (child := os.fork()):
            serve(server, tls)
        try:
            yield server.getsockname()[1]
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)


def serve(server: socket.socket, tls: ssl.SSLContext | None) -> None:
    """Accept for ever, in as many threads as are asked at once."""

    def accept() -> None:
        while True:
            raw, _ = server.accept()
            try:
                with raw, tls.wrap_socket(raw, server_side=True) if tls else raw as wire:
                    if wire.recv(65_536):
                        wire.sendall(ANSWER)
            except OSError:  # this client has gone; the next may come
                continue

    threads = [threading.Thread(target=accept, daemon=True) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    threads[0].join()


def measure_ours(job: str, url: str, count: int, rounds: int) -> dict[str, float]:
    """Return what a fresh process used for a job's probes: see `probe_load.measure`."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, IMPORTED)),
        "PROBE_LOOPBACK": "1",
    }
    module = "tools.develop.probe_load"
    done = subprocess.run(
        [sys.executable, "-m", module, job, url, str(count), str(rounds)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return dict(json.loads(done.stdout))


@dataclass(frozen=True, slots=True)
class Exporter:
    """A running exporter."""

    port: int
    process: int

    def probe(self, module: str, targets: Sequence[str]) -> None:
        """Have it probe all targets, as many at once as ours does; asking costs only us."""

        def ask(target: str) -> None:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
            connection.request("GET", f"/probe?module={module}&target={target}")
            if b"\nprobe_success 1" not in connection.getresponse().read():
                raise SystemExit(f"{EXPORTER} could not probe {target}")
            connection.close()

        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(ask, targets))

    def measure(self, module: str, targets: Sequence[str]) -> dict[str, float]:
        """Return what it uses for probing these targets, as `measure_ours` does."""
        self.probe(module, targets[:10])  # its first probes are its start
        cpu_before, began = self.cpu(), time.monotonic()
        self.probe(module, targets)
        cpu, wall = self.cpu() - cpu_before, time.monotonic() - began
        status = Path(f"/proc/{self.process}/status").read_text()
        peak = re.search(r"VmHWM:\s+(\d+)", status)
        return {"cpu": cpu, "wall": wall, "peak_mb": int(peak[1]) / 1024 if peak else 0}

    def cpu(self) -> float:
        """Return the seconds of CPU time that it has used."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def exporting(authority: str) -> Iterator[Exporter]:
    """Run the exporter, which trusts an authority."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    trust = {"tls_config": {"ca_file": authority}}
    http = {
        "fail_if_body_not_matches_regexp": ['"status": *"UP"'],
        "preferred_ip_protocol": "ip4",
        **trust,
    }
    tcp = {"tls": True, "preferred_ip_protocol": "ip4", **trust}
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as config:
        json.dump(
            {
                "modules": {
                    "http": {"prober": "http", "http": http},
                    "tcp": {"prober": "tcp", "tcp": tcp},
                }
            },
            config,
        )
        config.flush()
        command = [
            EXPORTER,
            f"--config.file={config.name}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                wait_for(port)
                yield Exporter(port, process.pid)
            finally:
                process.kill()


def wait_for(port: int) -> None:
    """Return when something accepts connections there."""
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:  # it has only just been started
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of probe: whose it is, its server, and the exporter's module for the same."""

    title: str
    job: str
    url: str
    module: str


def rows(least: int) -> Iterator[dict[str, object]]:
    """Yield a row for each kind of probe, number of targets, and prober.

    Each is of `least` probes, or more if there are more targets.
    """
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    installed = shutil.which(EXPORTER)
    if not installed:
        print(f"{EXPORTER} is not installed, so these figures stand alone", file=sys.stderr)
    with authority.cert_pem.tempfile() as trusted, serving() as plain, serving(context) as secure:
        os.environ["SSL_CERT_FILE"] = trusted
        http, https = f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}"
        kinds = [
            Kind("failing_endpoints http", "failing_endpoints", http, "http"),
            Kind("failing_endpoints https", "failing_endpoints", https, "http"),
            Kind("expiring_certificates", "expiring_certificates", https, "tcp"),
        ]
        for kind in kinds:
            for count in COUNTS:
                rounds = max(1, least // count)
                used = measure_ours(kind.job, kind.url, count, rounds)
                yield row(kind, "fleet", count, rounds, used)
                if installed:
                    targets = exporter_targets(kind, count)
                    with exporting(trusted) as exporter:
                        used = exporter.measure(kind.module, targets * rounds)
                    yield row(kind, EXPORTER, count, rounds, used)


def exporter_targets(kind: Kind, count: int) -> list[str]:
    """Return the targets as the exporter names them."""
    if kind.module == "http":
        return [f"{kind.url}/{number}" for number in range(count)]
    return [kind.url.removeprefix("https://")] * count


def row(
    kind: Kind,
    prober: str,
    count: int,
    rounds: int,
    used: dict[str, float],
) -> dict[str, object]:
    """Return the figures of one measurement."""
    probes = count * rounds
    return {
        "probe": kind.title,
        "prober": prober,
        "targets": count,
        "per_cpu_second": round(probes / used["cpu"]),
        "per_second": round(probes / used["wall"]),
        "peak_mb": round(used["peak_mb"], 1),
    }


def main() -> None:
    """Print the figures as they come."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--probes", type=int, default=1_000, help="probes for each figure, at least (default: 1000)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per figure")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    for figures in rows(options.probes):
        plain = "  ".join(f"{name} {value}" for name, value in figures.items())
        print(json.dumps(figures) if options.json else plain, flush=True)


if __name__ == "__main__":
    main()
