import argparse
import os
from collections.abc import Iterator
from unittest import mock

import pytest
from tools.errors import FleetError
from tools.operate import deployed
from tools.running import Running

from fleet import aws


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    with mock.patch.dict(os.environ):
        yield


def asked(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    deployed.add_arguments(parser)
    return parser.parse_args(words)


def test_without_a_stack_it_is_the_fleet_that_runs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running(
        1,
        0.0,
        "http://127.0.0.1:1",
        {"AWS_ENDPOINT_URL_CODEPIPELINE": "http://x"},
        "fleet-local",
        {},
    )
    monkeypatch.setattr(deployed, "newest", lambda: running)
    monkeypatch.setattr(deployed, "_outputs", lambda name: {"LedgerTable": f"{name}-ledger"})
    monkeypatch.setenv("AWS_PROFILE", "prod")
    assert deployed.enter(asked()).output("LedgerTable") == "fleet-local-ledger"
    assert os.environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert "AWS_PROFILE" not in os.environ


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--profile", "ops"], "--profile and --region are for a stack in AWS: add --stack"),
        (
            ["--stack", "nosuch"],
            "there is no stack nosuch in eu-west-1: correct --stack, --region or --profile",
        ),
        (
            ["--stack", "x", "--profile", "nosuch"],
            "name one of `aws configure list-profiles` with --profile",
        ),
    ],
)
@pytest.mark.usefixtures("moto")
def test_a_stack_that_cannot_be_found_is_said_with_its_mend(words: list[str], said: str) -> None:
    with pytest.raises(FleetError, match=said):
        deployed.enter(asked(*words))


@pytest.mark.usefixtures("moto")
def test_a_stack_in_aws_tells_its_outputs() -> None:
    template = '{"Resources": {}, "Outputs": {"DeadLettersUrl": {"Value": "https://x"}}}'
    aws.client("cloudformation").create_stack(StackName="fleet-dev", TemplateBody=template)
    stack = deployed.enter(asked("--stack", "fleet-dev"))
    assert stack.output("DeadLettersUrl") == "https://x"
    with pytest.raises(
        FleetError, match=r"has no output LedgerTable \(it has: DeadLettersUrl\): is it a fleet"
    ):
        stack.output("LedgerTable")
