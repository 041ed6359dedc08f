"""One build of the layer serves every architecture: it works without compiled modules."""

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.fleet.source import deployed, modules
from tools.manifest import ROOT

# Refuses each compiled module of an installed package, as a machine of another architecture would.
PURE = """
import sys, importlib.machinery
seen = []

class Foreign(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target)
        compiled = importlib.machinery.ExtensionFileLoader
        if spec and isinstance(spec.loader, compiled) and "-packages/" in spec.origin:
            seen.append(name)
            return None
        return spec

sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Foreign
"""
WORK = """
from dataclasses import dataclass
from datetime import timedelta
import app, fleet.dead_letters, fleet.secrets, fleet.runtime.queued, fleet.runtime.scheduled
import asn1crypto.x509, dns.message, idna, standardwebhooks
import fleet.deliveries, fleet.http, fleet.ledger.table, fleet.probes.tls
import fleet.schedules, fleet.sinks
from aws_lambda_powertools.utilities import batch, data_classes, parameters
from fleet.lists import parse_entries

@dataclass(frozen=True)
class Entry:
    name: str
    older_than: timedelta

read = parse_entries("- {name: a, older_than: 30d}\\n- {name: 1, older_than: 30d}", Entry, "here")
assert read.usable == (Entry("a", timedelta(days=30)),), read
assert len(read.faults) == 1, read
print(*seen)
"""
OF_THE_LAYER = {
    *(
        "asn1crypto",
        "attr",
        "attrs",
        "aws_lambda_powertools",
        "cattrs",
        "cronsim",
        "dns",
        "fleet",
        "idna",
    ),
    *("jmespath", "standardwebhooks", "tzdata", "yaml"),
}
OF_THE_RUNTIME = {*sys.stdlib_module_names, "boto3", "botocore"}


def run(code: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": f"{ROOT / 'functions' / 'prune_objects'}:{ROOT / 'shared'}"}
    command = [sys.executable, "-B", "-c", PURE + code]
    return subprocess.run(
        command, env=environment, text=True, capture_output=True, timeout=60, check=False
    )


def foreign(text: str) -> Iterator[str]:
    """Yield each import of the layer that neither it nor the runtime provides."""
    for module, line, for_types in modules(ast.parse(text)):
        package = module.split(".")[0]
        if package not in OF_THE_LAYER | OF_THE_RUNTIME and not (
            for_types and package.startswith("mypy_boto3_")
        ):
            yield f"line {line}: {module} is in no layer: add it to shared/requirements.in"


def test_the_layer_works_without_compiled_modules() -> None:
    done = run(WORK)

    assert (done.returncode, done.stderr) == (0, "")
    assert "yaml._yaml" in done.stdout.split(), (
        "nothing compiled was refused, so this proves nothing"
    )


def test_a_compiled_module_is_refused() -> None:
    done = run("import yaml._yaml")

    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.parametrize("path", [path for path in deployed() if path.startswith("shared/")])
def test_the_module_imports_what_is_deployed(path: str) -> None:
    assert list(foreign(deployed()[path])) == []


def test_an_import_that_is_not_deployed_is_named() -> None:
    assert list(foreign("import os, pydantic")) == [
        "line 1: pydantic is in no layer: add it to shared/requirements.in"
    ]
