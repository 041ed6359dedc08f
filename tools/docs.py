"""Write the generated part of the README: the table of jobs. With --check, only say whether it is up to date."""

import argparse
import re
import sys

from tools.manifest import ROOT, jobs

README = ROOT / "README.md"
MARKED = re.compile(r"(<!-- jobs -->\n).*?(<!-- /jobs -->)", re.DOTALL)


def job_table() -> str:
    """Return the Markdown table of the fleet's jobs."""
    rows = [
        f"| [{job.name}](functions/{job.name}/app.py) | {job.summary} | {job.trigger} "
        f"| [what to do](docs/operations.md#{job.name}) |"
        for job in jobs()
    ]
    return "\n".join(["| Job | What it does | Runs on | Runbook |", "|---|---|---|---|", *rows, ""])


def generated(readme: str) -> str:
    """Return the README's text with its table renewed."""
    return MARKED.sub(lambda match: match[1] + job_table() + match[2], readme)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the README is out of date")
    check = parser.parse_args().check
    text = README.read_text()
    new = generated(text)
    if new == text:
        return 0
    if check:
        print("README.md is out of date: run `make docs`", file=sys.stderr)
        return 1
    README.write_text(new)
    print("README.md renewed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
