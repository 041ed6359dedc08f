"""Nothing is swallowed: an error is raised, goes into what is returned, or is let go for a reason that is written."""

import ast
from collections.abc import Iterator

import pytest
from tests.fleet.source import deployed, dotted, imported, reasons

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
BROAD = {"Exception", "BaseException"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def violations(text: str) -> list[str]:
    """Return where an error could vanish."""
    tree = ast.parse(text)
    why = reasons(text)
    documented = _documented(tree)
    found = [
        *of_handlers(tree, why, documented),
        *of_suppressions(tree, why),
        *of_partial_answers(tree),
    ]
    return [f"line {line}: {fault}" for line, fault in sorted(found)]


def of_handlers(
    tree: ast.AST, why: dict[int, str], documented: set[ast.AST]
) -> Iterator[tuple[int, str]]:
    for handler in ast.walk(tree):
        if not isinstance(handler, ast.ExceptHandler) or _raises(handler) or _passes_on(handler):
            continue
        if handler.type is None or BROAD & {
            node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)
        }:
            if not (_logs(handler) and (handler in documented or _explained(handler, why))):
                yield (
                    handler.lineno,
                    "any error vanishes here: catch the one that is meant, raise, or use the error",
                )
        elif not _explained(handler, why):
            caught = ast.unparse(handler.type)
            yield (
                handler.lineno,
                f"{caught} vanishes here: raise, use the error, or say in a comment why it may",
            )


def of_suppressions(tree: ast.AST, why: dict[int, str]) -> Iterator[tuple[int, str]]:
    names = imported(tree)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and dotted(node.func, names) == "contextlib.suppress"
            and node.lineno not in why
        ):
            yield node.lineno, "an error is suppressed here: say in a comment why it may vanish"
        if isinstance(node, ast.Try):
            jumps = (ast.Return, ast.Break, ast.Continue)
            if any(
                isinstance(inner, jumps)
                for statement in node.finalbody
                for inner in ast.walk(statement)
            ):
                yield (
                    node.finalbody[0].lineno,
                    "leaving `finally` early lets an error vanish: leave after it",
                )


def of_partial_answers(tree: ast.AST) -> Iterator[tuple[int, str]]:
    names = imported(tree)
    for function in ast.walk(tree):
        if not isinstance(function, FUNCTIONS):
            continue
        read = {node.value for node in ast.walk(function) if isinstance(node, ast.Constant)}
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Attribute)
                and (sign := PARTIAL.get(node.attr))
                and sign not in read
                and dotted(node, names) != "fleet.aws.put_events"  # which asks, and raises
            ):
                yield (
                    node.lineno,
                    f"{node.attr} succeeds in part and is not asked: look at its {sign!r}",
                )


def _raises(handler: ast.ExceptHandler) -> bool:
    """Whether every way through the handler ends in a raise."""
    return _ends_in_raise(handler.body)


def _ends_in_raise(body: list[ast.stmt]) -> bool:
    if any(
        isinstance(node, ast.Return | ast.Continue | ast.Break)
        for statement in body
        for node in ast.walk(statement)
    ):
        return False
    match body[-1]:
        case ast.Raise():
            return True
        case ast.If(body=then, orelse=[*otherwise]) if otherwise:
            return _ends_in_raise(then) and _ends_in_raise(otherwise)
        case ast.With(body=inner):
            return _ends_in_raise(inner)
    return False


def _passes_on(handler: ast.ExceptHandler) -> bool:
    """Whether the error itself is used for more than a log line."""
    logged = {inner for node in ast.walk(handler) if _is_log(node) for inner in ast.walk(node)}
    used = (
        node for node in ast.walk(handler) if isinstance(node, ast.Name) and node.id == handler.name
    )
    return any(node not in logged for node in used)


def _logs(handler: ast.ExceptHandler) -> bool:
    return any(
        _is_log(node)
        and isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr == "exception")
            or any(word.arg == "exc_info" for word in node.keywords)
        )
        for node in ast.walk(handler)
    )


def _is_log(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("logger.", "logging."))


def _explained(handler: ast.ExceptHandler, why: dict[int, str]) -> bool:
    """Whether a comment stands on the `except` line, or on the line above or below it."""
    return any(line in why for line in (handler.lineno - 1, handler.lineno, handler.lineno + 1))


def _documented(tree: ast.AST) -> set[ast.AST]:
    return {
        node
        for function in ast.walk(tree)
        if isinstance(function, FUNCTIONS) and ast.get_docstring(function)
        for node in ast.walk(function)
    }


@pytest.mark.parametrize("path", deployed())
def test_the_module_swallows_nothing(path: str) -> None:
    assert violations(deployed()[path]) == []


def attempt(handler: str, before: str = "") -> str:
    return f"def f():\n    try:\n        work(){before}\n{handler}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(attempt("    except:\n        pass"), "any error vanishes", id="bare"),
        pytest.param(
            attempt("    except Exception:\n        pass"), "any error vanishes", id="pass"
        ),
        pytest.param(
            attempt("    except Exception:  # it may well be so\n        pass"),
            "any error",
            id="broad, why",
        ),
        pytest.param(
            attempt("    except (KeyError, Exception):\n        return 1"),
            "any error vanishes",
            id="among",
        ),
        pytest.param(
            attempt("    except Exception:\n        logger.exception('x')"),
            "any error",
            id="only logged",
        ),
        pytest.param(
            attempt("    except Exception as error:\n        logger.error('x', error=error)"),
            "any error",
            id="in the log",
        ),
        pytest.param(
            attempt(
                "    except Exception:\n        logger.exception('x')\n        return {'statusCode': 500}"
            ),
            "any error vanishes",
            id="answered 500",
        ),
        pytest.param(
            attempt("    except KeyError:\n        pass"), "line 4: KeyError vanishes", id="narrow"
        ),
        pytest.param(
            attempt("    except KeyError:  # noqa: S110\n        pass"),
            "KeyError vanishes",
            id="noqa",
        ),
        pytest.param(
            attempt(
                "    except KeyError as error:\n        if error:\n            raise\n        return 1"
            ).replace("if error", "if fatal"),
            "KeyError vanishes",
            id="raised at times",
        ),
        pytest.param(
            "from contextlib import suppress\nwith suppress(KeyError):\n    f()",
            "is suppressed",
            id="suppress",
        ),
        pytest.param(
            attempt("    finally:\n        return 1"), "leaving `finally` early", id="finally"
        ),
        pytest.param(
            "def f(s3):\n    s3.delete_objects(Bucket='b')",
            "look at its 'Errors'",
            id="partial deletion",
        ),
        pytest.param(
            "def f(events):\n    events.put_events(Entries=[])['x']",
            "line 2: put_events",
            id="partial put",
        ),
    ],
)
def test_an_error_that_vanishes_is_named(text: str, said: str) -> None:
    assert said in "\n".join(violations(text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(attempt("    except KeyError:\n        raise"), id="raised"),
        pytest.param(
            attempt("    except Exception:\n        logger.exception('x')\n        raise"),
            id="logged, raised",
        ),
        pytest.param(
            attempt("    except KeyError as error:\n        failures.append(error)"), id="kept"
        ),
        pytest.param(
            attempt("    except KeyError as error:\n        yield Finding(str(error))"), id="found"
        ),
        pytest.param(
            attempt("    except KeyError:  # it is gone already\n        pass"), id="reason beside"
        ),
        pytest.param(
            attempt("    except KeyError:\n        # it is gone already\n        pass"),
            id="reason below",
        ),
        pytest.param(
            attempt(
                "    except Exception:  # the queue's own time-out does it\n        logger.exception('x')"
            ),
            id="why",
        ),
        pytest.param("def f(s3):\n    return s3.delete_objects()['Errors']", id="errors looked at"),
    ],
)
def test_an_error_that_goes_somewhere_is_not(text: str) -> None:
    assert violations(text) == []
