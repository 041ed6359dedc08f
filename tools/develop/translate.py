"""Write the CloudFormation that the SAM template stands for: `translate.py TEMPLATE [OUT]`, by default to the terminal.

Linters that know no SAM read the result. It runs offline on the SAM environment's Python and needs no build: local code
becomes a placeholder in S3.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


class NoManagedPolicies:
    """SAM asks AWS for managed policies that a template names without their ARN; the fleet's names none."""

    def load(self) -> dict[str, str]:
        return {}


def translate(template: dict[str, Any]) -> dict[str, Any]:
    """Return the CloudFormation template; resources keep their metadata, where linters find waivers."""
    for resource in template["Resources"].values():
        if (code := CODE.get(resource["Type"])) in resource.get("Properties", {}):
            resource["Properties"][code] = "s3://built-later/code"
    return dict(transform(template, {}, NoManagedPolicies(), passthrough_metadata=True))


def main(source: str, target: str = "/dev/stdout") -> None:
    """Translate `source` into `target`, or end with what is wrong with it."""
    os.environ.setdefault(
        "AWS_DEFAULT_REGION", "eu-west-1"
    )  # whose partition the translator asks for
    try:
        translated = translate(yaml_parse(Path(source).read_text()))
    except InvalidDocumentException as error:
        faults = [cause.message for cause in error.causes]
        raise SystemExit("\n".join([f"{source} is no SAM template:", *faults])) from None
    Path(target).write_text(json.dumps(translated, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
