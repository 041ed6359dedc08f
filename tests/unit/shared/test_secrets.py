import io
import json

import pytest

from fleet import aws, secrets
from fleet.errors import Refused
from fleet.runtime.telemetry import logger

NAME = "/fleet/slack/token"


def keep(value: str) -> None:
    aws.client("ssm").put_parameter(Name=NAME, Type="SecureString", Value=value, Overwrite=True)


class Destination:
    """It takes one secret only, and remembers which ones it was offered."""

    def __init__(self, accepted: str) -> None:
        self.accepted = accepted
        self.offered: list[str] = []

    def __call__(self, secret: str) -> str:
        self.offered.append(secret)
        if secret != self.accepted:
            raise Refused(f"not accepted: {secret}")
        return "done"


@pytest.fixture(autouse=True)
def secret(moto: None) -> None:
    keep("old-token")


def test_a_secret_is_decrypted_and_fetched_once() -> None:
    destination = Destination("old-token")
    assert secrets.using(NAME, destination) == "done"
    keep("new-token")
    assert secrets.using(NAME, destination) == "done"
    assert destination.offered == ["old-token", "old-token"]


def test_a_rotated_secret_costs_one_refused_call() -> None:
    secrets.using(NAME, Destination("old-token"))
    keep("new-token")
    destination = Destination("new-token")
    assert [secrets.using(NAME, destination) for _ in range(2)] == ["done", "done"]
    assert destination.offered == ["old-token", "new-token", "new-token"]


def test_a_secret_refused_twice_is_refused() -> None:
    destination = Destination("another")
    with pytest.raises(Refused):
        secrets.using(NAME, destination)
    assert destination.offered == ["old-token", "old-token"]


def test_any_other_failure_is_not_tried_again() -> None:
    offered = []

    def fail(secret: str) -> None:
        offered.append(secret)
        raise TimeoutError

    with pytest.raises(TimeoutError):
        secrets.using(NAME, fail)
    assert offered == ["old-token"]


AWKWARD = [
    pytest.param("plain-text", id="plain"),
    pytest.param('quote"and\\slash', id="quote and backslash"),
    pytest.param("line\nbreak\ttab", id="line break"),
    pytest.param("passwörd🚀", id="not ASCII"),
    pytest.param('pässwörd"\n', id="not ASCII, with a quote"),
]


@pytest.mark.parametrize("ascii_only", [True, False], ids=["ASCII JSON", "UTF-8 JSON"])
@pytest.mark.parametrize("value", AWKWARD)
def test_every_secret_fetched_is_redacted_as_it_is_and_as_json_writes_it(
    value: str, ascii_only: bool
) -> None:
    keep(value)
    secrets.using(NAME, lambda _: None)
    written = json.dumps({"error": f"wrong: {value}"}, ensure_ascii=ascii_only)
    assert secrets.redact(f"wrong: {value}!") == "wrong: [secret]!"
    assert json.loads(secrets.redact(written)) == {"error": "wrong: [secret]"}
    assert value not in secrets.redact(f"{value!r}")
    assert repr(value)[1:-1] not in secrets.redact(f"{value!r}")


def test_a_word_too_short_for_a_secret_is_left_in_its_place() -> None:
    keep("on")
    secrets.using(NAME, lambda _: None)
    assert secrets.redact("reason: none") == "reason: none"


def test_a_secret_that_holds_another_is_redacted_whole() -> None:
    secrets._fetched.update({"token", "token-and-more"})
    assert secrets.redact("token-and-more token") == "[secret] [secret]"


def test_what_was_rotated_out_is_redacted_too() -> None:
    secrets.using(NAME, lambda _: None)
    keep("new-token")
    secrets.using(NAME, Destination("new-token"))
    assert secrets.redact("old-token new-token") == "[secret] [secret]"


def test_text_without_secrets_stays_as_it_is() -> None:
    assert secrets.redact("nothing fetched yet") == "nothing fetched yet"


@pytest.mark.parametrize("value", AWKWARD)
def test_no_secret_reaches_a_log_line(value: str, log: io.StringIO) -> None:
    keep(value)
    try:
        secrets.using(NAME, Destination("another"))
    except Refused:
        logger.exception("refused", answer={"body": f"wrong: {value}"})
    line = json.loads(log.getvalue())
    assert line["answer"] == {"body": "wrong: [secret]"}
    assert "not accepted: [secret]" in line["exception"]
    assert value not in log.getvalue()
