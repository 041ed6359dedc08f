"""The log of calls is read from a mark on, for the jobs that are asked about."""

from pathlib import Path

from tools.local.call_log import Call, CallLog, Decision


def test_calls_are_those_of_known_jobs_since_the_mark(tmp_path: Path) -> None:
    log = CallLog(tmp_path)
    log.add(Decision("ASIA1", "s3:ListBucket", "arn:aws:s3:::early", True))
    mark = log.mark()
    log.add(Decision("ASIA1", "s3:DeleteObject", "arn:aws:s3:::caches/x", False))
    log.add(Decision("ASIA2", "sqs:SendMessage", "arn:aws:sqs:::queue", True))

    calls = log.since(mark, {"ASIA1": "prune_objects"})

    assert calls == {Call("prune_objects", "s3:DeleteObject", "arn:aws:s3:::caches/x", False)}


def test_a_line_that_is_being_written_is_left_for_the_next_time(tmp_path: Path) -> None:
    log = CallLog(tmp_path)
    with log.file.open("a") as file:
        file.write('{"key": "ASIA1", "action"')

    assert log.since(0, {"ASIA1": "prune_objects"}) == set()
