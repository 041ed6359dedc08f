"""Whatever a handler is given, and whatever becomes of its calls, its answer is one that its
trigger takes.

Lambda takes a batch for done when a partial batch response names no failure, and for failed as a
whole when it names a message that was not in the batch, or none by an empty name (Lambda Developer
Guide, "Handling errors for an SQS event source"): the first loses messages, the second repeats what
was done.
"""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.conftest import Context
from tests.delivery.jobs import Job, batch, jobs

from fleet import aws, http
from fleet.errors import Permanent, Transient
from fleet.runtime.telemetry import metrics

JOBS = jobs()
OUTCOMES: list[Any] = [
    {},
    {"Entries": []},
    ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "Anything"),
    ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Anything"),
    EndpointConnectionError(endpoint_url="https://example.com"),
    TimeoutError("timed out"),
    RecursionError("too deep"),
    MemoryError(),
    Permanent("never"),
    Transient("later", retry_after=1e9),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
]
SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text()
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


class Account:
    """Clients of which each call ends as it happens to."""

    def __init__(self, outcomes: st.DataObject) -> None:
        """Take the outcomes from Hypothesis."""
        self.call = lambda *_, **__: self._end(outcomes.draw(st.sampled_from(OUTCOMES)))

    @staticmethod
    def _end(outcome: Any) -> Any:
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def __getattr__(self, name: str) -> Any:
        return Errors() if name == "exceptions" else self.call


class Errors:
    """A client's exceptions."""

    def __getattr__(self, name: str) -> type[Exception]:
        return type(name, (ClientError,), {})


def bodies(job: Job) -> st.SearchStrategy[str]:
    """Return bodies of messages: texts, documents, and the job's own event with something else in
    it.
    """
    own = job.body
    changed = st.dictionaries(st.sampled_from([*own, "Records"]), DOCUMENTS, max_size=2).map(
        lambda change: own | change
    )
    detail = DOCUMENTS.map(lambda document: {**own, "detail": document})
    return st.text() | (DOCUMENTS | changed | detail | st.just(own)).map(json.dumps)


def violations(answer: Any, given_ids: list[str]) -> list[str]:
    """Return what Lambda would not take in a partial batch response."""
    if not isinstance(answer, dict) or list(answer) != ["batchItemFailures"]:
        return [f"it is no partial batch response: {answer!r}"]
    named = [failure.get("itemIdentifier") for failure in answer["batchItemFailures"]]
    found = [f"{name!r} is no message of the batch" for name in named if name not in given_ids]
    found += [
        f"{failure} has other members"
        for failure in answer["batchItemFailures"]
        if len(failure) != 1
    ]
    return found + ([] if len(set(named)) == len(named) else ["a message is named twice"])


@pytest.fixture(autouse=True)
def _unshown(monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> None:
    """Keep from pytest what it could not show: log lines with halves of surrogate pairs."""
    monkeypatch.setattr("_pytest.logging.LogCaptureHandler.emit", lambda *_: None)


@pytest.fixture(autouse=True)
def _cleared() -> Iterator[None]:
    """Hypothesis ends some examples in the middle of a handler, which then clears nothing."""
    yield
    metrics.clear_metrics()


@pytest.fixture
def job(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Job:
    """The job, in its environment."""
    found: Job = request.param
    for name, value in found.environment.items():
        monkeypatch.setenv(name, value)
    return found


def examples(at_length: bool) -> Callable[[Any], Any]:
    # Without shrinking, which takes minutes: the first example that fails says enough.
    phases = [Phase.explicit, Phase.generate]
    health = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=100 if at_length else 15, suppress_health_check=health, phases=phases
    )


@pytest.mark.parametrize(
    "job", [job for job in JOBS if job.of_queue], ids=lambda job: job.name, indirect=True
)
def test_a_batch_is_answered_for_each_message(
    job: Job, at_length: bool, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    messages = 0

    @examples(at_length)
    @given(st.lists(bodies(job), min_size=1, max_size=10), st.data())
    def answered(texts: list[str], data: st.DataObject) -> None:
        nonlocal messages
        account = Account(data)
        monkeypatch.setattr(aws, "client", lambda _: account)
        monkeypatch.setattr(http, "post", account.call)
        aws._parameters.cache_clear()
        attempts = data.draw(st.lists(st.integers(1, 6), min_size=len(texts), max_size=len(texts)))
        context = Context(remaining_ms=data.draw(st.sampled_from([0, 2_900, 60_000])))
        answer = job.handler(batch(job, *texts, attempts=attempts), context)
        assert (
            violations(
                json.loads(json.dumps(answer)), [f"m{number}" for number in range(len(texts))]
            )
            == []
        )
        messages += len(texts)

    answered()
    figure(f"{job.name}: {messages} messages in batches, each batch with a valid answer")


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name, indirect=True)
def test_what_is_no_event_of_its_trigger_fails_and_is_not_taken_for_done(
    job: Job, at_length: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invocation that fails is tried again, and kept by its trigger."""

    @examples(at_length)
    @given(
        DOCUMENTS.filter(lambda document: document not in ({}, None))
        | st.just({"Records": [{"messageId": "m1"}]})
    )
    def failed(document: Any) -> None:
        monkeypatch.setattr(aws, "client", lambda service: pytest.fail(f"{service} was called"))
        with pytest.raises(ValueError, match="expected"):
            job.handler(document, Context())

    failed()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"batchItemFailures": [{"itemIdentifier": ""}]},
        {"batchItemFailures": [{"itemIdentifier": None}]},
        {"batchItemFailures": [{"itemIdentifier": "m7"}]},
        {"batchItemFailures": [{"identifier": "m0"}]},
        {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m0"}]},
        {"batchItemFailures": [], "done": 3},
    ],
)
def test_a_malformed_answer_is_found(answer: Any) -> None:
    assert violations(answer, ["m0"]) != []
