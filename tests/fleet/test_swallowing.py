"""Nothing is swallowed: an error ends for a reason, beside what ruff holds (BLE, S110, TRY).

An `except` that neither raises nor uses its error, and a `suppress`, say in a comment why the error
may vanish; and what an operation that succeeds in part has refused is looked at.
"""

import ast
from collections.abc import Iterator

import pytest
from tests.fleet.source import deployed, reasons

# The answers of operations that succeed in part, and what says so.
PARTIAL = {
    "batch_get_item": "UnprocessedKeys",
    "batch_write_item": "UnprocessedItems",
    "change_message_visibility_batch": "Failed",
    "delete_message_batch": "Failed",
    "delete_objects": "Errors",
    "get_parameters": "InvalidParameters",
    "publish_batch": "Failed",
    "put_events": "Entries",
    "put_records": "FailedRecordCount",
    "send_message_batch": "Failed",
}
# The layer's own, which looks at the answer, and raises.
ASKING = "aws.put_events"


def violations(text: str) -> list[str]:
    """Return where an error could vanish."""
    why = reasons(text)
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler) and not _goes_somewhere(node):
            if not any(line in why for line in range(node.lineno - 1, node.lineno + 2)):
                found.append(
                    f"line {node.lineno}: an error vanishes: raise, use it, or say why it may"
                )
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            if node.lineno not in why:
                found.append(f"line {node.lineno}: an error is suppressed: say in a comment why")
        elif isinstance(node, ast.FunctionDef):
            found.extend(_unasked(node))
    return found


def _goes_somewhere(handler: ast.ExceptHandler) -> bool:
    """Whether the handler ends in a raise, or uses its error for more than a line of the log."""
    leaves = [node for node in ast.walk(handler) if isinstance(node, ast.Return | ast.Continue)]
    if isinstance(handler.body[-1], ast.Raise) and not leaves:
        return True
    logs = [node for node in ast.walk(handler) if isinstance(node, ast.Call) and _is_log(node)]
    logged = {inner for log in logs for inner in ast.walk(log)}
    names = [node for node in ast.walk(handler) if isinstance(node, ast.Name)]
    return any(name.id == handler.name and name not in logged for name in names)


def _is_log(call: ast.Call) -> bool:
    return ast.unparse(call.func).startswith("logger.")


def _unasked(function: ast.FunctionDef) -> Iterator[str]:
    """Yield each operation that succeeds in part, and whose answer nothing looks at."""
    looked_at = {node.value for node in ast.walk(function) if isinstance(node, ast.Constant)}
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and ast.unparse(node) != ASKING:
            sign = PARTIAL.get(node.attr)
            if sign and sign not in looked_at:
                yield f"line {node.lineno}: {node.attr} succeeds in part: look at its {sign!r}"


def test_nothing_is_swallowed() -> None:
    found = {path: violations(text) for path, text in deployed().items()}

    assert {path: faults for path, faults in found.items() if faults} == {}


TRY = "def f():\n    try:\n        work()\n    except KeyError"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{TRY}:\n        pass", "line 4: an error vanishes"),
        (f"{TRY}:  # noqa: S110\n        pass", "an error vanishes"),
        (f"{TRY} as error:\n        logger.error('x', error=error)", "an error vanishes"),
        (f"{TRY}:\n        if fatal:\n            return 1\n        raise", "an error vanishes"),
        ("with suppress(KeyError):\n    f()", "line 1: an error is suppressed"),
        ("def f(s3):\n    s3.delete_objects(Bucket='b')", "look at its 'Errors'"),
    ],
    ids=["narrow", "noqa", "only logged", "raised at times", "suppressed", "partial"],
)
def test_an_error_that_vanishes_is_named(text: str, message: str) -> None:
    assert message in "\n".join(violations(text))


@pytest.mark.parametrize(
    "text",
    [
        f"{TRY}:\n        raise",
        f"{TRY} as error:\n        failures.append(error)",
        f"{TRY}:  # it is gone already\n        pass",
        f"{TRY}:\n        # it is gone already\n        pass",
        "def f(s3):\n    return s3.delete_objects()['Errors']",
    ],
    ids=["raised", "kept", "reason beside", "reason below", "looked at"],
)
def test_an_error_that_goes_somewhere_is_not_named(text: str) -> None:
    assert violations(text) == []
