"""What a log line looks like to somebody who looks on."""

import json

from tools.local.logs import readable


def test_a_line_of_a_job_is_shown_without_what_every_line_has() -> None:
    line = {
        "timestamp": "2026-11-20T08:00:00Z",
        "level": "INFO",
        "service": "prune_objects",
        "message": "pruned",
        "objects": 25,
        "function_arn": "arn:aws:lambda:eu-west-1:123456789012:function:x",
    }
    shown = readable(json.dumps(line))
    assert shown == "2026-11-20T08:00:00Z INFO prune_objects pruned objects=25"


def test_any_other_line_is_shown_as_it_is() -> None:
    for line in ("Traceback (most recent call last):", "[1, 2]", '{"level": "INFO"}', "null"):
        assert readable(line) == line
