"""A reading, its words for pages and its JSON stand apart: imports point down only.

What makes JSON or words cannot read anything: whatever gives access to a reading stands above it.
"""

from collections.abc import Iterator

import pytest
from grimp import ImportGraph, build_graph

PACKAGE = "fleet_console"
# Modules of one layer do not import each other.
LAYERS = (
    {"api", "pages"},
    {"context", "inputs", "partial"},
    {"serialise", "views"},
    {"operations", "status"},
    {"reading"},
    {"catalogue", "paging", "security"},
    {"filters", "flash", "problems", "responses", "settings"},
)


def violations(graph: ImportGraph) -> Iterator[str]:
    """Yield each import that points up or aside, and each module that no layer has."""
    layer_of = {module: number for number, layer in enumerate(LAYERS) for module in layer}
    for module in sorted(graph.modules - {PACKAGE}):
        name = _part(module)
        if name not in layer_of:
            yield f"{name} is in no layer"
            continue
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            other = _part(imported)
            if other in layer_of and other != name and layer_of[other] <= layer_of[name]:
                yield f"{name} imports {other}"


def _part(module: str) -> str:
    """Return the part of the package that a module belongs to: `reading` for what is inside it."""
    return module.removeprefix(f"{PACKAGE}.").partition(".")[0]


@pytest.fixture
def graph() -> ImportGraph:
    return build_graph(PACKAGE, cache_dir=None)


def test_imports_point_down(graph: ImportGraph) -> None:
    assert list(violations(graph)) == []


@pytest.mark.parametrize(
    ("importer", "imported", "violation"),
    [
        ("pages", "api", "pages imports api"),
        ("serialise", "context", "serialise imports context"),
        ("views", "serialise", "views imports serialise"),
        ("reading.letters", "partial", "reading imports partial"),
    ],
)
def test_an_import_that_points_up_or_aside_is_found(
    graph: ImportGraph, importer: str, imported: str, violation: str
) -> None:
    graph.add_import(importer=f"{PACKAGE}.{importer}", imported=f"{PACKAGE}.{imported}")

    assert list(violations(graph)) == [violation]
