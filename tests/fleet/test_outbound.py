"""Nothing goes out but by AWS's clients and, elsewhere, by the guarded `fleet.http`."""

import ast
from collections.abc import Iterator

import pytest
from tests.fleet.operations import MAKERS
from tests.fleet.source import deployed, dotted, imported, modules

GUARDED = (
    "shared/fleet/http.py",
    "shared/fleet/network.py",
    "shared/fleet/probes/",
    "functions/failing_endpoints/fleet_endpoints/",
)
CLIENTS = "shared/fleet/aws.py"
NETWORK = {
    *(
        "aiohttp",
        "asyncio",
        "ftplib",
        "http",
        "httpx",
        "imaplib",
        "poplib",
        "requests",
        "smtplib",
        "socket",
    ),
    *("socketserver", "ssl", "telnetlib", "urllib3", "webbrowser", "websockets", "xmlrpc"),
    *(
        "urllib.request",
        "urllib.robotparser",
        "botocore.httpsession",
        "botocore.vendored",
        "multiprocessing.connection",
    ),
}
PROCESSES = {"subprocess", "os.system", "os.popen", "os.execv", "pty"}
DYNAMIC = {"__import__", "importlib.import_module", "eval", "exec"}
# Powertools makes clients of its own, without the fleet's timeouts; its exceptions are no way out.
PARAMETERS = "aws_lambda_powertools.utilities.parameters"
READERS = {"get_parameter", "get_parameters", "get_parameters_by_path"}


def violations(path: str, text: str) -> Iterator[str]:
    """Yield how a module could reach the network by a way of its own."""
    tree = ast.parse(text)
    names = imported(tree)
    used = {name: line for name, line, _ in modules(tree)}
    used |= {whole: 0 for whole in names.values() if whole in NETWORK}
    if not path.startswith(GUARDED):
        for name in sorted(used):
            if _within(name, NETWORK):
                yield (
                    f"{path}: imports {name}: call out through fleet.http, which guards against "
                    "private addresses"
                )
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        name = dotted(node, names)
        if name in MAKERS and path != CLIENTS:
            yield f"{path}:{node.lineno}: {name} sets no timeouts: use fleet.aws.client"
        elif path != CLIENTS and _reads_parameters(name, node):
            yield (
                f"{path}:{node.lineno}: {name or ast.unparse(node)} reads SSM by itself: use "
                "fleet.aws.read_parameter"
            )
        elif _within(name, PROCESSES):
            yield (
                f"{path}:{node.lineno}: {name} starts a process, which nothing guards: use a "
                "library"
            )
        elif name in DYNAMIC:
            yield f"{path}:{node.lineno}: {name} hides what is imported: import it by name"


def _reads_parameters(name: str, node: ast.Name | ast.Attribute) -> bool:
    own = _within(name, {PARAMETERS}) and not _within(name, {f"{PARAMETERS}.exceptions"})
    return own or (isinstance(node, ast.Attribute) and node.attr in READERS)


def _within(name: str, packages: set[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) in packages for count in range(1, len(parts) + 1))


@pytest.mark.parametrize("path", deployed())
def test_the_module_has_no_way_out_of_its_own(path: str) -> None:
    assert list(violations(path, deployed()[path])) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("import socket", "imports socket", id="socket"),
        pytest.param("import http.client", "imports http.client", id="http"),
        pytest.param("from http import client", "imports http", id="from http"),
        pytest.param("import urllib.request", "imports urllib.request", id="urllib.request"),
        pytest.param("from urllib import request", "imports urllib.request", id="from urllib"),
        pytest.param(
            "def f():\n    from urllib.request import urlopen",
            "imports urllib.request",
            id="inside",
        ),
        pytest.param("import urllib3", "imports urllib3", id="urllib3"),
        pytest.param(
            "from requests.sessions import Session", "imports requests.sessions", id="requests"
        ),
        pytest.param(
            "from botocore.httpsession import URLLib3Session",
            "imports botocore.httpsession",
            id="botocore",
        ),
        pytest.param(
            "import importlib\nimportlib.import_module('socket')",
            "hides what is imported",
            id="dynamic",
        ),
        pytest.param(
            "import subprocess\nsubprocess.run(['curl'])", "starts a process", id="process"
        ),
        pytest.param(
            "from os import system\nsystem('curl')", "os.system starts a process", id="shell"
        ),
        pytest.param(
            "import boto3\nboto3.client('s3')", "boto3.client sets no timeouts", id="client"
        ),
        pytest.param(
            "from boto3.session import Session\nSession()", "sets no timeouts", id="session"
        ),
        pytest.param(
            f"from {PARAMETERS} import get_parameter\nget_parameter('x')",
            "reads SSM by itself",
            id="get_parameter",
        ),
        pytest.param(
            f"from {PARAMETERS} import SSMProvider as P\nP()",
            "2: " + PARAMETERS + ".SSMP",
            id="provider",
        ),
        pytest.param(
            f"from {PARAMETERS}.ssm import SSMProvider\nSSMProvider()",
            "reads SSM by",
            id="its module",
        ),
        pytest.param(
            "from aws_lambda_powertools.utilities import parameters as p\np.get_secret('x')",
            "reads SSM",
            id="package",
        ),
        pytest.param(
            "aws.client('ssm').get_parameter(Name='x')",
            "get_parameter reads SSM by itself",
            id="operation",
        ),
        pytest.param(
            "read = ssm.get_parameters",
            "ssm.get_parameters reads SSM by itself",
            id="operation, unbound",
        ),
    ],
)
def test_a_way_out_is_named(text: str, said: str) -> None:
    assert said in "\n".join(violations("functions/job/app.py", text))


@pytest.mark.parametrize("path", GUARDED)
def test_only_the_guarded_modules_open_connections(path: str) -> None:
    assert list(violations(path, "import socket, http.client")) == []
    assert list(violations("shared/fleet/urls.py", "from urllib.parse import quote")) == []


def test_only_the_module_of_clients_reads_parameters() -> None:
    reading = (
        f"from {PARAMETERS} import SSMProvider\nSSMProvider(boto3_client=client('ssm')).get('x')"
    )
    failing = f"from {PARAMETERS}.exceptions import GetParameterError\nraise GetParameterError"
    assert list(violations(CLIENTS, reading)) == []
    assert list(violations("shared/fleet/settings.py", failing)) == []
    assert (
        list(violations("functions/job/app.py", "from fleet import aws\naws.read_parameter('x')"))
        == []
    )
