"""The command line of the tool for dead letters."""

import argparse
import getpass
from collections.abc import Mapping, Sequence

from fleet.dead_letters.redrive import MOST_REDRIVES, Selection
from tools.errors import FleetError
from tools.operate import deployed

ROWS = 50


def read(words: Sequence[str], description: str, verbs: Mapping[str, str]) -> argparse.Namespace:
    """Read the command line; without a verb it is `list`. `verbs` says what each verb does."""
    parser = argparse.ArgumentParser(
        prog="make dead-letters ARGS=...",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB")
    add = {
        "list": _add_to_list,
        "show": _add_to_show,
        "redrive": _add_to_redrive,
        "discard": _add_to_discard,
    }
    for verb, text in verbs.items():
        of_verb = subparsers.add_parser(verb, help=text.splitlines()[0], description=text)
        deployed.add_arguments(of_verb)
        of_verb.add_argument(
            "--json", action="store_true", help="print one JSON document, for machines"
        )
        add[verb](of_verb)
    return parser.parse_args(words or ["list"])


def selection(asked: argparse.Namespace) -> Selection:
    """Return the letters that the command line selects."""
    return Selection(
        ids=tuple(asked.id),
        jobs=tuple(asked.job),
        causes=tuple(asked.cause),
        older_than=asked.older_than,
        younger_than=asked.younger_than,
    )


def required_selection(asked: argparse.Namespace) -> Selection:
    """Return the letters that the command line selects. Raises `FleetError` when it says none."""
    selected = selection(asked)
    if selected == Selection() and not asked.all:
        raise FleetError(
            "say which letters: --id, --job, --cause, --older-than or --younger-than, or --all"
        )
    return selected


def _add_to_list(parser: argparse.ArgumentParser) -> None:
    _add_selection(parser)
    parser.add_argument(
        "--rows", type=int, default=ROWS, help="how many letters to show below the causes"
    )


def _add_to_show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="a letter's id, or its beginning")


def _add_to_redrive(parser: argparse.ArgumentParser) -> None:
    _add_selection(parser).add_argument("--all", action="store_true", help="every letter there is")
    _add_dry_run(parser)
    parser.add_argument(
        "--no-canary", dest="canary", action="store_false", help="send all at once, not one first"
    )
    parser.add_argument(
        "--wait",
        type=deployed.time,
        default="30s",
        help="how long to watch what was sent (default 30s)",
    )
    parser.add_argument(
        "--max-redrives",
        type=int,
        default=MOST_REDRIVES,
        help="keep what was redriven so often before",
    )
    parser.add_argument(
        "--to",
        default="",
        metavar="ARN",
        help="a queue, function, topic or bus, instead of the origin",
    )
    body = parser.add_mutually_exclusive_group()
    body.add_argument(
        "--edit", action="store_true", help="edit the one letter's event in $EDITOR first"
    )
    body.add_argument(
        "--body",
        metavar="FILE",
        help="send the text of this file instead of the one letter's event",
    )


def _add_to_discard(parser: argparse.ArgumentParser) -> None:
    _add_selection(parser).add_argument("--all", action="store_true", help="every letter there is")
    _add_dry_run(parser)
    parser.add_argument("--reason", required=True, help="why; it is logged")
    parser.add_argument(
        "--author", default=getpass.getuser(), help="who; it is logged (default: your login)"
    )


def _add_dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")


def _add_selection(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
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
    return which
