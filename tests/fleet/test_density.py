"""Code is roomy: few syntax nodes a line, so that a stranger reads it once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.manifest import ROOT

# Syntax nodes for each line of code. Codebases that are held up as models have 3.3 to 7.7.
OF_JOBS, OF_OTHERS = 8.0, 8.5


def density(text: str) -> float:
    """Return the syntax nodes for each line of code, without docstrings and comments."""
    tree = ast.parse(text)
    left_out = docstring_lines(tree)
    lines = 0
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.strip()
        if code and not code.startswith("#") and number not in left_out:
            lines += 1
    return len(list(ast.walk(tree))) / max(lines, 1)


def docstring_lines(tree: ast.Module) -> set[int]:
    """Return the numbers of the lines of docstrings."""
    numbers = set[int]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())) as docstring, *_]:
                    last = docstring.end_lineno or docstring.lineno
                    numbers.update(range(docstring.lineno, last + 1))
    return numbers


def violations(path: str, text: str) -> Iterator[str]:
    """Yield that a module is too dense."""
    is_job = path.startswith("functions/") and path.endswith("/app.py")
    limit = OF_JOBS if is_job else OF_OTHERS
    nodes = density(text)
    # A few lines say nothing.
    if len(text.splitlines()) > 25 and round(nodes, 1) > limit:
        yield f"{path}: {nodes:.1f} syntax nodes a line, at most {limit}: put one idea on a line"


def code() -> Iterator[Path]:
    for folder in ("functions", "shared", "tools"):
        yield from (ROOT / folder).rglob("*.py")


def test_code_is_roomy() -> None:
    texts = {str(path.relative_to(ROOT)): path.read_text() for path in code()}

    found = [fault for path, text in sorted(texts.items()) for fault in violations(path, text)]

    assert found == []


@pytest.mark.parametrize(
    ("line", "nodes"),
    [("x = 1\n", 5.0), ('"""Not counted."""\n\n# Nor this.\nx = 1\n', 7.0)],
    ids=["code", "docstring"],
)
def test_nodes_are_counted_for_each_line_of_code(line: str, nodes: float) -> None:
    assert density(line) == nodes


def test_dense_code_is_named() -> None:
    dense = "x = {a: [b for b in c if b and b not in d] for a, c in e.items() if a or f(a)}\n" * 30

    assert [fault.split(":")[0] for fault in violations("tools/x.py", dense)] == ["tools/x.py"]
