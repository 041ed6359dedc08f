import socket
import sys

import pytest
from tools import running
from tools.errors import FleetError
from tools.operate import console
from tools.running import Running


def test_a_stack_is_shown_with_the_users_own_settings() -> None:
    assert console.of_stack("fleet-prod", "") == {"STACK": "fleet-prod"}
    assert console.of_stack("fleet-prod", "operator") == {
        "STACK": "fleet-prod",
        "AWS_PROFILE": "operator",
    }


def test_a_local_fleet_is_shown_without_them() -> None:
    services = {"AWS_ENDPOINT_URL_CODEPIPELINE": "http://moto"}

    environment = console.of_local_fleet("http://ministack", services, "fleet-local")

    assert environment["AWS_ENDPOINT_URL"] == "http://ministack"
    assert environment["AWS_ENDPOINT_URL_CODEPIPELINE"] == "http://moto"
    assert environment["STACK"] == "fleet-local"
    assert environment["AWS_EC2_METADATA_DISABLED"] == "true"


def test_a_port_in_use_is_left_alone() -> None:
    with socket.socket() as taken:
        taken.bind((console.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]

        assert console.free(port) not in (0, port)
    assert console.free(port) == port


def test_without_a_fleet_it_says_why_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_fleet() -> Running:
        raise FleetError("no fleet is running")

    monkeypatch.setattr(running, "newest", no_fleet)
    monkeypatch.setattr(sys, "argv", ["console"])

    assert console.main() == 1
    assert capsys.readouterr().err == "the console cannot be started: no fleet is running\n"
