"""How the tools talk to their user."""

from rich.console import Console

console = Console()
_errors = Console(stderr=True)


def say(text: str) -> None:
    """Print a line of progress at once, as it is."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def complain(text: str) -> None:
    """Print what went wrong."""
    _errors.print(text, style="red", highlight=False, markup=False, soft_wrap=True)
