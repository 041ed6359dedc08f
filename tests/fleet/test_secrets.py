"""No secret stands in the template, in its settings, or in the source; nothing prints."""

import ast
import math
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.fleet.source import deployed
from tests.fleet.template import Template, functions, named, real, resources, seeded
from tools.manifest import ROOT

SECRET_NAME = re.compile(
    r"(^|_|[a-z])(SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIALS?|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|WEBHOOK)(_?(URL|ID))?$|_KEY$",
    re.IGNORECASE,
)
# Formats by which providers let secrets be recognised.
KNOWN = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bxox[abeprs]-\w|\bgh[pousr]_\w{20}|\bglpat-\w|hooks\.slack\.com/services/T"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|\bsk_live_\w|\beyJ[\w-]{10,}\.eyJ|\bAIza[\w-]{30}|://[^/\s:@]+:[^/\s:@]+@"
)
RUN = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
RANDOM_BITS = (
    4.0  # per character; words and names have less, random base64 of 32 characters about 4.5
)


def violations(template: Template) -> list[str]:
    """Return what in the template is a secret, or would carry one to where it can be read."""
    return [*of_environment(template), *of_parameters(template), *of_literals(template)]


def of_environment(template: Template) -> Iterator[str]:
    hidden = {name for name, parameter in template["Parameters"].items() if parameter.get("NoEcho")}
    for job, function in functions(template):
        for name, value in function["Environment"]["Variables"].items():
            if SECRET_NAME.search(name) and not named(value):
                yield (
                    f"{job}: the variable {name} holds a literal: give it the name of an SSM "
                    "SecureString"
                )
            if named(value) in hidden or "{{resolve:" in str(value):
                yield (
                    f"{job}: the variable {name} would show a secret: give it the name of an SSM "
                    "SecureString"
                )


def of_parameters(template: Template) -> Iterator[str]:
    for name, parameter in template["Parameters"].items():
        if parameter.get("NoEcho") and "Default" in parameter:
            yield f"{name}: a NoEcho parameter has a default: remove it"
        elif SECRET_NAME.search(name) and parameter.get("Default"):
            yield f"{name}: a secret's parameter has a default: remove it"
    for name, parameter in resources(template, "AWS::SSM::Parameter"):
        if SECRET_NAME.search(name) and isinstance(parameter.get("Value"), str):
            yield (
                f"{name}: holds a secret in plain text: make a SecureString by hand, and name it "
                "in a variable"
            )
    for name, secret in resources(template, "AWS::SecretsManager::Secret"):
        if "SecretString" in secret:
            yield f"{name}: its value stands in the template: leave SecretString out"


def of_literals(template: Template) -> Iterator[str]:
    for path, text in _texts(template):
        if looks_secret(text):
            yield f"{path}: looks like a secret: keep it in an SSM SecureString"


def looks_secret(text: str) -> bool:
    """Whether a text is of a known secret format, or has a run that seems random."""
    return bool(KNOWN.search(text)) or any(_is_random(run) for run in RUN.findall(text))


def _is_random(run: str) -> bool:
    kinds = sum(bool(re.search(kind, run)) for kind in ("[a-z]", "[A-Z]", "[0-9]"))
    counts = Counter(run).values()
    bits = -sum(count / len(run) * math.log2(count / len(run)) for count in counts)
    return kinds == 3 and bits >= RANDOM_BITS


def _texts(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _texts(inner, f"{path}/{name}")
        case list():
            for number, inner in enumerate(value):
                yield from _texts(inner, f"{path}/{number}")
        case str():
            yield path.strip("/"), value


def printing(text: str) -> list[int]:
    """Return the lines that print: what is printed passes no redaction."""
    streams = ("sys.stdout", "sys.stderr")
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.Name) and node.id in ("print", "pprint"))
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in streams)
    ]


def test_the_template_holds_no_secret() -> None:
    assert violations(real()) == []


@pytest.mark.parametrize("path", [*deployed(), "samconfig.toml", "template.yaml"])
def test_the_file_holds_no_secret(path: str) -> None:
    assert [line for line in (ROOT / path).read_text().splitlines() if looks_secret(line)] == []


@pytest.mark.parametrize("path", deployed())
def test_the_module_prints_nothing(path: str) -> None:
    assert printing(deployed()[path]) == []


VARIABLES = "Resources/StartPipeline/Properties/Environment/Variables"
HIDDEN = {"Type": "String", "NoEcho": True, "Default": "hunter2"}


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(
            f"{VARIABLES}/SLACK_TOKEN",
            "hunter2",
            "StartPipeline: the variable SLACK_TOKEN",
            id="token",
        ),
        pytest.param(
            f"{VARIABLES}/SIGNING_KEY", "hunter2", "the variable SIGNING_KEY holds", id="key"
        ),
        pytest.param(
            f"{VARIABLES}/PASSWORD",
            {"Fn::Sub": "x${Stage}"},
            "the variable PASSWORD",
            id="put together",
        ),
        pytest.param(
            "Globals/Function/Environment/Variables/API_KEY",
            "hunter2",
            "PruneObjects: the",
            id="of all",
        ),
        pytest.param(
            f"{VARIABLES}/HOOK",
            "{{resolve:ssm-secure:/x}}",
            "HOOK would show a secret",
            id="resolved",
        ),
        pytest.param(
            "Parameters/Hidden", HIDDEN, "Hidden: a NoEcho parameter has a default", id="default"
        ),
        pytest.param(
            "Parameters/SlackToken",
            {"Type": "String", "Default": "x"},
            "SlackToken: a sec",
            id="parameter",
        ),
        pytest.param(
            "Resources/SlackToken",
            {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "hunter2"}},
            "SlackToken: holds a secret in plain text",
            id="plain parameter",
        ),
        pytest.param(
            "Resources/Kept",
            {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "hunter2"}},
            "Kept: its value stands in the template",
            id="secret's value",
        ),
        pytest.param(
            f"{VARIABLES}/HOST", "q7Zk2pLx9VbN4rTy8WcD3mFs", f"{VARIABLES}/HOST: looks", id="random"
        ),
        pytest.param(
            f"{VARIABLES}/HOST",
            "AKIA" + "QWERTYUIOPASDFGH",
            f"{VARIABLES}/HOST: looks",
            id="access key",
        ),
        pytest.param(
            f"{VARIABLES}/HOST",
            "https://me:" + "word@host/",
            f"{VARIABLES}/HOST: looks",
            id="in a URL",
        ),
    ],
)
def test_a_secret_is_named(path: str, value: object, said: str) -> None:
    assert said in "\n".join(violations(seeded(path, value)))


def test_a_hidden_parameter_in_a_variable_is_named() -> None:
    template = seeded("Parameters/Hidden", {"Type": "String", "NoEcho": True})
    template["Resources"]["StartPipeline"]["Properties"]["Environment"]["Variables"]["HOOK"] = {
        "Ref": "Hidden"
    }

    assert "HOOK would show a secret" in "\n".join(violations(template))


@pytest.mark.parametrize(
    "text",
    ["print('x')", "import sys\nsys.stdout.write('x')", "from pprint import pprint\npprint(1)"],
)
def test_printing_is_found(text: str) -> None:
    assert printing(text)
