"""The fleet's Python source, as the rules read it."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache

from tools.manifest import ROOT

CONSOLE = "console"  # the one application, which is no job
JOBS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))


@cache
def deployed() -> dict[str, str]:
    """Return the text of every module that is deployed, by its path."""
    paths = [*ROOT.glob("functions/**/*.py"), *ROOT.glob("shared/fleet/**/*.py")]
    return {str(path.relative_to(ROOT)): path.read_text() for path in sorted(paths)}


@cache
def job_source(job: str) -> str:
    """Return the text of a job."""
    return (ROOT / "functions" / job / "app.py").read_text()


def own_packages(job: str) -> frozenset[str]:
    """Return the names of the packages that only this job has."""
    return frozenset(path.parent.name for path in (ROOT / "functions" / job).glob("*/__init__.py"))


@cache
def job_modules(job: str) -> tuple[str, ...]:
    """Return the text of each module of a job: its app.py, and those of its package."""
    return tuple(path.read_text() for path in sorted((ROOT / "functions" / job).rglob("*.py")))


def reasons(text: str) -> dict[int, str]:
    """Return what the comments say, by line; marks for tools are no words."""
    comments = (
        token
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    )
    marks = re.compile(r"#|noqa(: ?[A-Z0-9, ]+)?|type: ignore(\[[a-z-]+\])?| - ")
    said = {token.start[0]: marks.sub(" ", token.string).strip() for token in comments}
    return {line: words for line, words in said.items() if len(words.split()) > 2}


def imported(tree: ast.AST) -> dict[str, str]:
    """Return what each imported name stands for: `client` for `boto3.client`."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package = alias.name.split(".")[0]
                names[alias.asname or package] = alias.name if alias.asname else package
        elif isinstance(node, ast.ImportFrom):
            names |= {
                alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names
            }
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Return the full name of an expression such as `aws.client`, or nothing."""
    match node:
        case ast.Name(id=name):
            return names.get(name, name)
        case ast.Attribute(value=value, attr=attribute) if owner := dotted(value, names):
            return f"{owner}.{attribute}"
    return ""


def modules(tree: ast.AST) -> Iterator[tuple[str, int, bool]]:
    """Yield each module that is imported, its line, and whether only type checkers see it."""
    unseen = {node for branch in ast.walk(tree) if _for_types(branch) for node in _body(branch)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, node in unseen) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ".", node.lineno, node in unseen


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is evaluated when the module is imported: of a function, its defaults alone."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            children: list[ast.AST] = [
                *node.decorator_list,
                *node.args.defaults,
                *filter(None, node.args.kw_defaults),
            ]
        case ast.Lambda():
            children = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        case ast.If() if _for_types(node):
            children = [*node.orelse]
        case _:
            children = [*ast.iter_child_nodes(node)]
    for child in children:
        yield child
        yield from at_import(child)


def _for_types(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def _body(branch: ast.AST) -> Iterator[ast.AST]:
    assert isinstance(branch, ast.If)
    for statement in branch.body:
        yield from ast.walk(statement)
