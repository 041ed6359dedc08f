"""What every view has at hand while it answers a request."""

from datetime import UTC, datetime

from flask import Flask, current_app

from fleet_console.operations import Operations
from fleet_console.reading import Reading


def install(app: Flask, reading: Reading) -> None:
    """Give the application what its views read and do; both live as long as the process."""
    app.extensions["reading"] = reading
    app.extensions["operations"] = Operations(reading)


def reading() -> Reading:
    """Return what the application reads."""
    return current_app.extensions["reading"]  # type: ignore[no-any-return]


def operations() -> Operations:
    """Return what the application does."""
    return current_app.extensions["operations"]  # type: ignore[no-any-return]


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)
