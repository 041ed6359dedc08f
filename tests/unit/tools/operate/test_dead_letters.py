import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tools.errors import FleetError
from tools.operate import dead_letters as tool
from tools.operate import deployed
from tools.operate.deployed import Stack
from tools.sandbox import ACCOUNT, REGION

from fleet import aws
from fleet.dead_letters import Parked

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def queues(moto: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setattr("fleet.dead_letters.looking.POLL_SECONDS", 0)
    urls = {
        name: aws.client("sqs").create_queue(QueueName=name)["QueueUrl"]
        for name in ("dead", "f-start_pipeline")
    }
    monkeypatch.setattr(deployed, "enter", lambda _: Stack("f", {"DeadLettersUrl": urls["dead"]}))
    for number, reason in enumerate(["no pipeline 1", "no pipeline 2", "refused"]):
        seen = datetime.now(UTC) - timedelta(hours=number)
        source = f"arn:aws:sqs:{REGION}:{ACCOUNT}:f-start_pipeline"
        letter = Parked(
            f'{{"n": {number}}}',
            "start_pipeline",
            reason,
            "Permanent",
            1,
            seen,
            source,
            f"m{number}",
        )
        aws.client("sqs").send_message(
            QueueUrl=urls["dead"], MessageBody=letter.body, MessageAttributes=letter.attributes()
        )
    return urls


@pytest.fixture
def run(queues: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*words: str) -> tuple[int, str, str]:
        code = tool.main(words)
        return code, *capsys.readouterr()

    return call


def bodies(url: str) -> list[str]:
    answer = aws.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return sorted(message["Body"] for message in answer.get("Messages", []))


def test_it_lists_shows_and_redrives(
    run: Run, queues: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text, _ = run()
    assert code == 0
    assert "no pipeline 2" in text
    assert "2 h" in text
    code, text, _ = run("list", "--json")
    letters = {letter["reason"]: letter for letter in json.loads(text)["letters"]}
    assert (
        letters["no pipeline 1"]["cause"]
        == letters["no pipeline 2"]["cause"]
        != letters["refused"]["cause"]
    )

    refused = letters["refused"]
    code, text, _ = run("show", refused["id"][:8])
    assert (code, '"n": 2' in text, f"redrive --id {refused['id'][:8]}" in text) == (0, True, True)
    code, text, _ = run("show", refused["id"], "--json")
    assert json.loads(text) == refused | {"body": '{"n": 2}'}

    cause = letters["no pipeline 1"]["cause"]
    code, text, _ = run("redrive", "--cause", cause, "--dry-run")
    assert (code, text.splitlines()[-1], bodies(queues["f-start_pipeline"])) == (0, "2 would", [])
    code, text, _ = run("redrive", "--cause", cause, "--wait", "0s", "--json")
    assert [outcome["step"] for outcome in json.loads(text)["outcomes"]] == ["sent", "sent"]
    assert bodies(queues["f-start_pipeline"]) == ['{"n": 0}', '{"n": 1}']

    (tmp_path / "body.json").write_text('{"n": 22}')
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i s/2/23/ "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    assert tool.edited('{"n": 2}') == '{\n  "n": 23\n}\n'
    code, _, _ = run(
        "redrive", "--id", refused["id"], "--body", str(tmp_path / "body.json"), "--wait", "0s"
    )
    assert (code, bodies(queues["f-start_pipeline"])[-1], bodies(queues["dead"])) == (
        0,
        '{"n": 22}',
        [],
    )
    assert run()[1] == "there are no dead letters\n"


def test_a_discard_is_kept_in_the_log_of_the_fleet(run: Run, queues: dict[str, str]) -> None:
    aws.client("logs").create_log_group(logGroupName="/fleet/f")
    code, text, _ = run("discard", "--older-than", "90m", "--reason", "a test", "--author", "ada")
    assert (code, text.splitlines()[-1]) == (0, "1 discarded")
    events = aws.client("logs").get_log_events(logGroupName="/fleet/f", logStreamName="operators")[
        "events"
    ]
    (line,) = [json.loads(event["message"]) for event in events]
    assert (line["message"], line["why"], line["job"]) == ("discarded", "a test", "start_pipeline")
    assert line["author"].startswith("ada (arn:aws:sts:")
    assert len(bodies(queues["dead"])) == 2


def test_what_cannot_be_done_says_the_mend(run: Run, tmp_path: Path) -> None:
    for words, said in (
        (
            ("redrive",),
            "say which letters: --id, --job, --cause, --older-than or --younger-than, or --all",
        ),
        (("show", "zz"), "the id zz fits no dead letter: `make dead-letters` lists them"),
        (
            ("redrive", "--all", "--body", "x"),
            "--body and --edit are for one letter: name it with --id",
        ),
        (
            ("discard", "--all", "--reason", "x"),
            "ResourceNotFoundException: The specified log group does not exist",
        ),
    ):
        code, _, error = run(*words)
        assert (code, said in error, "Traceback" in error) == (1, True, False), error
    code, text, _ = run("redrive", "--job", "nosuch")
    assert (code, text) == (0, "no dead letter was selected\n")


@pytest.mark.parametrize("editor", ["true", "false", "nosuch-editor"])
def test_an_editor_that_changes_nothing_sends_nothing(
    editor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISUAL", editor)
    with pytest.raises(FleetError, match="nothing was sent"):
        tool.edited("text")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["redrive", "--older-than", "soon"], "expected a duration such as 12h or 30d, got 'soon'"),
        (["discard", "--all"], "--reason"),
        (["redrive", "--edit", "--body", "x"], "not allowed with argument"),
    ],
)
def test_a_wrong_command_line_is_refused(words: list[str], said: str, capsys: Any) -> None:
    with pytest.raises(SystemExit):
        tool.arguments(words)
    assert said in capsys.readouterr().err
