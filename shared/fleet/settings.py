"""A job's settings: a dataclass that is read from the function's environment variables.

One message names every fault, by the name of the variable, with its value and what was expected.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from datetime import timedelta
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

UNITS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}


class SettingsError(ValueError):
    """What people wrote cannot be used; the message names every fault at once."""


class OutOfRange(ValueError):
    """A value that `within` refused.

    The field's name, the least that it may be, and what is wrong with it.
    """

    def __init__(self, name: str, least: Any, fault: str) -> None:
        super().__init__(f"{name} {fault}")
        self.name = name
        self.least = least
        self.fault = fault


def required(name: str) -> str:
    """Return an environment variable that every function of the fleet has.

    Raises `SettingsError`.
    """
    try:
        return os.environ[name]
    except KeyError:
        raise SettingsError(
            f"the environment has no {name}; template.yaml sets it for every function"
        ) from None


def load(settings: type[T], environment: Mapping[str, str] | None = None) -> T:
    """Read a dataclass from environment variables: the field `paused_hours` from `PAUSED_HOURS`.

    Fields are `str`, `int`, `float`, `bool`, a `Literal` of texts, or `timedelta` (`90s`, `12h`,
    `30d`). A variable that is not set leaves its field's default. Raises `SettingsError`.
    """
    environment = os.environ if environment is None else environment
    kinds = get_type_hints(settings)
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in fields(settings):  # type: ignore[arg-type]
        variable = field.name.upper()
        if variable in environment:
            try:
                values[field.name] = read(environment[variable], kinds[field.name])
            except ValueError as error:
                faults.append(f"{variable}: {error}")
        elif is_required(field):
            faults.append(f"{variable} must be set")
    faults = faults or _faults_together(settings, values)
    if faults:
        raise SettingsError(f"the environment: {'; '.join(faults)}")
    return settings(**values)


def is_required(field: "Field[Any]") -> bool:
    """Whether a dataclass's field has no default."""
    return field.default is MISSING and field.default_factory is MISSING


def _faults_together(settings: type[Any], values: Mapping[str, Any]) -> list[str]:
    """Return all that the dataclass itself refuses.

    It raises at the first value that is out of range. That value is replaced by one within its
    range, and the dataclass made again, until it refuses nothing more.
    """
    accepted = dict(values)
    faults: list[str] = []
    names = {field.name for field in fields(settings)}
    for _ in range(len(names) + 1):
        try:
            settings(**accepted)
        except OutOfRange as error:
            faults.append(f"{error.name.upper()} {error.fault}")
            if error.name not in names:
                break
            accepted[error.name] = error.least
        except ValueError as error:
            return [*faults, str(error)]
        else:
            break
    return faults


def read(text: str, kind: Any) -> Any:
    """Read a value of a type that a setting may have.

    Raises `ValueError` for a text that is not one.
    """
    if get_origin(kind) is not Literal:
        return READERS[kind](text)
    choices = get_args(kind)
    if text not in choices:
        raise ValueError(f"expected one of {', '.join(choices)}, got {text!r}")
    return text


def within(name: str, value: Any, least: Any, most: Any) -> None:
    """Check a range, in `__post_init__`, of the field `name`, or of the YAML key where it has
    another name.

    `load` says the variable for the name of a setting. Raises `OutOfRange` with the value and the
    range.
    """
    if not least <= value <= most:
        bounds = f"{_as_written(least)} to {_as_written(most)}"
        raise OutOfRange(name, least, f"must be {bounds}, got {_as_written(value)}")


def _as_written(value: Any) -> str:
    """Return a value as people write it.

    A duration such as 26h, in the largest unit that has no rest.
    """
    if not isinstance(value, timedelta):
        return str(value)
    for letter, unit in UNITS.items():
        if value and not value % unit:
            return f"{value // unit}{letter}"
    return f"{value.total_seconds():g}s"


def duration(text: str) -> timedelta:
    """Read `90s`, `15m`, `12h`, `30d` or `2w`. Raises `ValueError` for anything else."""
    match = re.fullmatch(r"(\d{1,6})\s*([smhdw])", text)
    if not match:
        raise ValueError(f"expected a duration such as 12h or 30d, got {text!r}")
    return int(match[1]) * UNITS[match[2]]


def boolean(text: str) -> bool:
    """Read `true` or `false`, in any case. Raises `ValueError` for anything else."""
    match text.lower():
        case "true":
            return True
        case "false":
            return False
    raise ValueError(f"expected true or false, got {text!r}")


def whole_number(text: str) -> int:
    """Read an integer. Raises `ValueError` for anything else."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"expected a whole number, got {text!r}") from None


def number(text: str) -> float:
    """Read a decimal number. Raises `ValueError` for anything else."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"expected a number, got {text!r}") from None


# How a text becomes a value of each type that a setting may have.
READERS: Mapping[type, Callable[[str], Any]] = {
    str: str,
    bool: boolean,
    int: whole_number,
    float: number,
    timedelta: duration,
}
