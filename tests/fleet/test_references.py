"""Every name that the template refers to is one that it declares.

cfn-lint takes any name that begins as a function's does, since SAM makes resources of such names;
the fleet's own
resources are named so, and a misspelt one would first fail when it is deployed.
"""

import pytest
from tests.fleet.template import REMOVED, Template, functions, real, references, seeded


def violations(template: Template) -> list[str]:
    """Return each reference to what is not declared, and each parameter that nothing refers to."""
    declared = {*template.get("Parameters", {}), *template["Resources"]}
    declared |= {
        f"{name}Url" for name, function in functions(template) if "FunctionUrlConfig" in function
    }  # by SAM
    found = [(place, name) for place, name in references(template) if not name.startswith("AWS::")]
    used = {name for _, name in found}
    return [
        *(
            f"{place}: there is no {name}: declare it, or correct its name"
            for place, name in found
            if name not in declared
        ),
        *(
            f"{name}: no one uses this parameter: remove it"
            for name in template["Parameters"]
            if name not in used
        ),
    ]


def test_every_reference_names_something() -> None:
    assert violations(real()) == []


VARIABLES = "Resources/StartPipeline/Properties/Environment/Variables"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(
            "Parameters/TimeZone",
            REMOVED,
            "ScheduleExpressionTimezone: there is no TimeZone:",
            id="Ref",
        ),
        pytest.param(
            "Resources/StartPipelineRole", REMOVED, "there is no StartPipelineRole:", id="GetAtt"
        ),
        pytest.param(
            f"{VARIABLES}/X",
            {"Fn::Sub": "/${AWS::StackName}/${B}"},
            f"{VARIABLES}/X: there is no B:",
            id="Sub",
        ),
        pytest.param(
            f"{VARIABLES}/X",
            {"Fn::Sub": ["${A}${B.Arn}", {"A": 1}]},
            "X: there is no B:",
            id="Sub of a list",
        ),
        pytest.param(
            "Parameters/Colour", {"Type": "String"}, "Colour: no one uses", id="unused parameter"
        ),
    ],
)
def test_a_reference_to_nothing_is_named(path: str, value: object, said: str) -> None:
    assert said in "\n".join(violations(seeded(path, value)))
