"""How the tools talk to their user."""

from rich.console import Console

console = Console()
_errors = Console(stderr=True)


def say(text: str) -> None:
    """Print a line of progress at once, as it is."""
    _print(console, text)


def complain(text: str) -> None:
    """Print what went wrong."""
    _print(_errors, text, style="red")


def _print(target: Console, text: str, style: str | None = None) -> None:
    """Print a text as it is: rich would read brackets as markup, colour numbers and break lines."""
    target.print(
        text,
        style=style,
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
