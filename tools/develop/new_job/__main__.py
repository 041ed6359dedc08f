"""The command behind `make new`."""

import argparse
import re
import sys
from pathlib import Path
from string import Template

from tools.develop import docs
from tools.manifest import ROOT, logical_id

PIECES = Path(__file__).parent / "pieces"
BELONGS = """A job belongs here when all of this is true of it:
  - it is glue between systems, or a look at one; it is not a part of any application
  - it needs no store of its own: a scheduled job forgets, a queue job is idempotent by something in its event
  - it is short (five minutes at most) and runs no more often than each minute
  - it answers no HTTP request and needs no VPC
"""


def fitting(job: str) -> str:
    """Return the job's name if it can be one; an error of argparse otherwise."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)+", job):
        raise argparse.ArgumentTypeError(
            f"{job!r} is no name: say what it is for in snake_case, as in stale_images"
        )
    if banned := {"utils", "helpers", "common", "manager"} & set(job.split("_")):
        raise argparse.ArgumentTypeError(
            f"{job!r} says nothing with {', '.join(banned)}: say what it is for"
        )
    if len(job) > 40:
        raise argparse.ArgumentTypeError(
            f"{job!r} is longer than 40 characters, too long for a function's name"
        )
    return job


def pieces(job: str, trigger: str) -> dict[Path, str]:
    """Return the files of a new job, filled in, by their paths."""
    words = job.replace("_", " ")
    names = {
        "job": job,
        "logical_id": logical_id(job),
        "title": words.title(),
        "summary": f"{'Report' if trigger == 'schedule' else 'Attend to'} {words}.",
    }
    paths = {
        "app.py": ROOT / "functions" / job / "app.py",
        "event.json": ROOT / "tests" / "events" / f"{job}.json",
        "test.py": ROOT / "tests" / "unit" / "functions" / f"test_{job}.py",
        "scenario.py": ROOT / "tools" / "local" / "scenarios" / f"{job}.py",
    }
    files = {
        path: _filled(PIECES / trigger / f"{piece}.txt", names) for piece, path in paths.items()
    }
    runbook = ROOT / "docs" / "operations.md"
    files[runbook] = runbook.read_text() + _filled(PIECES / "runbook.md.txt", names)
    template = ROOT / "template.yaml"
    resources = _filled(PIECES / trigger / "resources.yaml.txt", names)
    files[template] = declared(template.read_text(), job, trigger, resources)
    return files


def declared(template: str, job: str, trigger: str, resources: str) -> str:
    """Return the template's text with the job's resources, and with its name where the fleet lists its jobs."""
    names = re.compile(r"^  (\w+):$", re.MULTILINE)
    if taken := set(names.findall(template)) & set(names.findall(resources)):
        raise SystemExit(
            f"template.yaml has {', '.join(sorted(taken))} already: choose another name than {job}"
        )
    if trigger == "schedule":
        for role in ("SchedulerRole", "ConsoleRole"):
            invoked = rf"{role}:\n(?:.*\n)*?\s+Action: lambda:InvokeFunction\n\s+Resource:\n"
            template = _after(template, invoked, f"!GetAtt {logical_id(job)}.Arn")
        return template.replace(
            "  # ---------------------------------------------------------------- queue jobs\n",
            f"{resources}  # {'-' * 64} queue jobs\n",
        )
    sources = r"Sid: RulesThatCouldNotDeliver\n(?:.*\n)*?\s+aws:SourceArn:\n"
    template = _after(template, sources, f"!GetAtt {logical_id(job)}OnRequest.Arn")
    queue = f"{logical_id(job)}Queue"
    operators = (
        r"Action: \[sqs:GetQueueAttributes, sqs:GetQueueUrl, sqs:SendMessage\]\n\s+Resource:\n"
    )
    template = _after(template, operators, f"!GetAtt {queue}.Arn")
    output = f"  {queue}:\n    Description: Queue of {job}\n    Value: !Ref {queue}\n"
    return template.replace("\nOutputs:\n", f"\n{resources}Outputs:\n") + output


def _after(template: str, pattern: str, item: str) -> str:
    """Put a list item after the line that `pattern` ends with, indented as the item that stands there."""
    match = re.search(rf"(?:{pattern})( +)- ", template)
    if not match:
        raise SystemExit(f"template.yaml no longer has the list that {item} belongs to")
    return f"{template[: match.start(1)]}{match[1]}- {item}\n{template[match.start(1) :]}"


def _filled(piece: Path, names: dict[str, str]) -> str:
    return Template(piece.read_text()).substitute(names)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make new",
        description=BELONGS,
        epilog="make new JOB=stale_images TRIGGER=schedule",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("job", type=fitting, help="what it is for, in snake_case")
    parser.add_argument(
        "--trigger", choices=["schedule", "queue"], default="schedule", help="default: schedule"
    )
    options = parser.parse_args()
    if (ROOT / "functions" / options.job).exists():
        parser.error(f"there is a job {options.job} already")
    files = pieces(options.job, options.trigger)
    print(BELONGS)
    if sys.stdin.isatty() and input(f"Is it so for {options.job}? [y/N] ").strip().lower() not in {
        "y",
        "yes",
    }:
        print("nothing was written")
        return 1
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(f"wrote {path.relative_to(ROOT)}")
    for path, text in docs.renewed().items():
        path.write_text(text)
    print(
        "wrote README.md\nnow decide: its file, its test, its scenario, its role, its runbook entry; then `make test`"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
