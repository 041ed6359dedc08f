"""The lists that people edit: YAML in SSM parameters, read as entries of a dataclass.

An entry that cannot be used is a fault that says why, and leaves the other entries usable.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

import yaml

from fleet import aws
from fleet.findings import Finding
from fleet.mappings import structure
from fleet.settings import SettingsError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of a list that cannot be used.

    `number` counts the entries from 1, through all parts of the list; 0 stands for what is written
    beside the list. `reason` says what is wrong, and `entry` is what was written.
    """

    number: int
    reason: str
    entry: Any


@dataclass(frozen=True, slots=True)
class Entries(Generic[T]):
    """A list as people wrote it: the entries that can be used, and the faults of the others."""

    usable: tuple[T, ...]
    faults: tuple[Fault, ...]


def fault_findings(faults: Iterable[Fault], parameter: str) -> Iterator[Finding]:
    """Yield one finding for each entry of the list in this SSM parameter that cannot be used."""
    for fault in faults:
        subject = f"entry {fault.number} of {parameter}"
        yield Finding(
            subject,
            title=f"{subject} cannot be used",
            detail={"reason": fault.reason},
        )


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

    It is cached for 300 seconds. An entry that is wrong becomes a fault and leaves the others
    usable, as does one whose `key` an earlier entry has. A list too long for a parameter (8 KB)
    goes on in `<parameter>-2` and so on, up to so many `parts`. In the place of a list may stand a
    mapping that has it `under` a key. Raises `SettingsError` when there is no such parameter (which
    `optional` takes for an empty list), or it is not a YAML list.
    """
    lists = []
    for part in range(1, parts + 1):
        name = parameter
        if part > 1:
            name = f"{parameter}-{part}"
        may_lack = optional or part > 1
        where = f"the SSM parameter {name}"
        text = _parameter_text(name, may_lack)
        if text is None:
            break
        try:
            lists.append(_parse(text, where, under))
        except SettingsError:  # somebody may have corrected it since it was cached
            text = _parameter_text(name, may_lack, fresh=True) or ""
            lists.append(_parse(text, where, under))
    return _read_entries(lists, kind, key)


def parse_entries(
    text: str,
    kind: type[T],
    where: str,
    key: Callable[[T], Hashable] | None = None,
    *,
    under: str = "",
) -> Entries[T]:
    """Read a text at hand as `entries` reads a parameter's; `where` names it in errors."""
    parsed = _parse(text, where, under)
    return _read_entries([parsed], kind, key)


def parameter_text(name: str) -> str:
    """Return the text of an SSM parameter, cached for 300 seconds. Raises `SettingsError`."""
    return _parameter_text(name, optional=False) or ""


def _parameter_text(name: str, optional: bool, *, fresh: bool = False) -> str | None:
    from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError

    try:
        return aws.read_parameter(name, fresh=fresh)
    except GetParameterError as error:
        if optional and "ParameterNotFound" in str(error):
            return None
        raise SettingsError(f"the SSM parameter {name} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class _List:
    """The entries of one text.

    `where` says where the text stands, `beside` names what stands beside the list.
    """

    where: str
    entries: tuple[Any, ...]
    beside: tuple[str, ...] = ()


class _Loader(yaml.SafeLoader):
    """Refuses a mapping that names a key twice, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        known: list[Any] = []
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node)
            if key in known:
                fault = f"{key!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, fault, node.start_mark)
            known.append(key)
        return super().construct_mapping(node, deep)


# Lives as long as the process: to parse a long list takes longer than all else.
@lru_cache(maxsize=64)
def _parse(text: str, where: str, under: str) -> _List:
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    # ValueError: a date such as 2026-13-01.
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SettingsError(f"{where} is not YAML: {error}") from None
    beside: list[str] = []
    if under and isinstance(document, dict) and under in document:
        listed = document.pop(under)
        beside = sorted(map(str, document))
        document = listed
    if not isinstance(document, list | None):
        kind = type(document).__name__
        raise SettingsError(f"{where} must be a YAML list, and is a {kind}: {document!r:.200}")
    return _List(where, tuple(document or ()), tuple(beside))


def _read_entries(
    lists: Sequence[_List],
    kind: type[T],
    key: Callable[[T], Hashable] | None,
) -> Entries[T]:
    usable: list[T] = []
    faults: list[Fault] = []
    numbers: dict[Hashable, int] = {}
    number = 0
    for part in lists:
        if part.beside:
            faults.append(_fault_beside(part))
        for written in part.entries:
            number += 1
            place = f"entry {number} of {part.where}"
            try:
                entry = structure(written, kind, place)
            except SettingsError as error:
                faults.append(Fault(number, str(error), written))
                continue
            identity = key(entry) if key else number
            earlier = numbers.setdefault(identity, number)
            if earlier == number:
                usable.append(entry)
            else:
                reason = f"{place} repeats entry {earlier}: {identity}"
                faults.append(Fault(number, reason, written))
    return Entries(tuple(usable), tuple(faults))


def _fault_beside(part: _List) -> Fault:
    names = ", ".join(part.beside)
    reason = f"{part.where}: {names} has no effect here: only the list counts"
    return Fault(0, reason, part.beside)
