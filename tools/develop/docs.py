"""Write what is generated: the README's table of jobs, and docs/permissions.md.

With --check, only say whether they are up to date.
"""

import argparse
import re
import sys
from pathlib import Path

from tools import manifest
from tools.develop import permissions
from tools.manifest import ROOT, jobs

README = ROOT / "README.md"
PERMISSIONS = ROOT / "docs" / "permissions.md"
MARKED = re.compile(r"(<!-- jobs -->\n).*?(<!-- /jobs -->)", re.DOTALL)


def job_table() -> str:
    """Return the Markdown table of the fleet's jobs."""
    rows = [
        f"| [{job.name}](functions/{job.name}/app.py) | {job.summary} | {job.trigger} "
        f"| [what to do](docs/operations.md#{job.name}) |"
        for job in jobs()
    ]
    return "\n".join(["| Job | What it does | Runs on | Runbook |", "|---|---|---|---|", *rows, ""])


def with_job_table(readme: str) -> str:
    """Return the README's text with the table of jobs as it should be."""
    return MARKED.sub(lambda match: match[1] + job_table() + match[2], readme)


def renewed() -> dict[Path, str]:
    """Return the text that each generated file should have."""
    return {
        README: with_job_table(README.read_text()),
        PERMISSIONS: permissions.document(manifest.template()),
    }


def main() -> int:
    """Write what is out of date, or say so. Return 1 when --check finds something."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail when something is out of date"
    )
    check = parser.parse_args().check
    old = {
        path: text
        for path, text in renewed().items()
        if not path.exists() or path.read_text() != text
    }
    for path, text in old.items():
        name = path.relative_to(ROOT)
        if check:
            print(f"{name} is out of date: run `make docs`", file=sys.stderr)
        else:
            path.write_text(text)
            print(f"{name} renewed")
    return int(check and bool(old))


if __name__ == "__main__":
    sys.exit(main())
