"""Hostile JSON in each place of each job's event: every message is handled, or parked with a reason
that says why.
"""

import io
import json
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import pytest
from tests.conftest import Context
from tests.delivery.jobs import Job, batch, jobs
from tests.delivery.sinks import put, sinks
from tests.ledger_table import make_table
from tools.local import moto_codepipeline as codepipeline
from tools.local.destinations import PAGERDUTY, SLACK, WEBHOOK, Destinations

from fleet import aws
from fleet.dead_letters.letters import Letter, Route
from fleet.dead_letters.looking import DeadLetters, Sweep

JOBS = jobs()
EMBEDDED = "(the JSON in this text)"
Path = tuple[str | int, ...]

# As they stand in a document, since some of them no writer of JSON would write.
HOSTILE = {
    "a list, 100,000 deep": "[" * 100_000 + "]" * 100_000,
    "an object, 20,000 deep": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "a list, 900 deep": "[" * 900 + "]" * 900,
    "an object, 300 deep": '{"a":' * 300 + "1" + "}" * 300,
    "an integer of 5,000 digits": "9" * 5_000,
    "an integer of 4,000 digits": "-" + "9" * 4_000,
    "a number beyond all": "1e999",
    "no number": "NaN",
    "a lone surrogate": '"\\ud800"',
    "surrogates in the wrong order": '"\\udc00\\ud83d"',
    "control characters": '"\\u0000\\u0008\\u001b[31m\\u007f\\ufffe\\uffff"',
    "text that turns round": '"\\u202e\\u2066gnp.exe\\u2069\\u200d\\ufeff"',
    "500 accents": '"e' + "\\u0301" * 500 + '"',
    "900 KB": '"' + "x" * 900_000 + '"',
    "600 KB of emoji": '"' + "\N{PILE OF POO}" * 150_000 + '"',
    "null": "null",
    "true": "true",
    "a negative number": "-1",
    "nothing": '""',
    "an empty list": "[]",
    "an empty object": "{}",
    "a list of everything": '[null, true, 0, "", [], {"a": [null]}]',
}
DECIDED = ("DestinationGone", "NotAnEvent", "Permanent", "Refused", "SettingsError")
TWICE = "the same key twice"


def places(document: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the way to each value of a document, itself and the JSON inside its texts included."""
    yield path
    match document:
        case dict() | list():
            for key, inner in (
                document.items() if isinstance(document, dict) else enumerate(document)
            ):
                yield from places(inner, (*path, key))
        case str() if document[:1] in ("{", "["):
            yield from places(json.loads(document), (*path, EMBEDDED))


def replaced(document: Any, path: Path, raw: str) -> str:
    """Write a document with `raw` at the end of the path; for `TWICE`, with the key there written
    twice.
    """
    if not path:
        return raw if raw != TWICE else json.dumps(document)
    key, rest = path[0], path[1:]
    if key == EMBEDDED:
        return json.dumps(replaced(json.loads(document), rest, raw))
    if isinstance(document, list):
        return (
            "["
            + ", ".join(_inside(inner, n == key, rest, raw) for n, inner in enumerate(document))
            + "]"
        )
    members = [
        f"{json.dumps(name)}: {_inside(inner, name == key, rest, raw)}"
        for name, inner in document.items()
    ]
    if raw == TWICE and not rest:
        members.append(f"{json.dumps(key)}: 5")
    return "{" + ", ".join(members) + "}"


def _inside(inner: Any, meant: bool, rest: Path, raw: str) -> str:
    return replaced(inner, rest, raw) if meant else json.dumps(inner)


def mutations(document: Any, every: bool) -> Iterator[tuple[str, str]]:
    """Yield texts of the document with something hostile in it, and what: all of it at each place,
    or some in turn.
    """
    hostile = {**HOSTILE, TWICE: TWICE}
    in_turn = cycle(hostile.items())
    for path in places(document):
        for what, raw in hostile.items() if every else [next(in_turn), next(in_turn)]:
            yield f"{what} at {'/'.join(map(str, path)) or 'all'}", replaced(document, path, raw)


@pytest.fixture(autouse=True)
def _unshown(monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> None:
    """Keep from pytest what it could not show: log lines with halves of surrogate pairs."""
    monkeypatch.setattr("_pytest.logging.LogCaptureHandler.emit", lambda *_: None)


@pytest.fixture
def account(
    ledger: None, dead: DeadLetters, destinations: Destinations, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account of all jobs; each sink has somewhere to deliver, at any pace."""
    for name in (SLACK, PAGERDUTY, WEBHOOK):
        sink = sinks(destinations.url)[name]
        entry = {
            key: f"/{name}" if value == "/secret" else value for key, value in sink.entry.items()
        }
        put(f"/{sink.job}", json.dumps([entry]), "String")
        put(f"/{name}", sink.secret)
        monkeypatch.setattr(f"functions.{sink.job}.app.SPACING_SECONDS", 0.0, raising=False)
    codepipeline.install()
    codepipeline.add_pipeline("deploy-shop")
    put(
        "/start_pipeline",
        "[{repository: '*', pipeline: deploy-shop, variables: {TAG: $tag}}]",
        "String",
    )


@pytest.fixture
def dead(moto: None, monkeypatch: pytest.MonkeyPatch) -> DeadLetters:
    monkeypatch.setattr("fleet.dead_letters.looking.POLL_SECONDS", 0)
    return DeadLetters(
        aws.client("sqs"), aws.client("sqs").create_queue(QueueName="dead-letters")["QueueUrl"]
    )


@pytest.fixture
def ledger(moto: None) -> None:
    make_table("ledger")


@pytest.mark.parametrize("job", [job for job in JOBS if job.of_queue], ids=lambda job: job.name)
def test_a_hostile_message_is_handled_or_parked(
    job: Job,
    account: None,
    destinations: Destinations,
    dead: DeadLetters,
    at_length: bool,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[[str], None],
) -> None:
    """At its last attempt, so that whatever happens to it is final; a reason that is no decision is
    a fault here.
    """
    given = {"LEDGER_TABLE": "ledger", "DEAD_LETTERS_URL": dead.url}
    lists = {
        name: f"/{job.name}"
        for name in job.environment
        if name in ("ROUTES_PARAMETER", "ENDPOINTS_PARAMETER")
    }
    for name, value in {**job.environment, **lists, **given}.items():
        monkeypatch.setenv(name, value)
    hostile = list(mutations(job.body, every=at_length))
    unsaid, parked = [], 0
    for what, body in hostile:
        answer = job.handler(batch(job, body, attempts=5), Context())
        letters = drained(dead)
        parked += len(letters)
        if answer != {"batchItemFailures": []} or len(letters) > 1:
            unsaid.append(f"{what}: {answer}, {len(letters)} letters")
        unsaid += [f"{what}: {each.error_type}: {each.reason}" for each in letters if odd(each)]
    assert not unsaid, "\n".join(each[:260] for each in unsaid)
    figure(
        f"{job.name}: {len(hostile)} hostile messages, "
        f"{len(hostile) - parked} handled, {parked} parked"
    )


def drained(dead: DeadLetters) -> list[Letter]:
    letters = []
    for look, held in Sweep(dead):
        look.take(held)
        letters.append(held.letter)
    return letters


def odd(letter: Letter) -> bool:
    """Whether the letter lacks a decision: an error that nobody foresaw is tried five times, and
    says little.
    """
    return letter.route is not Route.JOB or letter.error_type not in DECIDED


@pytest.mark.parametrize("job", [job for job in JOBS if job.of_schedule], ids=lambda job: job.name)
def test_a_hostile_event_of_a_schedule_fails_and_says_why(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Python cannot decode never reaches a handler."""
    for name, value in job.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(aws, "client", lambda service: pytest.fail(f"{service} was called"))
    for what, text in mutations(job.event, every=True):
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if event in ({}, None, job.event):
            continue
        with pytest.raises(ValueError, match=r"expected|scheduled_at must be") as failure:
            job.handler(event, Context())
        assert len(str(failure.value)) < 1_000, what
