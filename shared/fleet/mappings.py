"""Turn mappings that people wrote into dataclasses: YAML entries, JSON documents, queries, forms.

One message names every fault of a mapping, by its key, with the value and what was expected.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache, partial
from typing import Any, TypeVar

from cattrs import Converter, transform_error
from cattrs.errors import CattrsError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override
from cattrs.v import format_exception

from fleet.settings import READERS, SettingsError, duration, is_required

T = TypeVar("T")


def structure(value: Any, kind: type[T], where: str, *, texts: bool = False) -> T:
    """Turn a decoded YAML or JSON mapping into the dataclass `kind`.

    Values must have the right types already, unless they are all `texts`, as in a query. Unknown
    keys are refused: a misspelt option must not pass for its default. Raises `SettingsError`, in
    which `where` names the mapping.
    """
    if not isinstance(value, Mapping):
        keys = ", ".join(_needed_keys(kind)) or "settings"
        raise SettingsError(f"{where}: expected a mapping with {keys}, got {value!r:.200}")
    converter = _converter(texts)
    try:
        return converter.structure(value, kind)
    except Exception as error:  # noqa: BLE001 - cattrs wraps what a reader or a dataclass raises
        described = transform_error(error, format_exception=_describe)
        faults = [_with_key(fault) for fault in described]
        text = "; ".join(faults)
        raise SettingsError(f"{where}: {text}") from None


def yaml_key(key: str) -> dict[str, str]:
    """Return the metadata of a field whose YAML key is not a Python name, such as `query-type`."""
    return {"key": key}


def _needed_keys(kind: Any) -> Iterator[str]:
    for field in fields(kind):
        if is_required(field):
            yield _key(field)


def _key(field: Any) -> str:
    key = field.metadata.get("key", field.name)
    return str(key)


def _with_key(fault: str) -> str:
    """Put the path of a fault first; cattrs ends each with it, as `reason @ $.key`."""
    reason, _, path = fault.rpartition(" @ $")
    if not path:
        return reason
    key = path.lstrip(".")
    return f"{key}: {reason}"


def _describe(error: BaseException, expected: type | None) -> str:
    match error:
        case ForbiddenExtraKeysError():
            unknown = sorted(str(key) for key in error.extra_fields)
            known = [_key(field) for field in fields(error.cl)]
            return f"unknown: {', '.join(unknown)} (known: {', '.join(known)})"
        case AttributeError():
            return "expected a mapping"
        case TypeError():
            return f"expected a list, as {expected}"
        case CattrsError() | ValueError():
            return str(error).replace("not in literal typing.Literal", "is not one of ")
    return format_exception(error, expected)


@cache  # lives as long as the process
def _converter(texts: bool) -> Converter:
    converter = Converter(forbid_extra_keys=True)

    def structure_by_keys(kind: type[Any]) -> Any:
        renamed = {
            field.name: override(rename=_key(field))
            for field in fields(kind)
            if _key(field) != field.name
        }
        return make_dict_structure_fn(kind, converter, **renamed)  # type: ignore[arg-type]

    converter.register_structure_hook_factory(is_dataclass, structure_by_keys)
    readers = READERS if texts else YAML_READERS
    for kind, read in readers.items():
        converter.register_structure_hook(kind, partial(_read_untyped, read))
    # Without this, cattrs would take the enum, which is text too, for `str`.
    converter.register_structure_hook(StrEnum, _member)
    return converter


def _read_untyped(read: Callable[[Any], Any], value: Any, _kind: type) -> Any:
    """Call a reader as cattrs calls its hooks, which it also gives the type."""
    return read(value)


def _member(value: Any, kind: type[StrEnum]) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        choices = ", ".join(member.value for member in kind)
        raise ValueError(f"expected one of {choices}, got {value!r}") from None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"expected text, got {value!r}")


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"expected true or false, got {value!r}")


def _whole_number(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected a whole number, got {value!r}")


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ValueError(f"expected a number, got {value!r}")


def _duration(value: Any) -> timedelta:
    if isinstance(value, str):
        return duration(value)
    return duration(repr(value))  # which says what was expected


# How a value becomes one of each type, as YAML typed it: "5" in quotes is not a number, and true is
# not 1.
YAML_READERS: Mapping[type, Callable[[Any], Any]] = {
    str: _text,
    bool: _boolean,
    int: _whole_number,
    float: _number,
    timedelta: _duration,
}
