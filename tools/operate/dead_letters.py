"""List, show, redrive or discard dead letters, of the fleet on this machine or of a stack in AWS.

make dead-letters                                               # all, by cause
make dead-letters ARGS="show 3f2a1b9c"
make dead-letters ARGS="redrive --job start_pipeline --dry-run"
make dead-letters ARGS="redrive --cause 5e62953c --stack fleet-prod --profile ops"
make dead-letters ARGS="discard --id 3f2a1b9c --reason 'a test event'"
"""

import argparse
import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table
from rich.text import Text

from fleet import aws
from fleet.dead_letters.causes import decoded
from fleet.dead_letters.journal import NotRecorded, recorder
from fleet.dead_letters.letters import Letter
from fleet.dead_letters.looking import DeadLetters, Sweep
from fleet.dead_letters.redrive import (
    Manner,
    Outcome,
    Redrive,
    Selection,
    Step,
    discard,
)
from tools.errors import FleetError
from tools.operate import dead_letter_arguments, deployed
from tools.operate.dead_letter_arguments import required_selection, selection
from tools.operate.dead_letter_views import (
    ID_CHARACTERS,
    age,
    as_json,
    causes_table,
    count_steps,
    letters_table,
    outcome_line,
)
from tools.terminal import complain, console, say

# Steps that leave nothing to do.
WELL_ENDED = {Step.SENT, Step.DISCARDED, Step.WOULD}


def list_letters(asked: argparse.Namespace, queue: DeadLetters, now: datetime) -> int:
    """Show the causes, and the letters of each."""
    sweep = Sweep(queue)
    wanted = selection(asked)
    letters = _selected(sweep, wanted, now)
    letters.sort(key=lambda letter: letter.first_seen)
    if asked.json:
        document = {"letters": [as_json(letter) for letter in letters], "unseen": sweep.unseen}
        print(json.dumps(document, indent=2))
        return 0
    if not letters:
        kind = "" if wanted == Selection() else " of that kind"
        say(f"there are no dead letters{kind}")
    else:
        console.print(causes_table(letters, now))
        console.print(letters_table(letters[: asked.rows], now))
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
        "first_seen": f"{letter.first_seen:%Y-%m-%d %H:%M:%S} UTC ({age(letter, now)} ago)"
    }
    table = Table(show_header=False)
    for name, fact in facts.items():
        table.add_row(name.replace("_", " "), Text(str(fact)))
    console.print(table)
    document = decoded(letter.body)
    say(letter.body if document is None else json.dumps(document, indent=2))
    place = f" --stack {asked.stack}" if asked.stack else ""
    to = "" if letter.origin else " --to ARN"
    command = f"redrive --id {letter.id[:ID_CHARACTERS]}{to}{place}"
    say(f'send it back: make dead-letters ARGS="{command}"')
    return 0


def redrive(asked: argparse.Namespace, queue: DeadLetters, now: datetime) -> int:
    """Send letters back to where they came from, as new messages: one first, then the rest.

    A letter is taken out only after its message was accepted. If this is interrupted between the
    two, that letter is sent once more by the next redrive, which changes nothing: jobs drop what
    they have already done.
    """
    selected = required_selection(asked)
    manner = Manner(
        dry_run=asked.dry_run,
        canary=asked.canary,
        wait=asked.wait.total_seconds(),
        most_redrives=asked.max_redrives,
        body=_body(asked, queue, selected, now),
        to=asked.to,
    )
    run = Redrive(queue, selected, manner, now)
    outcomes = _follow(asked, run)
    return _finish(asked, outcomes, run.unseen)


def discard_letters(asked: argparse.Namespace, queue: DeadLetters, now: datetime) -> int:
    """Take letters out for good, after the fleet's log has kept who did it and why."""
    selected = required_selection(asked)
    identity = aws.client("sts").get_caller_identity()["Arn"]
    record = recorder(
        aws.client("logs"),
        f"/fleet/{asked.found.name}",
        f"{asked.author} ({identity})",
        asked.reason,
    )
    outcomes = _follow(asked, discard(queue, selected, now, record, dry_run=asked.dry_run))
    return _finish(asked, outcomes, unseen="")


def _follow(asked: argparse.Namespace, outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Show outcomes as they come, and say what was done when somebody interrupts."""
    done: list[Outcome] = []
    try:
        for outcome in outcomes:
            done.append(outcome)
            if not asked.json:
                console.print(outcome_line(outcome), soft_wrap=True)
    except KeyboardInterrupt:
        complain(f"interrupted after {count_steps(done)}; all others are still in the dead letters")
        raise
    return done


def _finish(asked: argparse.Namespace, outcomes: Sequence[Outcome], unseen: str) -> int:
    """Show what became of all letters. Returns the exit code: 1 if something is left to do."""
    if asked.json:
        documents = [
            as_json(outcome.letter) | {"step": outcome.step.value, "detail": outcome.detail}
            for outcome in outcomes
        ]
        print(json.dumps({"outcomes": documents, "unseen": unseen}, indent=2))
    elif outcomes:
        say(count_steps(outcomes))
    else:
        say("no dead letter was selected")
    if unseen:
        complain(f"not all letters could be looked at: {unseen}; run it again")
    if any(outcome.step is Step.CAME_BACK for outcome in outcomes):
        complain("what was redriven fails again, so the rest was kept: repair the cause first")
    return int(any(outcome.step not in WELL_ENDED for outcome in outcomes))


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
    """Let the user edit a body in the editor of VISUAL or EDITOR.

    Raises `FleetError` when it stays as it was.
    """
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
        raise FleetError("the body is not JSON any more, so nothing was sent")
    return after


ACTIONS = {
    "list": list_letters,
    "show": show,
    "redrive": redrive,
    "discard": discard_letters,
}


def arguments(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    verbs = {verb: act.__doc__ or "" for verb, act in ACTIONS.items()}
    return dead_letter_arguments.read(words, __doc__ or "", verbs)


def main(words: Sequence[str]) -> int:
    """Do what the command line says."""
    asked = arguments(words)
    try:
        asked.found = deployed.enter(asked)
        queue = DeadLetters(aws.client("sqs"), asked.found.output("DeadLettersUrl"))
        return ACTIONS[asked.verb](asked, queue, datetime.now(UTC))
    except (FleetError, NotRecorded) as error:
        complain(str(error))
    except (BotoCoreError, ClientError) as error:
        complain(aws.trouble(error))
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
