"""Remove a job, and every trace of it: the command behind `make retire`."""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.develop import blocks, docs, job_files
from tools.manifest import ROOT, logical_id

# Files that name jobs or their parameters, and are edited.
PYPROJECT = ROOT / "pyproject.toml"
SAMCONFIG = ROOT / "samconfig.toml"
NEXT = """
Next, run `make docs`, `make test ARGS="tests/unit tests/fleet"` and `make lint`, and commit.
Before you deploy: a deployment deletes the job's queue with all that waits there, so let it run empty.
After you have deployed: end its open findings in the console, and delete the SSM parameters below
/<stack>/{job}/, which people wrote and no deployment touches.
"""


def own_paths(job: str) -> list[Path]:
    """Return the files and folders that belong to this job alone."""
    paths = [ROOT / pattern.format(job=job) for pattern in job_files.OWN]
    return [path for path in paths if path.exists()]


def edits(job: str) -> dict[Path, str]:
    """Return the new text of each file that names the job and stays."""
    old = blocks.split(job_files.TEMPLATE.read_text())
    new = blocks.remove(old, job)
    unused = set(old.parameters) - set(new.parameters)
    texts = {
        job_files.TEMPLATE: new.text,
        job_files.RUNBOOK: without_section(job_files.RUNBOOK.read_text(), job),
        PYPROJECT: without_folder(PYPROJECT.read_text(), job),
        SAMCONFIG: without_overrides(SAMCONFIG.read_text(), unused),
    }
    return {path: text for path, text in texts.items() if path.read_text() != text}


def without_section(runbook: str, job: str) -> str:
    """Return the runbook without the job's section, which ends at the next heading of its kind."""
    return re.sub(rf"\n## {job}\n.*?(?=\n## |\Z)", "", runbook, count=1, flags=re.DOTALL)


def without_folder(pyproject: str, job: str) -> str:
    """Return pyproject.toml without the folder of the job's packages."""
    return re.sub(rf'(, )?"functions/{job}"', "", pyproject)


def without_overrides(samconfig: str, parameters: set[str]) -> str:
    """Return samconfig.toml without values of these parameters."""
    for name in parameters:
        samconfig = re.sub(rf' {name}=[^" ]+', "", samconfig)
    return samconfig


def mentions(job: str, packages: list[str]) -> Iterator[str]:
    """Yield each line of a tracked file, decisions left out, that names the job or its packages."""
    names = "|".join([job, *packages])
    pattern = (
        rf"(^|[^A-Za-z0-9_])({names})($|[^A-Za-z0-9_])|(^|[^A-Za-z]){logical_id(job)}([^a-z]|$)"
    )
    command = ["git", "grep", "-nIE", "--untracked", pattern, "--", ".", ":!docs/decisions"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    yield from found.stdout.splitlines()


def _agreed(job: str, paths: list[Path]) -> bool:
    """Ask before anything is deleted; without a terminal, who calls has decided."""
    if not sys.stdin.isatty():
        return True
    print("This deletes, with all that is in them:")
    for path in paths:
        print(f"  {path.relative_to(ROOT)}")
    answer = input(f"Retire {job}? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def main() -> int:
    """Delete the job's files, edit those that name it, and print what was done and what is left to do."""
    parser = argparse.ArgumentParser(prog="make retire", description=__doc__)
    parser.add_argument("job", help="the name of a job")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args()
    if options.job not in job_files.jobs():
        parser.error(
            f"there is no job {options.job!r}; the jobs are: {', '.join(job_files.jobs())}"
        )
    retire(options.job, yes=options.yes)
    return 0


def retire(job: str, *, yes: bool) -> None:
    """Remove the job, unless whoever is asked declines."""
    paths, changed = own_paths(job), edits(job)
    packages = [path.parent.name for path in (ROOT / "functions" / job).glob("*/__init__.py")]
    if not yes and not _agreed(job, paths):
        print("Nothing was removed.")
        return
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        print(f"removed {path.relative_to(ROOT)}")
    for path, text in changed.items():
        _write(path, text)
    for path, text in docs.renewed().items():
        _write(path, text)
    left = list(mentions(job, packages))
    if left:
        print(
            "\nThese lines still mention it: change them, or give them another job as their example."
        )
        print("\n".join(f"  {line[:150]}" for line in left))
    print(NEXT.format(job=job))


def _write(path: Path, text: str) -> None:
    if path.read_text() != text:
        path.write_text(text)
        print(f"changed {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
