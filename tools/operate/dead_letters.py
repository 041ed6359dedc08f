"""List, show, redrive or discard what could not be done, in the fleet on this machine or in a stack in AWS.

make dead-letters                                               # all, by cause
make dead-letters ARGS="show 3f2a1b9c"
make dead-letters ARGS="redrive --job start_pipeline --dry-run"
make dead-letters ARGS="redrive --cause 5e62953c --stack fleet-prod --profile ops"
make dead-letters ARGS="discard --id 3f2a1b9c --reason 'a test event'"
"""

import argparse
import contextlib
import getpass
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table
from rich.text import Text

from fleet import aws
from fleet.dead_letters.causes import decoded, masked
from fleet.dead_letters.journal import NotRecorded, recorder
from fleet.dead_letters.letters import Letter
from fleet.dead_letters.looking import DeadLetters, Sweep
from fleet.dead_letters.redrive import (
    MOST_REDRIVES,
    Manner,
    Outcome,
    Redrive,
    Selection,
    Step,
    discard,
)
from fleet.findings import span
from tools.errors import FleetError
from tools.operate import deployed
from tools.terminal import complain, console, say

ROWS = 50
ID_CHARACTERS = 8
COLOURS = {
    Step.SENT: "green",
    Step.DISCARDED: "green",
    Step.WOULD: "cyan",
    Step.SENT_AND_LEFT: "yellow",
}


def list_letters(asked: argparse.Namespace, queue: DeadLetters, now: datetime) -> int:
    """Show the causes, and the letters of each."""
    sweep = Sweep(queue)
    letters = _selected(sweep, _selection(asked), now)
    letters.sort(key=lambda letter: letter.first_seen)
    if asked.json:
        print(
            json.dumps(
                {"letters": [as_json(letter) for letter in letters], "unseen": sweep.unseen},
                indent=2,
            )
        )
        return 0
    if not letters:
        say(
            "there are no dead letters"
            + (" of that kind" if _selection(asked) != Selection() else "")
        )
    else:
        console.print(_causes(letters, now))
        console.print(_letters(letters[: asked.rows], now))
        if (left := len(letters) - asked.rows) > 0:
            say(f"and {left} younger ones: --rows shows more")
    if sweep.unseen:
        complain(f"these may not be all: {sweep.unseen}")
    return 0


def show(asked: argparse.Namespace, queue: DeadLetters, now: datetime) -> int:
    """Show all of one letter: why it is there, its event, and how to send it back."""
    letter = _one(queue, Selection(ids=(asked.id,)), now)
    if asked.json:
        print(json.dumps(as_json(letter) | {"body": letter.body}, indent=2))
        return 0
    facts = as_json(letter) | {
        "first_seen": f"{letter.first_seen:%Y-%m-%d %H:%M:%S} UTC ({_age(letter, now)} ago)"
    }
    table = Table(show_header=False)
    for name, fact in facts.items():
        table.add_row(name.replace("_", " "), Text(str(fact)))
    console.print(table)
    document = decoded(letter.body)
    say(letter.body if document is None else json.dumps(document, indent=2))
    place = f" --stack {asked.stack}" if asked.stack else ""
    to = "" if letter.origin else " --to ARN"
    say(
        f'send it back: make dead-letters ARGS="redrive --id {letter.id[:ID_CHARACTERS]}{to}{place}"'
    )
    return 0


def redrive(asked: argparse.Namespace, queue: DeadLetters, now: datetime) -> int:
    """Send letters back to where they came from, as new messages: one first, then the rest.

    A letter is taken out only after its message was accepted. If this is interrupted between the two, that letter is
    sent once more by the next redrive, which changes nothing: jobs drop what they have already done.
    """
    selection = _required(asked)
    manner = Manner(
        dry_run=asked.dry_run,
        canary=asked.canary,
        wait=asked.wait.total_seconds(),
        most_redrives=asked.max_redrives,
        body=_body(asked, queue, selection, now),
        to=asked.to,
    )
    run = Redrive(queue, selection, manner, now)
    outcomes = _followed(asked, run)
    return _ended(asked, outcomes, run.unseen)


def discard_letters(asked: argparse.Namespace, queue: DeadLetters, now: datetime) -> int:
    """Take letters out for good, after the fleet's log has kept who did it and why."""
    selection = _required(asked)
    identity = aws.client("sts").get_caller_identity()["Arn"]
    record = recorder(
        aws.client("logs"),
        f"/fleet/{asked.found.name}",
        f"{asked.author} ({identity})",
        asked.reason,
    )
    return _ended(
        asked, _followed(asked, discard(queue, selection, now, record, dry_run=asked.dry_run)), ""
    )


def as_json(letter: Letter) -> dict[str, Any]:
    """Return a letter for machines, without its body."""
    return {
        "id": letter.id,
        "job": letter.job,
        "cause": letter.cause.id,
        "error_type": letter.error_type,
        "reason": masked(letter.reason),
        "attempts": letter.attempts,
        "redrives": letter.redrives,
        "first_seen": letter.first_seen.isoformat(),
        "given_up_by": letter.route.value,
        "source": letter.source,
        "origin": letter.origin or f"unknown: {letter.obstacle}",
    }


def _followed(asked: argparse.Namespace, outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Show outcomes as they come, and say what was done when somebody interrupts."""
    done: list[Outcome] = []
    try:
        for outcome in outcomes:
            done.append(outcome)
            if not asked.json:
                console.print(_line(outcome), soft_wrap=True)
    except KeyboardInterrupt:
        complain(f"interrupted after {_counted(done)}; all others are still in the dead letters")
        raise
    return done


def _ended(asked: argparse.Namespace, outcomes: Sequence[Outcome], unseen: str) -> int:
    if asked.json:
        shown = [
            as_json(each.letter) | {"step": each.step.value, "detail": each.detail}
            for each in outcomes
        ]
        print(json.dumps({"outcomes": shown, "unseen": unseen}, indent=2))
    elif outcomes:
        say(_counted(outcomes))
    else:
        say("no dead letter was selected")
    if unseen:
        complain(f"not all letters could be looked at: {unseen}; run it again")
    if any(outcome.step is Step.CAME_BACK for outcome in outcomes):
        complain("what was redriven fails again, so the rest was kept: mend the cause first")
    return int(
        any(
            outcome.step not in COLOURS or outcome.step is Step.SENT_AND_LEFT
            for outcome in outcomes
        )
    )


def _counted(outcomes: Iterable[Outcome]) -> str:
    counts = Counter(outcome.step.value for outcome in outcomes)
    return ", ".join(f"{number} {step}" for step, number in counts.items()) or "nothing"


def _line(outcome: Outcome) -> Text:
    letter = outcome.letter
    line = Text(f"{outcome.step.value:>10}", COLOURS.get(outcome.step, "red"))
    return line.append(
        f"  {letter.id[:ID_CHARACTERS]}  {letter.job}  {letter.cause.id}  {outcome.detail}",
        "default",
    )


def _causes(letters: Iterable[Letter], now: datetime) -> Table:
    table = Table(title="Causes", title_justify="left")
    for name in ("cause", "job", "error", "letters", "oldest", "reason"):
        table.add_column(
            name, overflow="fold", justify="right" if name in ("letters", "oldest") else "left"
        )
    groups: dict[str, list[Letter]] = {}
    for letter in letters:
        groups.setdefault(letter.cause.id, []).append(letter)
    for name, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        first = group[0]
        row = (
            name,
            first.job,
            first.error_type,
            str(len(group)),
            _age(first, now),
            masked(first.reason),
        )
        table.add_row(*map(Text, row))
    return table


def _letters(letters: Iterable[Letter], now: datetime) -> Table:
    table = Table(title="Letters, the oldest first", title_justify="left")
    for name in (
        "id",
        "job",
        "cause",
        "given up by",
        "attempts",
        "redrives",
        "age",
        "goes back to",
    ):
        table.add_column(name, overflow="fold")
    for letter in letters:
        row = (
            letter.id[:ID_CHARACTERS],
            letter.job,
            letter.cause.id,
            letter.route.value,
            str(letter.attempts),
        )
        origin = letter.origin.rpartition(":")[2] or "unknown"
        table.add_row(*map(Text, (*row, str(letter.redrives), _age(letter, now), origin)))
    return table


def _age(letter: Letter, now: datetime) -> str:
    return span(max(now - letter.first_seen, timedelta()))


def _selected(sweep: Sweep, selection: Selection, now: datetime) -> list[Letter]:
    """Return the selected letters; of a long body only as much as a list needs is kept."""
    with contextlib.closing(iter(sweep)) as letters:
        return [
            replace(held.letter, body="") for _, held in letters if selection.fits(held.letter, now)
        ]


def _one(queue: DeadLetters, selection: Selection, now: datetime) -> Letter:
    sweep = Sweep(queue)
    with contextlib.closing(iter(sweep)) as letters:
        found = [held.letter for _, held in letters if selection.fits(held.letter, now)]
    if len(found) == 1:
        return found[0]
    wanted = f"the id {selection.ids[0]}" if selection.ids else "what was selected"
    if found:
        raise FleetError(f"{wanted} fits {len(found)} letters: give more of the id")
    hint = f" ({sweep.unseen})" if sweep.unseen else ""
    raise FleetError(f"{wanted} fits no dead letter{hint}: `make dead-letters` lists them")


def _body(
    asked: argparse.Namespace, queue: DeadLetters, selection: Selection, now: datetime
) -> str | None:
    if not (asked.body or asked.edit):
        return None
    if len(selection.ids) != 1:
        raise FleetError("--body and --edit are for one letter: name it with --id")
    letter = _one(queue, selection, now)
    if asked.body:
        try:
            return str(Path(asked.body).read_text())
        except OSError as error:
            raise FleetError(f"the body {asked.body} cannot be read: {error.strerror}") from None
    return edited(letter.body)


def edited(body: str) -> str:
    """Let the user edit a body in the editor of VISUAL or EDITOR. Raises `FleetError` when it stays as it was."""
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    document = decoded(body)
    before = body if document is None else json.dumps(document, indent=2) + "\n"
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / ("body.txt" if document is None else "body.json")
        file.write_text(before)
        try:
            subprocess.run([*editor, str(file)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise FleetError(
                f"the editor {editor[0]} failed, so nothing was sent: {error}; set EDITOR"
            ) from None
        after = file.read_text()
    if after == before:
        raise FleetError("the body was left as it was, so nothing was sent")
    if document is not None and decoded(after) is None:
        raise FleetError("the body is no JSON any more, so nothing was sent")
    return after


def _selection(asked: argparse.Namespace) -> Selection:
    return Selection(
        tuple(asked.id), tuple(asked.job), tuple(asked.cause), asked.older_than, asked.younger_than
    )


def _required(asked: argparse.Namespace) -> Selection:
    selection = _selection(asked)
    if selection == Selection() and not asked.all:
        raise FleetError(
            "say which letters: --id, --job, --cause, --older-than or --younger-than, or --all"
        )
    return selection


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line; without a verb it is `list`."""
    parser = argparse.ArgumentParser(
        prog="make dead-letters ARGS=...",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    acts = {"list": list_letters, "show": show, "redrive": redrive, "discard": discard_letters}
    made = {}
    for verb, act in acts.items():
        summary = act.__doc__ or ""
        made[verb] = verbs.add_parser(verb, help=summary.splitlines()[0], description=summary)
        made[verb].set_defaults(act=act)
        deployed.add_arguments(made[verb])
        made[verb].add_argument(
            "--json", action="store_true", help="print one JSON document, for machines"
        )
    for verb in ("list", "redrive", "discard"):
        _add_selection(made[verb], optional=verb == "list")
    made["list"].add_argument(
        "--rows", type=int, default=ROWS, help="how many letters to show below the causes"
    )
    made["show"].add_argument("id", metavar="ID", help="a letter's id, or its beginning")
    for verb in ("redrive", "discard"):
        made[verb].add_argument(
            "--dry-run", action="store_true", help="only say what would be done"
        )
    more = made["redrive"]
    more.add_argument(
        "--no-canary", dest="canary", action="store_false", help="send all at once, not one first"
    )
    more.add_argument(
        "--wait",
        type=deployed.time,
        default="30s",
        help="how long to watch what was sent (default 30s)",
    )
    more.add_argument(
        "--max-redrives",
        type=int,
        default=MOST_REDRIVES,
        help="keep what was redriven so often before",
    )
    more.add_argument(
        "--to",
        default="",
        metavar="ARN",
        help="a queue, function, topic or bus, instead of the origin",
    )
    body = more.add_mutually_exclusive_group()
    body.add_argument(
        "--edit", action="store_true", help="edit the one letter's event in $EDITOR first"
    )
    body.add_argument(
        "--body",
        metavar="FILE",
        help="send the text of this file instead of the one letter's event",
    )
    made["discard"].add_argument("--reason", required=True, help="why; it is logged")
    made["discard"].add_argument(
        "--author", default=getpass.getuser(), help="who; it is logged (default: your login)"
    )
    return parser.parse_args(words or ["list"])


def _add_selection(parser: argparse.ArgumentParser, optional: bool) -> None:
    which = parser.add_argument_group("which letters", "those that fit all that is given")
    which.add_argument(
        "--id", action="append", default=[], help="an id, or its beginning; may be repeated"
    )
    which.add_argument(
        "--job", action="append", default=[], help="a job, or a glob; may be repeated"
    )
    which.add_argument(
        "--cause", action="append", default=[], help="a cause's id, as listed; may be repeated"
    )
    which.add_argument(
        "--older-than", type=deployed.time, metavar="TIME", help="such as 90s, 15m, 12h or 3d"
    )
    which.add_argument("--younger-than", type=deployed.time, metavar="TIME")
    if not optional:
        which.add_argument("--all", action="store_true", help="every letter there is")


def main(words: Sequence[str]) -> int:
    """Do what the command line says."""
    asked = arguments(words)
    try:
        asked.found = deployed.enter(asked)
        queue = DeadLetters(aws.client("sqs"), asked.found.output("DeadLettersUrl"))
        return int(asked.act(asked, queue, datetime.now(UTC)))
    except (FleetError, NotRecorded) as error:
        complain(str(error))
    except (BotoCoreError, ClientError) as error:
        complain(aws.trouble(error))
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
