"""Remove a job, and every trace of it: the command behind `make retire`."""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.develop import blocks, docs, job_files
from tools.manifest import ROOT, logical_id

# Files that name jobs or their parameters, and are edited.
PYPROJECT = ROOT / "pyproject.toml"
SAMCONFIG = ROOT / "samconfig.toml"
NEXT = """
Next, run `make docs`, `make test ARGS="tests/unit tests/fleet"` and `make lint`, and commit.
Before you deploy: a deployment deletes the job's queue with all that waits there; let it run empty.
After you have deployed: end its open findings in the console, and delete the SSM parameters below
/<stack>/{job}/, which people wrote and no deployment touches.
"""


def own_paths(job: str) -> list[Path]:
    """Return the files and folders that belong to this job alone."""
    paths = []
    for pattern in job_files.OWN:
        path = ROOT / pattern.format(job=job)
        if path.exists():
            paths.append(path)
    return paths


def edits(job: str) -> dict[Path, str]:
    """Return the new text of each file that names the job and stays."""
    old = blocks.split(job_files.TEMPLATE.read_text())
    new = blocks.remove(old, job)
    unused = set(old.parameters) - set(new.parameters)
    runbook = job_files.RUNBOOK.read_text()
    pyproject = PYPROJECT.read_text()
    samconfig = SAMCONFIG.read_text()
    return {
        job_files.TEMPLATE: new.text,
        job_files.RUNBOOK: without_section(runbook, job),
        PYPROJECT: without_folder(pyproject, job),
        SAMCONFIG: without_overrides(samconfig, unused),
    }


def packages_of(job: str) -> list[str]:
    """Return the names of the packages that only this job has."""
    folder = ROOT / "functions" / job
    modules = folder.glob("*/__init__.py")
    return [path.parent.name for path in modules]


def without_section(runbook: str, job: str) -> str:
    """Return the runbook without the job's section, which ends at the next heading of its kind."""
    section = rf"\n## {job}\n.*?(?=\n## |\Z)"
    return re.sub(section, "", runbook, flags=re.DOTALL)


def without_folder(pyproject: str, job: str) -> str:
    """Return pyproject.toml without the folder of the job's packages."""
    return re.sub(rf'(, )?"functions/{job}"', "", pyproject)


def without_overrides(samconfig: str, parameters: set[str]) -> str:
    """Return samconfig.toml without values of these parameters."""
    for name in parameters:
        samconfig = re.sub(rf' {name}=[^" ]+', "", samconfig)
    return samconfig


def mentions(job: str, packages: list[str]) -> list[str]:
    """Return each line of a tracked file, decisions left out, that names the job or its packages.

    Each begins with its file and number, as git grep prints it.
    """
    names = "|".join([job, logical_id(job), *packages])
    pattern = rf"(^|[^A-Za-z0-9_])({names})($|[^a-z0-9_])"
    command = ["git", "grep", "--untracked", "-nIE", pattern, "--", ".", ":!docs/decisions"]
    found = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.splitlines()


def agreed(job: str, paths: list[Path]) -> bool:
    """Ask before anything is deleted; without a terminal nobody is asked, and it is."""
    if not sys.stdin.isatty():
        return True
    print("This deletes, with all that is in them:")
    for path in paths:
        print(f"  {path.relative_to(ROOT)}")
    answer = input(f"Retire {job}? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def main() -> int:
    """Delete the job's files, edit those that name it, and print what is left to do."""
    parser = argparse.ArgumentParser(prog="make retire", description=__doc__)
    parser.add_argument("job", help="the name of a job")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args()
    if options.job not in job_files.jobs():
        jobs = ", ".join(job_files.jobs())
        parser.error(f"there is no job {options.job!r}; the jobs are: {jobs}")
    retire(options.job, yes=options.yes)
    return 0


def retire(job: str, *, yes: bool) -> None:
    """Remove the job; ask first, unless `yes`."""
    paths = own_paths(job)
    packages = packages_of(job)
    if not yes and not agreed(job, paths):
        print("Nothing was removed.")
        return
    changed = edits(job)
    for path in paths:
        delete(path)
    write(changed)
    write(docs.renewed())
    report_mentions(job, packages)
    print(NEXT.format(job=job))


def delete(path: Path) -> None:
    """Delete a file, or a folder with all that is in it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    print(f"removed {path.relative_to(ROOT)}")


def write(texts: dict[Path, str]) -> None:
    """Write the files whose text is another than before."""
    for path, text in texts.items():
        if path.read_text() != text:
            path.write_text(text)
            print(f"changed {path.relative_to(ROOT)}")


def report_mentions(job: str, packages: list[str]) -> None:
    """Print the lines that still name the job, for somebody to change."""
    lines = mentions(job, packages)
    if not lines:
        return
    print("\nThese lines still mention it. Change them, or take another job as their example:")
    for line in lines:
        print(f"  {line[:150]}")


if __name__ == "__main__":
    sys.exit(main())
