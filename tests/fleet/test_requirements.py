"""Environments are pinned by hashes, come from any index, and agree with what is deployed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.fleet.repository import files, text
from tools.manifest import ROOT

LOCKS = [*sorted(ROOT.glob("requirements/*.txt")), ROOT / "shared" / "requirements.txt"]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(\[[\w,-]+\])?==([^\s;\\]+)")
INDEXES = (
    "pypi" + ".org",
    "pythonhosted" + ".org",
)  # in two parts, so that this file is not found itself
OPTION = re.compile(
    r"(--(extra-)?index-url|--find-links|--trusted-host|(PIP|UV)_\w*(INDEX|FIND_LINKS)\w*)"
    r"[ =]+[\"']?[\w:/]"
)


def lock_violations(lock: str) -> Iterator[str]:
    """Yield each line of a lock file that pins nothing, or not by its hashes."""
    for requirement in _logical_lines(lock):
        name = re.split(r"[ =<>]", requirement)[0]
        if not PIN.match(requirement):
            yield f"{name}: is not pinned to a version: run `make lock`"
        elif "--hash=sha256:" not in requirement:
            yield f"{name}: has no hash: run `make lock`"
        if "://" in requirement or " @ " in requirement:
            yield f"{name}: names an address: let each machine's index answer"


def wanted_violations(wanted: str, lock: str) -> Iterator[str]:
    """Yield what an `.in` file asks for and its lock file lacks."""
    pinned = pins(lock)
    for line in wanted.splitlines():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if name and not line.startswith("-") and _normal(name[0]) not in pinned:
            yield f"{name[0]}: is asked for and not pinned: run `make lock`"


def index_violations(path: str, content: str, indexes: tuple[str, ...]) -> Iterator[str]:
    """Yield each line that ties the repository to one package index."""
    for number, line in enumerate(content.splitlines(), start=1):
        if OPTION.search(line) or any(index in line for index in indexes):
            yield f"{path}:{number}: names a package index: leave that to the machine's settings"


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package in a lock file."""
    found = (PIN.match(requirement) for requirement in _logical_lines(lock))
    return {_normal(pin[1]): pin[3] for pin in found if pin}


def indexes_here() -> tuple[str, ...]:
    """Return the well-known indexes, and those that this machine is set to."""
    settings = [
        value
        for name, value in os.environ.items()
        if re.match(r"(PIP|UV)_.*(INDEX|FIND_LINKS)", name)
    ]
    addresses = [urlsplit(address) for setting in settings for address in setting.split()]
    places = {address.hostname or address.path for address in addresses}
    return (*INDEXES, *sorted(place for place in places if "." in place or place.count("/") > 1))


def _logical_lines(lock: str) -> list[str]:
    joined = lock.replace("\\\n", " ")
    return [
        line.strip()
        for line in joined.splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_environment_is_pinned(lock: Path) -> None:
    assert list(lock_violations(lock.read_text())) == []
    assert list(wanted_violations(lock.with_suffix(".in").read_text(), lock.read_text())) == []


def test_every_environment_has_its_lock() -> None:
    wanted = {*ROOT.glob("requirements/*.in"), *ROOT.glob("shared/*.in")}

    assert wanted == {lock.with_suffix(".in") for lock in LOCKS}


def test_tests_run_on_the_versions_that_are_deployed() -> None:
    deployed = pins((ROOT / "shared" / "requirements.txt").read_text())
    tested = pins((ROOT / "requirements" / "dev.txt").read_text())

    assert {name: tested.get(name) for name in deployed} == deployed


def test_no_file_names_a_package_index() -> None:
    found = [
        index_violations(str(path.relative_to(ROOT)), text(path), indexes_here())
        for path in files()
    ]

    assert [violation for violations in found for violation in violations] == []


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        ("moto==5.2.5\n", "moto: has no hash"),
        ("moto>=5 --hash=sha256:00\n", "moto: is not pinned"),
        ("moto @ https://example.org/moto.whl --hash=sha256:00\n", "moto: names an address"),
        ("--index-url" + " https://example.org/simple\n", "--index-url: is not pinned"),
    ],
)
def test_a_loose_requirement_is_named(lock: str, said: str) -> None:
    assert said in "\n".join(lock_violations(lock))


def test_a_requirement_that_nobody_pinned_is_named() -> None:
    lock = "moto==5.2.5 \\\n    --hash=sha256:00\n"

    assert list(wanted_violations("moto[s3]\nrich\n-r other.in\n# why\n", lock)) == [
        "rich: is asked for and not pinned: run `make lock`"
    ]


@pytest.mark.parametrize(
    "line",
    [
        "pip install --index-url" + " https://example.org/simple",
        "UV_INDEX_URL" + "=https://example.org/simple",
        "see https://" + INDEXES[0] + "/project/moto",
        "--find-links" + " /srv/wheels",
        "mirror.example.com",
    ],
)
def test_a_package_index_is_named(line: str) -> None:
    assert list(index_violations("README.md", line, (*INDEXES, "mirror.example.com"))) == [
        "README.md:1: names a package index: leave that to the machine's settings"
    ]
