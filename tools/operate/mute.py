"""Mute alerts for a while, list the mutes, or end one early: on this machine or in a stack in AWS.

Within five minutes of a mute's end, one alert says what it withheld.
"""

import argparse
import getpass
import sys
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from fleet.ledger.mutes import MUTES, Mute, end_early, new_mute
from fleet.ledger.table import Conflict, Table
from tools.errors import FleetError
from tools.operate import deployed
from tools.terminal import complain


def describe(mute: Mute) -> str:
    """Return a mute as a line of the list."""
    state = "ended" if mute.ended else "until"
    end = f"{mute.until:%Y-%m-%d %H:%M} UTC"
    return f"{mute.id}  {state} {end}  {mute.pattern}  by {mute.author}: {mute.reason}"


def run(table: Table, options: argparse.Namespace, now: datetime) -> str:
    """Do what the command line says, and return what to print.

    Raises `SystemExit` when there is no such mute, or somebody else has just changed it.
    """
    if options.verb == "list":
        return list_mutes(table)
    if options.verb == "add":
        mute = new_mute(options.pattern, options.reason, options.author, now + options.until)
    else:
        mute = end_early(_running(table, options.id), now)
    try:
        table.commit([mute])
    except Conflict:
        raise SystemExit(
            f"somebody else has just changed {mute.id}: look at the list, and try again"
        ) from None
    return describe(mute)


def list_mutes(table: Table) -> str:
    """Return all mutes, a line each, the first to end first."""
    mutes = table.query(Mute, MUTES)
    mutes.sort(key=lambda mute: mute.until)
    lines = [describe(mute) for mute in mutes]
    return "\n".join(lines) or "nothing is muted"


def _running(table: Table, mute_id: str) -> Mute:
    mute = table.get(Mute, (MUTES, mute_id))
    if mute is None or mute.ended:
        raise SystemExit(f"there is no mute {mute_id} to end")
    return mute


def arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="make mutes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    add, end, show = (verbs.add_parser(verb) for verb in ("add", "end", "list"))
    for verb in (add, end, show):
        deployed.add_arguments(verb)
    add.add_argument(
        "pattern", help="glob over the dedup key, or source:, subject: or owner: and a glob"
    )
    add.add_argument(
        "--until", type=deployed.time, required=True, help="how long, such as 4h or 2d"
    )
    add.add_argument("--reason", required=True)
    add.add_argument("--author", default=getpass.getuser())
    end.add_argument("id")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Do what the command line says."""
    wanted = arguments(words)
    try:
        table = Table(deployed.enter(wanted).output("LedgerTable"))
        print(run(table, wanted, datetime.now(UTC)))
    except (FleetError, BotoCoreError, ClientError) as error:
        complain(str(error))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
