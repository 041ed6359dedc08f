"""How a job in a container finds the fleet: a template with its settings, and a relay."""

import sys
from pathlib import Path
from typing import Any

import pytest
from tools.errors import FleetError
from tools.local import docker
from tools.local.docker import reachable, template

DEPLOYED = {
    "FunctionName": "fleet-local-web",
    "Handler": "app.handler",
    "CodeSize": 10,
    "Environment": {"Variables": {"LIST": "/web/list", "AWS_ACCESS_KEY_ID": "of the emulator"}},
}
needs_relay = pytest.mark.skipif(sys.platform == "darwin", reason="Docker Desktop needs no relay")


class Account:
    """An account with one function."""

    environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}  # noqa: RUF012 - nothing changes it

    def functions(self) -> dict[str, Any]:
        return {"fleet-local-web": DEPLOYED}


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What sam built of a fleet with one job."""
    folder = tmp_path / "built"
    (folder / "FleetLayer" / "python").mkdir(parents=True)
    monkeypatch.setattr(docker, "BUILT", folder / "template.yaml")
    monkeypatch.setattr(docker, "TEMPLATE", tmp_path / "sam-local.json")
    monkeypatch.setattr(docker, "jobs", lambda: ["web"])
    return folder


def function(account: Any) -> Any:
    return template(account)["Resources"]["Web"]["Properties"]


def test_a_container_has_the_settings_of_the_deployed_function_and_finds_the_fleet() -> None:
    properties = function(Account())

    variables = properties["Environment"]["Variables"]
    assert variables["LIST"] == "/web/list"
    assert variables["AWS_ENDPOINT_URL"] == "http://host.docker.internal:4566"
    assert variables["AWS_ACCESS_KEY_ID"] == "test"
    assert "AWS_CONFIG_FILE" not in variables  # a path of this machine
    assert properties["Handler"] == "app.handler"
    assert "CodeSize" not in properties  # sam refuses what it does not know


def test_code_is_what_was_built_or_else_the_jobs_folder(built: Path) -> None:
    assert function(Account())["CodeUri"].endswith("functions/web")

    (built / "Web").mkdir()

    assert function(Account())["CodeUri"] == str(built / "Web")


@needs_relay
@pytest.mark.parametrize(
    ("network", "gateway"),
    [
        ('{"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.254"}', "172.17.0.254"),
        ('{"Subnet": "172.17.0.0/16"}', "172.17.0.1"),
    ],
    ids=["with a gateway", "with a subnet only"],
)
def test_the_fleet_is_reached_by_dockers_bridge_while_it_is_asked_to_be(
    network: str, gateway: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = tmp_path / "docker"
    engine.write_text(f"#!/bin/sh\necho '[{network}]'\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    relays: list[tuple[str, int]] = []
    monkeypatch.setattr(docker, "_listen", lambda *address: relays.append(address))
    account: Any = Account()

    with reachable(account):
        assert docker.TEMPLATE.exists()
        assert relays == [(gateway, 4566)]

    assert not docker.TEMPLATE.exists()


@needs_relay
def test_without_docker_people_hear_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    account: Any = Account()

    with pytest.raises(FleetError, match="needs a Docker engine"), reachable(account):
        pass
