"""The command behind `make new`."""

import argparse
import sys
from pathlib import Path
from string import Template

from tools.develop import blocks, docs, job_files
from tools.manifest import ROOT, logical_id

PIECES = Path(__file__).parent / "pieces"
BELONGS = """A job belongs here when all of this is true of it:
  - it is glue between systems, or a look at one; it is not part of an application
  - it needs no store of its own: a scheduled job forgets, a queue job sees repetitions by its event
  - it is short (five minutes at most) and runs no more often than each minute
  - it answers no HTTP request and needs no VPC
"""
# What each piece becomes, by its name in the folder of the trigger.
FILES = {
    "app.py": "functions/{job}/app.py",
    "event.json": "tests/events/{job}.json",
    "test.py": "tests/unit/functions/test_{job}.py",
    "scenario.py": "tools/local/scenarios/{job}.py",
}
NEXT = """
Next, make it do something:
  functions/{job}/app.py                what it reads, and what it decides
  tests/unit/functions/test_{job}.py    a test for each decision
  tools/local/scenarios/{job}.py        what it should find in the local fleet
  template.yaml, "{job}"                its schedule or rule, its settings, and its rights
  docs/operations.md, "## {job}"        what people should do
Then run `make docs`, `make test ARGS="tests/unit tests/fleet"`, `make lint` and `make demo`.
To undo all of this, run `make retire JOB={job}`.
"""


def new_files(job: str, trigger: str) -> dict[Path, str]:
    """Return the text of each file that the new job adds or changes, by its path."""
    words = job.replace("_", " ")
    names = {
        "job": job,
        "logical_id": logical_id(job),
        "title": words.title(),
        "summary": f"Report {words}." if trigger == "schedule" else f"Handle {words}.",
    }
    files = {
        ROOT / path.format(job=job): _filled(PIECES / trigger / f"{piece}.txt", names)
        for piece, path in FILES.items()
    }
    runbook = job_files.RUNBOOK.read_text()
    files[job_files.RUNBOOK] = runbook + _filled(PIECES / "runbook.md.txt", names)
    resources = _filled(PIECES / trigger / "resources.yaml.txt", names)
    files[job_files.TEMPLATE] = declared(job_files.TEMPLATE.read_text(), job, resources)
    return files


def declared(template: str, job: str, resources: str) -> str:
    """Return the template's text with the job's resources. Ends the program if a name is taken."""
    taken = set(blocks.NAME.findall(template)) & set(blocks.NAME.findall(resources))
    if taken:
        names = ", ".join(sorted(taken))
        raise SystemExit(f"template.yaml already has {names}: choose another name than {job}")
    return blocks.add(blocks.split(template), job, resources).text


def _filled(piece: Path, names: dict[str, str]) -> str:
    return Template(piece.read_text()).substitute(names)


def _agreed(job: str) -> bool:
    """Ask whether the job belongs here; without a terminal, it does."""
    print(BELONGS)
    if not sys.stdin.isatty():
        return True
    answer = input(f"Is all of this true of {job}? [y/N] ")
    return answer.strip().lower() in ("y", "yes")


def main() -> int:
    """Write the job's files, and print which, and what to do next."""
    parser = argparse.ArgumentParser(
        prog="make new",
        description=BELONGS,
        epilog="make new JOB=stale_images TRIGGER=schedule",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("job", help="what it is for, in snake_case")
    triggers = ["schedule", "queue"]
    parser.add_argument("--trigger", choices=triggers, default="schedule", help="default: schedule")
    options = parser.parse_args()
    if fault := job_files.fault(options.job):
        parser.error(fault)
    if options.job in job_files.jobs():
        parser.error(f"there is already a job {options.job}")
    files = new_files(options.job, options.trigger)
    if not _agreed(options.job):
        print("Nothing was written.")
        return 1
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, text)
    for path, text in docs.renewed().items():
        _write(path, text)
    print(NEXT.format(job=options.job))
    return 0


def _write(path: Path, text: str) -> None:
    verb = "changed" if path.exists() else "wrote"
    path.write_text(text)
    print(f"{verb} {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
