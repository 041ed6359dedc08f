"""Importing a job does nothing: it needs no environment, makes no client and reads no clock."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fleet.source import JOBS, at_import, deployed, dotted, imported
from tools.manifest import ROOT

CLOCKS = {
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
    *(
        f"time.{name}"
        for name in (
            "time",
            "time_ns",
            "monotonic",
            "monotonic_ns",
            "perf_counter",
            "gmtime",
            "localtime",
        )
    ),
}
CLIENTS = {
    "fleet.aws.client",
    "boto3.client",
    "boto3.resource",
    "boto3.Session",
    "boto3.session.Session",
}
ENVIRONMENT = {"os.environ", "os.getenv"}

# Stands in front of the job's folder, so that whatever the import makes is seen.
PROBE = """
import socket, sys
import botocore.session

def refused(what):
    def refuse(*_, **__):
        raise SystemExit(f"the import {what}: do it in the handler")
    return refuse

botocore.session.Session.create_client = refused("makes a client")
socket.socket.connect = refused("opens a connection")
import app
if not callable(getattr(app, "handler", None)):
    raise SystemExit("app.py has no handler")
"""


def violations(text: str) -> Iterator[str]:
    """Yield what a module does at import and should not."""
    tree = ast.parse(text)
    names = imported(tree)
    for node in at_import(tree):
        if isinstance(node, ast.Call) and dotted(node.func, names) in CLOCKS:
            yield (
                f"line {node.lineno}: reads the clock at import, once for all runs: read it in a "
                "function"
            )
        elif isinstance(node, ast.Call) and dotted(node.func, names) in CLIENTS:
            yield f"line {node.lineno}: makes a client at import: make it in the handler"
        elif isinstance(node, ast.Attribute | ast.Name) and dotted(node, names) in ENVIRONMENT:
            yield f"line {node.lineno}: reads the environment at import: read it in a function"


def imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Import the job in `folder` in a process without an environment."""
    return subprocess.run(
        [sys.executable, "-B", "-c", PROBE],
        env={"PYTHONPATH": f"{folder}:{ROOT / 'shared'}"},
        cwd=folder,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("job", JOBS)
def test_the_job_imports_without_an_environment(job: str) -> None:
    done = imports(ROOT / "functions" / job)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("path", deployed())
def test_the_module_does_nothing_at_import(path: str) -> None:
    assert list(violations(deployed()[path])) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(
            "import boto3; boto3.client('sqs', region_name='eu-west-1')",
            "makes a client",
            id="client",
        ),
        pytest.param("import os; os.environ['STAGE']", "KeyError", id="environment"),
        pytest.param(
            "import socket; socket.create_connection(('127.0.0.1', 9))",
            "opens a connection",
            id="connection",
        ),
        pytest.param("handler = None", "app.py has no handler", id="no handler"),
    ],
)
def test_an_import_that_does_something_fails(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "app.py").write_text(f"def handler(): ...\n{line}\n")

    done = imports(tmp_path)

    assert done.returncode != 0
    assert said in done.stderr


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            "from datetime import datetime\nNOW = datetime.now()",
            "line 2: reads the clock",
            id="constant",
        ),
        pytest.param(
            "import datetime as d\nclass Run:\n    at = d.datetime.utcnow()",
            "line 3: reads the",
            id="class",
        ),
        pytest.param(
            "import time\ndef look(now=time.time()): ...", "line 2: reads the clock", id="default"
        ),
        pytest.param(
            "from time import time\n@wait(until=time())\ndef f(): ...",
            "line 2: reads the",
            id="decorator",
        ),
        pytest.param(
            "import time\nif True:\n    T = time.monotonic()",
            "line 3: reads the clock",
            id="branch",
        ),
        pytest.param(
            "from fleet import aws\nS3 = aws.client('s3')", "line 2: makes a client", id="client"
        ),
        pytest.param(
            "import os\nSTAGE = os.environ.get('STAGE')",
            "line 2: reads the environment",
            id="environment",
        ),
        pytest.param(
            "from os import environ\nSTAGE = environ['STAGE']",
            "reads the environment",
            id="environ",
        ),
    ],
)
def test_what_is_done_at_import_is_named(text: str, said: str) -> None:
    assert said in "\n".join(violations(text))


@pytest.mark.parametrize(
    "text",
    [
        "import time\ndef look():\n    return time.time()",
        "from datetime import datetime\nclass Run:\n    at = field(default_factory=datetime.now)",
        "from fleet import aws\nlate = lambda: aws.client('s3')",
    ],
)
def test_what_is_done_later_is_not(text: str) -> None:
    assert list(violations(text)) == []
