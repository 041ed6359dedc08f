"""Configuration: a few values from the environment, and the lists that people edit from YAML in SSM parameters.

Whatever is wrong is said in one message that names every fault, the value and what was expected.
"""

import os
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fleet import aws
from fleet.findings import Finding

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class SettingsError(ValueError):
    """What people wrote cannot be used; the message names every fault at once."""


def required(name: str) -> str:
    """Return an environment variable that every function of the fleet has. Raises `SettingsError`."""
    try:
        return os.environ[name]
    except KeyError:
        raise SettingsError(
            f"the environment has no {name}; template.yaml sets it for every function"
        ) from None


def load(settings: type[T], environment: Mapping[str, str] | None = None) -> T:
    """Read a dataclass from environment variables: the field `paused_hours` from `PAUSED_HOURS`.

    Fields are `str`, `int`, `float`, `bool` or `timedelta` (`90s`, `12h`, `30d`). Raises `SettingsError`.
    """
    environment = os.environ if environment is None else environment
    values = {
        f.name: environment[f.name.upper()]
        for f in fields(settings)  # type: ignore[arg-type]
        if f.name.upper() in environment
    }
    return _structured(_converter(_FROM_TEXT), values, settings, "the environment", str.upper)


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of a list that cannot be used: which one (counted from 1, through all parts), why, and what it says.

    Number 0 stands for what is written beside the list.
    """

    number: int
    reason: str
    entry: Any


@dataclass(frozen=True, slots=True)
class Entries(Generic[T]):
    """A list as people wrote it: what can be used, and what cannot."""

    usable: tuple[T, ...]
    faults: tuple[Fault, ...]


def unusable(faults: Iterable[Fault], parameter: str) -> Iterator[Finding]:
    """Yield one finding for each entry of a list that cannot be used."""
    for fault in faults:
        subject = f"entry {fault.number} of {parameter}"
        yield Finding(subject, f"{subject} cannot be used", detail={"reason": fault.reason})


def entries(  # noqa: PLR0913 - what a list can be like
    parameter: str,
    kind: type[T],
    key: Callable[[T], Hashable] | None = None,
    *,
    optional: bool = False,
    parts: int = 1,
    under: str = "",
) -> Entries[T]:
    """Read the SSM parameter of this name, a YAML list, as entries of the dataclass `kind`.

    It is cached for 300 seconds. An entry that is wrong becomes a fault and leaves the others usable, as does one
    whose `key` an earlier entry has. A list too long for a parameter (8 KB) goes on in `<parameter>-2` and so on, up
    to so many `parts`. In the place of a list may stand a mapping that has it `under` a key. Raises `SettingsError`
    when there is no such parameter (which `optional` takes for an empty list), or one is no YAML list.
    """
    listed = []
    for part in range(1, parts + 1):
        name = parameter if part == 1 else f"{parameter}-{part}"
        where, may_lack = f"the SSM parameter {name}", optional or part > 1
        if (text := _parameter(name, may_lack)) is None:
            break
        try:
            listed.append(_listed(text, where, under))
        except SettingsError:  # it may have been mended since it was cached
            listed.append(_listed(_parameter(name, may_lack, anew=True) or "", where, under))
    return _entries(listed, kind, key)


def parse_entries(
    text: str,
    kind: type[T],
    where: str,
    key: Callable[[T], Hashable] | None = None,
    *,
    under: str = "",
) -> Entries[T]:
    """Like `entries`, of a text at hand; `where` names it in errors."""
    return _entries([_listed(text, where, under)], kind, key)


@dataclass(frozen=True, slots=True)
class _Listed:
    """The entries of one text, and the names of what stands beside them."""

    where: str
    entries: tuple[Any, ...]
    beside: tuple[str, ...] = ()


@lru_cache(maxsize=64)  # for a long list this takes longer than all else
def _listed(text: str, where: str, under: str) -> _Listed:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a mapping that names a key twice, of which YAML would silently take the last."""

        def construct_mapping(
            self, node: yaml.MappingNode, deep: bool = False
        ) -> dict[Hashable, Any]:
            keys = [
                self.construct_object(key)
                for key, _ in node.value
                if key.tag != "tag:yaml.org,2002:merge"
            ]
            if repeated := [key for number, key in enumerate(keys) if key in keys[:number]]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{repeated[0]!r} stands twice", node.start_mark
                )
            return super().construct_mapping(node, deep)

    try:
        document = yaml.load(text, Loader)  # noqa: S506 - a SafeLoader
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
    ) as error:  # ValueError: a date such as 2026-13-01
        raise SettingsError(f"{where} is not YAML: {error}") from None
    beside: list[str] = []
    if under and isinstance(document, dict) and under in document:
        beside = sorted(str(name) for name in document if name != under)
        document = document[under]
    if not isinstance(document, list | None):
        raise SettingsError(
            f"{where} must be a YAML list, and is a {type(document).__name__}: {document!r:.200}"
        )
    return _Listed(where, tuple(document or ()), tuple(beside))


def _entries(
    listed: list[_Listed], kind: type[T], key: Callable[[T], Hashable] | None
) -> Entries[T]:
    usable: list[T] = []
    faults = [
        Fault(
            0,
            f"{each.where}: {', '.join(each.beside)} has no effect here: only the list counts",
            each.beside,
        )
        for each in listed
        if each.beside
    ]
    first: dict[Hashable, int] = {}
    for number, (where, entry) in enumerate(
        ((each.where, entry) for each in listed for entry in each.entries), start=1
    ):
        try:
            read = structure(entry, kind, f"entry {number} of {where}")
        except SettingsError as error:
            faults.append(Fault(number, str(error), entry))
            continue
        if key and (earlier := first.setdefault(key(read), number)) != number:
            faults.append(
                Fault(
                    number, f"entry {number} of {where} repeats entry {earlier}: {key(read)}", entry
                )
            )
        else:
            usable.append(read)
    return Entries(tuple(usable), tuple(faults))


def structure(value: Any, kind: type[T], where: str, *, texts: bool = False) -> T:
    """Make the dataclass `kind` of a decoded YAML or JSON mapping. Raises `SettingsError`; `where` names the mapping.

    Types must be right as they are, unless its values are all `texts`, as in a query. Unknown keys are refused: a
    misspelt option must not pass for its default.
    """
    return _structured(_converter(_FROM_TEXT if texts else _FROM_YAML), value, kind, where)


def within(name: str, value: Any, least: Any, most: Any) -> None:
    """Check a setting's range, in `__post_init__`. Raises `ValueError` that names it, its value and the range."""
    if not least <= value <= most:
        raise ValueError(f"{name} must be {least} to {most}, got {value}")


def written(key: str) -> dict[str, str]:
    """The metadata of a dataclass's field whose key in YAML is no Python name."""
    return {"key": key}


def parameter(name: str) -> str:
    """Return the text of an SSM parameter, cached for 300 seconds. Raises `SettingsError`."""
    return _parameter(name, optional=False) or ""


def _parameter(name: str, optional: bool, *, anew: bool = False) -> str | None:
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

    try:
        return aws.parameter(name, anew=anew)
    except GetParameterError as error:
        if optional and "ParameterNotFound" in str(error):
            return None
        raise SettingsError(f"the SSM parameter {name} cannot be read: {error}") from error


def duration(text: str) -> timedelta:
    """Read `90s`, `15m`, `12h`, `30d` or `2w`."""
    if not (match := re.fullmatch(r"(\d{1,6})\s*([smhdw])", text)):
        raise ValueError(f"expected a duration such as 12h or 30d, got {text!r}")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


def _boolean(text: str) -> bool:
    known = {"true": True, "false": False}
    if text.lower() not in known:
        raise ValueError(f"expected true or false, got {text!r}")
    return known[text.lower()]


def _number(kind: type[int] | type[float], words: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"expected {words}, got {text!r}") from None

    return read


def _only(kind: type, words: str) -> Callable[[Any], Any]:
    """Take a value as YAML typed it: `"5"` is no number, and `true` is no 1."""

    def read(value: Any) -> Any:
        if type(value) is kind or (kind is float and type(value) is int):
            return value
        raise ValueError(f"expected {words}, got {value!r}")

    return read


def _yaml_duration(value: Any) -> timedelta:
    return duration(value if isinstance(value, str) else repr(value))


_FROM_TEXT: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str),
    (bool, _boolean),
    (int, _number(int, "a whole number")),
    (float, _number(float, "a number")),
    (timedelta, duration),
)
_FROM_YAML: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, _only(str, "text")),
    (bool, _only(bool, "true or false")),
    (int, _only(int, "a whole number")),
    (float, _only(float, "a number")),
    (timedelta, _yaml_duration),
)


@cache
def _converter(readers: tuple[tuple[type, Callable[[Any], Any]], ...]) -> "Converter":
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, override

    converter = Converter(forbid_extra_keys=True)

    def renamed(kind: type[Any]) -> Any:
        keys = {
            each.name: override(rename=each.metadata["key"])
            for each in fields(kind)
            if "key" in each.metadata
        }
        return make_dict_structure_fn(kind, converter, **keys)  # type: ignore[arg-type]

    converter.register_structure_hook_factory(is_dataclass, renamed)
    for kind, read in readers:
        converter.register_structure_hook(kind, partial(_without_type, read))
    converter.register_structure_hook(StrEnum, _member)  # which would pass for any other text
    return converter


def _member(value: Any, kind: type[StrEnum]) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(
            f"expected one of {', '.join(str(each.value) for each in kind)}, got {value!r}"
        ) from None


def _without_type(read: Callable[[Any], Any], value: Any, _kind: type) -> Any:
    return read(value)


def _structured(
    converter: "Converter", value: Any, kind: type[T], where: str, name: Callable[[str], str] = str
) -> T:
    from cattrs import transform_error
    from cattrs.errors import CattrsError, ForbiddenExtraKeysError
    from cattrs.v import format_exception

    def described(error: BaseException, expected: type | None) -> str:
        match error:
            case ForbiddenExtraKeysError():
                known = ", ".join(
                    name(each.metadata.get("key", each.name)) for each in fields(error.cl)
                )
                return (
                    f"unknown: {', '.join(sorted(map(str, error.extra_fields)))} (known: {known})"
                )
            case AttributeError():
                return "expected a mapping"
            case TypeError():
                return f"expected a list, as {expected}"
            case CattrsError() | ValueError():
                return str(error).replace("not in literal typing.Literal", "is none of ")
        return format_exception(error, expected)

    if not isinstance(value, Mapping):
        required = [
            f.name
            for f in fields(kind)  # type: ignore[arg-type]
            if f.default is MISSING and f.default_factory is MISSING
        ]
        raise SettingsError(
            f"{where}: expected a mapping with {', '.join(required) or 'settings'}, got {value!r:.200}"
        )
    try:
        return converter.structure(value, kind)
    except Exception as error:  # noqa: BLE001 - cattrs wraps whatever a reader or a dataclass raises
        faults = []
        for fault in transform_error(error, format_exception=described):
            reason, _, path = fault.rpartition(" @ $")
            faults.append(f"{name(path.lstrip('.'))}: {reason}" if path else reason)
        raise SettingsError(f"{where}: {'; '.join(faults)}") from None
