"""Print the console's catalogue: what each job does, what it may do, and what to do when it fails.

`sam build` and the Dockerfile put it into the console's package; in a checkout, the console makes
it when it starts. It comes from the template, the jobs' docstrings and docs/operations.md, and
needs nothing but Python 3.11 and PyYAML.
"""

import json
import sys
from typing import Any

from tools import manifest
from tools.develop import permissions
from tools.develop.permissions import Grant
from tools.manifest import Job


def catalogue() -> str:
    """Return the catalogue as JSON: a list of jobs, as `fleet_console.catalogue.Job` has them."""
    template = manifest.template()
    entries = [_entry(job, template) for job in manifest.jobs() if job.kind != "http"]
    return json.dumps(entries, indent=1) + "\n"


def _entry(job: Job, template: dict[str, Any]) -> dict[str, Any]:
    role = f"{manifest.logical_id(job.name)}Role"
    return {
        "name": job.name,
        "summary": job.summary,
        "kind": job.kind,
        "trigger": job.words,
        "permissions": [_permission(grant) for grant in permissions.of_role(template, role)],
        "runbook": manifest.runbook(job.name),
    }


def _permission(grant: Grant) -> dict[str, Any]:
    return {
        "actions": grant.actions,
        "resources": grant.resources,
        "condition": "; ".join(grant.conditions),
    }


if __name__ == "__main__":
    sys.stdout.write(catalogue())
