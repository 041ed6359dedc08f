"""Write the CloudFormation that the SAM template stands for: `translate.py TEMPLATE [OUT]`.

Without OUT it goes to the terminal. Linters that do not know SAM read the result. It runs offline
on the SAM environment's Python and needs no build: local code becomes a placeholder in S3.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

Properties = dict[str, Any]
CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


class NoManagedPolicies:
    """No managed policies of AWS.

    SAM asks for those that a template names without their ARN; the fleet's template names none.
    """

    def load(self) -> dict[str, str]:
        return {}


def translate(template: Properties) -> Properties:
    """Return the CloudFormation template. Raises `InvalidDocumentException`.

    Resources keep their metadata, where linters find waivers.
    """
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        code = CODE.get(resource["Type"])
        if code in properties:
            properties[code] = "s3://built-later/code"
    return dict(transform(template, {}, NoManagedPolicies(), passthrough_metadata=True))


def main(source: str, target: str = "/dev/stdout") -> None:
    """Translate `source` into `target`, or end with what is wrong with it."""
    # The translator asks for the partition of a region, and any will do.
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")
    template = yaml_parse(Path(source).read_text())
    try:
        translated = translate(template)
    except InvalidDocumentException as error:
        faults = "\n".join(cause.message for cause in error.causes)
        raise SystemExit(f"{source} is not a SAM template:\n{faults}") from None
    text = json.dumps(translated, indent=1)
    Path(target).write_text(f"{text}\n")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
