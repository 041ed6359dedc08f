"""Every name that the template refers to is one that it declares.

cfn-lint takes any name that begins as a function's does, since SAM makes resources of such names; the fleet's own
resources are named so, and a misspelt one would first fail when it is deployed.
"""

import re
from collections.abc import Iterator

import pytest
from tests.fleet.template import REMOVED, Template, real, seeded


def violations(template: Template) -> list[str]:
    """Return each reference to what is not declared, and each parameter that nothing refers to."""
    declared = {**template.get("Parameters", {}), **template["Resources"]}
    found = [(place, name) for place, name in references(template) if not name.startswith("AWS::")]
    used = {name for _, name in found}
    return [
        *(
            f"{place}: there is no {name}: declare it, or mend its name"
            for place, name in found
            if name not in declared
        ),
        *(f"{name}: no one uses this parameter: remove it" for name in template["Parameters"] if name not in used),
    ]


def references(value: object, place: str = "") -> Iterator[tuple[str, str]]:
    """Yield each place that refers to something, and the name."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            yield place, name
        case {"Fn::Sub": str(text)}:
            yield from ((place, name) for name in _substituted(text))
        case {"Fn::Sub": [str(text), dict(own)]}:
            yield from ((place, name) for name in _substituted(text) if name not in own)
            yield from references(own, place)
        case dict():
            for name, inner in value.items():
                yield from references(inner, f"{place}/{name}".strip("/"))
        case list():
            for inner in value:
                yield from references(inner, place)


def _substituted(text: str) -> list[str]:
    return re.findall(r"\$\{(?!!)([A-Za-z0-9:]+)(?:\.[A-Za-z0-9.]+)?\}", text)


def test_every_reference_names_something() -> None:
    assert violations(real()) == []


VARIABLES = "Resources/StartPipeline/Properties/Environment/Variables"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param("Resources/StartPipelineRoutes", REMOVED, f"{VARIABLES}/ROUTES_PARAMETER: there is no", id="Ref"),
        pytest.param("Resources/StartPipelineRole", REMOVED, "there is no StartPipelineRole:", id="GetAtt"),
        pytest.param("Resources/PruneObjectsEntries", REMOVED, "Policies/PolicyDocument/Statement/Resource", id="Sub"),
        pytest.param(
            f"{VARIABLES}/X", {"Fn::Sub": ["${A}${B.Arn}", {"A": 1}]}, "X: there is no B:", id="Sub of a list"
        ),
        pytest.param("Parameters/Colour", {"Type": "String"}, "Colour: no one uses", id="unused parameter"),
    ],
)
def test_a_reference_to_nothing_is_named(path: str, value: object, said: str) -> None:
    assert said in "\n".join(violations(seeded(path, value)))
