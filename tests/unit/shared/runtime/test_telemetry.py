import io
import json
import traceback
from typing import Any, NoReturn

import pytest
from tests.conftest import Context

from fleet import secrets
from fleet.errors import Refused
from fleet.runtime.telemetry import count, instrumented, job_name, logger
from fleet.settings import SettingsError


def figures(output: str) -> dict[str, Any]:
    """All metrics in CloudWatch's embedded format among the lines."""
    lines = [json.loads(line) for line in output.splitlines() if '"_aws"' in line]
    assert [m["Namespace"] for line in lines for m in line["_aws"]["CloudWatchMetrics"]] == [
        "Fleet"
    ] * len(lines)
    names = {
        m["Name"]
        for line in lines
        for group in line["_aws"]["CloudWatchMetrics"]
        for m in group["Metrics"]
    }
    return {name: value for line in lines for name, value in line.items() if name in names}


def test_a_job_is_called_as_the_template_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "prune_objects")
    assert job_name() == "prune_objects"


@pytest.mark.parametrize("name", ["POWERTOOLS_SERVICE_NAME", "STAGE"])
def test_what_the_template_should_have_said_is_named(
    name: str, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "prune_objects")
    monkeypatch.delenv(name)
    with pytest.raises(SettingsError, match=f"the environment has no {name}"):
        instrumented(lambda *_: job_name())({}, context)


def test_every_line_bears_the_invocations_id(context: Context, log: io.StringIO) -> None:
    instrumented(lambda event, _: logger.info("seen", thing=event["thing"]))({"thing": 7}, context)
    line = json.loads(log.getvalue())
    assert (line["level"], line["message"], line["thing"]) == ("INFO", "seen", 7)
    assert line["function_request_id"] == context.aws_request_id


def test_what_one_invocation_adds_to_the_log_is_not_in_the_next(
    context: Context, log: io.StringIO
) -> None:
    def handler(event: dict[str, str], _: object) -> None:
        logger.append_keys(**event)
        logger.info("seen")

    instrumented(handler)({"once": "x"}, context)
    instrumented(handler)({}, context)
    assert ["once" in json.loads(line) for line in log.getvalue().splitlines()] == [True, False]


def test_counts_of_an_invocation_add_up(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    def handler(*_: object) -> None:
        count(Done=1)
        count(Done=1, Parked=3)

    instrumented(handler)({}, context)
    counted = figures(capsys.readouterr().out)
    assert (counted["Done"], counted["Parked"]) == ([1.0, 1.0], [3.0])


def test_counts_are_written_when_the_handler_fails(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    def handler(*_: object) -> NoReturn:
        count(Retried=1)
        raise TimeoutError

    with pytest.raises(TimeoutError):
        instrumented(handler)({}, context)
    assert figures(capsys.readouterr().out)["Retried"] == [1.0]


def test_counts_tell_the_stages_of_an_account_apart(
    context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    instrumented(lambda *_: count(Done=1))({}, context)
    (line,) = (
        json.loads(line) for line in capsys.readouterr().out.splitlines() if '"Done"' in line
    )
    assert line["stage"] == "test"
    assert all("stage" in group for group in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"])


def test_the_handlers_answer_is_the_invocations(context: Context) -> None:
    assert instrumented(lambda *_: "answer")({}, context) == "answer"


def test_no_secret_is_logged_wherever_it_stands_in_the_line(log: io.StringIO) -> None:
    secrets._fetched.add('s3cr3t"token')
    error = ValueError('bad: s3cr3t"token')
    logger.error('refused s3cr3t"token', header={"authorization": 's3cr3t"token'}, exc_info=error)
    assert "s3cr3t" not in log.getvalue()
    assert json.loads(log.getvalue())["header"] == {"authorization": "[secret]"}


@pytest.mark.parametrize("kind", [ValueError, Refused, KeyError])
def test_no_secret_leaves_the_handler_in_an_error(kind: type[Exception], context: Context) -> None:
    secret = "-".join(["hunter2"] * 2)
    secrets._fetched.add(secret)

    def handler(event: str, _: object) -> NoReturn:
        raise kind(f"not accepted: {event}") from OSError(event)

    with pytest.raises(
        RuntimeError, match=rf"^{kind.__name__}: '?not accepted: \[secret\]'?$"
    ) as raised:
        instrumented(handler)(secret, context)
    assert secret not in "".join(traceback.format_exception(raised.value))


def test_no_secret_leaves_the_handler_as_json_writes_it(context: Context) -> None:
    secrets._fetched.add('hunter2"\\\n')

    def handler(event: str, _: object) -> NoReturn:
        raise ValueError(f"refused: {json.dumps({'token': event})}")

    with pytest.raises(RuntimeError) as raised:
        instrumented(handler)('hunter2"\\\n', context)
    assert str(raised.value) == 'ValueError: refused: {"token": "[secret]"}'


def test_any_other_error_leaves_the_handler_as_it_is(context: Context) -> None:
    secrets._fetched.add("s3cr3t")
    error, cause = ValueError("malformed"), KeyError("x")

    def handler(*_: object) -> NoReturn:
        raise error from cause

    with pytest.raises(ValueError, match="malformed") as raised:
        instrumented(handler)({}, context)
    assert raised.value is error
    assert raised.value.__cause__ is cause
