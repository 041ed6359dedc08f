"""However messages are repeated, reordered or cut short, each transition has its alert."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from moto import mock_aws
from tests.ledger_table import make_table
from tests.unit.shared.ledger.memory import Memory, Recording

from fleet.alerts import Alert, Observation, Status
from fleet.errors import Transient
from fleet.findings import Finding, Report, Severity
from fleet.ledger.mutes import Mute, Withheld
from fleet.ledger.rows import Row, State, findings_of
from fleet.ledger.storms import STORMS, Storm
from fleet.ledger.table import Ledger
from fleet_triage import protocol as triage
from fleet_triage.life import Rules
from fleet_triage.protocol import Triage

START = datetime(2026, 11, 21, 9, tzinfo=UTC)
SOON = START + timedelta(hours=2)
SUBJECTS = ("a", "b", "c")
Message = Observation | tuple[Report, str] | None


class Killed(BaseException):
    """The process died."""


class Process:
    """Triage that stops before each of its effects until it may go on or is killed."""

    def __init__(
        self,
        ledger: Ledger,
        publish: Callable[[Sequence[Alert]], None],
        rules: Rules,
        now: datetime,
    ) -> None:
        self.ledger, self.deliver = ledger, publish
        self.triage = Triage(self, self.publish, lambda _: "", rules, now)
        self.go, self.stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.kill = ""
        self.finished = self.done = False
        self.error: BaseException | None = None

    def start(self, message: Message) -> None:
        threading.Thread(target=self._run, args=(message,), daemon=True).start()
        self.stopped.acquire()

    def step(self, kill: str = "") -> None:
        self.kill = kill
        self.go.release()
        self.stopped.acquire()

    def run(self, steps: int = 1_000) -> int:
        """Go on for so many steps, or to the end; return how many there were."""
        for number in range(steps):
            if self.finished:
                return number
            self.step()
        return steps

    def _run(self, message: Message) -> None:
        try:
            attend(self.triage, message)
            self.done = True
        except (Killed, Transient):
            pass
        except BaseException as error:  # noqa: BLE001 - the test shows it
            self.error = error
        self.finished = True
        self.stopped.release()

    def _effect(self, act: Callable[[], Any]) -> Any:
        self.stopped.release()
        self.go.acquire()
        if self.kill == "before":
            raise Killed
        result = act()
        if self.kill == "after":
            raise Killed
        return result

    def get(self, *args: Any) -> Any:
        return self._effect(lambda: self.ledger.get(*args))

    def query(self, *args: Any) -> Any:
        return self._effect(lambda: self.ledger.query(*args))

    def due(self, *args: Any) -> Any:
        return self._effect(lambda: self.ledger.due(*args))

    def commit(self, *args: Any) -> None:
        self._effect(lambda: self.ledger.commit(*args))

    def publish(self, alerts: Sequence[Alert]) -> None:
        self._effect(lambda: self.deliver(alerts))


def attend(triage: Triage, message: Message) -> None:
    match message:
        case Observation():
            triage.observe(message)
        case (report, event_id):
            triage.report(report, event_id)
        case None:
            for key in triage.due():
                triage.attend(key)


severities = st.sampled_from([Severity.WARNING, Severity.CRITICAL])


@st.composite
def observations(draw: st.DrawFn) -> list[Message]:
    """A few observations of two subjects; one moment has one for each subject."""
    made = []
    for minute in range(draw(st.integers(1, 5))):
        for subject in draw(st.sets(st.sampled_from(SUBJECTS[:2]), min_size=1)):
            status = draw(st.sampled_from([Status.FAILING, Status.OK]))
            at = START + timedelta(minutes=10 * minute)
            made.append(
                Observation(
                    "aws.x",
                    subject,
                    status,
                    draw(severities),
                    f"{subject} fails",
                    at,
                    f"{subject}{minute}",
                )
            )
    return list(made)


@st.composite
def reports(draw: st.DrawFn) -> list[Message]:
    """A few runs of a job; each reports in one part, or in two that meet."""
    made: list[Message] = []
    for run in range(draw(st.integers(0, 4))):
        bounds: list[str | None] = [None, *draw(st.sampled_from([(), ("a",), ("b",)])), None]
        found = draw(st.sets(st.sampled_from(SUBJECTS)))
        for number, (after, through) in enumerate(pairwise(bounds)):
            covered = [
                s for s in sorted(found) if (after or "") < s and (through is None or s <= through)
            ]
            findings = tuple(
                Finding(subject, f"{subject} is wrong", draw(severities)) for subject in covered
            )
            report = Report("job", START + timedelta(minutes=10 * run), findings, after, through)
            made.append((report, f"run{run}part{number}"))
    return made


class Interleaved(RuleBasedStateMachine):
    """Processes that share a ledger and a bus."""

    ledger: Callable[[], Ledger] = Memory

    @initialize(
        seen=observations(),
        reported=reports(),
        storm_openings=st.sampled_from([1, 100]),
        flapping_changes=st.sampled_from([3, 100]),
        muted=st.sampled_from(["", "aws.x/a", "*"]),
    )
    def begin(
        self,
        seen: list[Message],
        reported: list[Message],
        storm_openings: int,
        flapping_changes: int,
        muted: str,
    ) -> None:
        self.messages: list[Message] = [*seen, *reported, None]
        self.attended = [False] * len(self.messages)
        self.life = Rules(storm_openings=storm_openings, flapping_changes=flapping_changes)
        self.recorded = Recording(self.ledger())
        if muted:
            self.recorded.commit([Mute("m", muted, "work", "me", START + timedelta(hours=1))])
        self.published: list[Alert] = []
        self.processes: list[tuple[int, Process]] = []

    @rule(data=st.data(), now=st.sampled_from([START, SOON]))
    @precondition(lambda self: len(self.processes) < 3)
    def deliver(self, data: st.DataObject, now: datetime) -> None:
        number = data.draw(st.integers(0, len(self.messages) - 1))
        process = Process(self.recorded, self.published.extend, self.life, now)
        process.start(self.messages[number])
        self.processes.append((number, process))

    @rule(data=st.data(), steps=st.integers(1, 6))
    @precondition(lambda self: self.processes)
    def proceed(self, data: st.DataObject, steps: int) -> None:
        number, process = data.draw(st.sampled_from(self.processes))
        for _ in range(steps):
            if not process.finished:
                process.step()
        self._settle(number, process)

    @rule(data=st.data(), kill=st.sampled_from(["before", "after"]))
    @precondition(lambda self: self.processes)
    def die(self, data: st.DataObject, kill: str) -> None:
        number, process = data.draw(st.sampled_from(self.processes))
        process.step(kill)
        self._settle(number, process)

    def _settle(self, number: int, process: Process) -> None:
        assert process.error is None, repr(process.error)
        if process.finished:
            self.processes.remove((number, process))
            self.attended[number] |= process.done

    def teardown(self) -> None:
        if not hasattr(self, "messages"):
            return
        for _, process in self.processes:
            while not process.finished:
                process.step("before")
        for number, message in enumerate(self.messages):
            if not self.attended[number]:
                attend(
                    Triage(self.recorded, self.published.extend, lambda _: "", self.life, SOON),
                    message,
                )
        for late in range(3):  # a storm takes two looks to end
            attend(
                Triage(
                    self.recorded,
                    self.published.extend,
                    lambda _: "",
                    self.life,
                    SOON + late * timedelta(hours=1),
                ),
                None,
            )
        self.check()

    def check(self) -> None:
        items = self.recorded.latest.values()
        withheld = {item.alert.id for item in items if isinstance(item, Withheld)}
        told = {alert.id for alert in self.published}
        assert all(self.recorded.owed.get(alert.id) == alert for alert in self.published), (
            "a transition is invented"
        )
        assert told | withheld == set(self.recorded.owed), "a transition is not told"
        for mute in (item for item in items if isinstance(item, Mute) and withheld):
            (end,) = {
                alert.id: alert for alert in self.published if alert.subject == f"mute/{mute.id}"
            }.values()
            assert f"withheld {len(withheld)} alerts" in end.title, (
                "the mute's end does not tell all"
            )
        assert not any(getattr(item, "owed", ()) for item in items), "a debt is left"
        for source, subject in {("aws.x", s) for s in SUBJECTS} | {("job", s) for s in SUBJECTS}:
            history = [failing for _, failing in sorted(self.history(source, subject))]
            row = self.recorded.latest.get((findings_of(source), f"{source}/{subject}"))
            is_open = isinstance(row, Row) and row.state is State.OPEN
            assert is_open == bool(history and history[-1]), "the ledger is not what was seen last"
            if isinstance(row, Row) and is_open and row.storm:
                storm = self.recorded.latest[STORMS, source]
                assert isinstance(storm, Storm), "what was folded has no storm"
                assert (storm.state, storm.episode) == (State.OPEN, row.storm), (
                    "what was folded has no storm"
                )
            risen = sum(
                now and not before for before, now in zip([False, *history], history, strict=False)
            )
            assert self.recorded.openings.get(f"{source}/{subject}", 0) <= risen, (
                "an opening is invented"
            )

    def history(self, source: str, subject: str) -> list[tuple[datetime, bool]]:
        """What the messages say of a subject: when, and whether it failed."""
        history = []
        for message in self.messages:
            match message:
                case Observation() if (message.source, message.subject) == (source, subject):
                    history.append((message.at, message.status is Status.FAILING))
                case (Report() as report, _) if (
                    report.job == source and (report.after or "") < subject
                ):
                    if report.through is None or subject <= report.through:
                        found = {finding.subject for finding in report.findings}
                        history.append((report.scheduled_at, subject in found))
        return history


@dataclass(frozen=True)
class Overtaking:
    """Messages before, one that is stopped on its way, and those that overtake it, with times."""

    messages: list[Message]
    before: list[tuple[int, datetime]]
    stopped: tuple[int, datetime]
    overtaking: list[tuple[int, datetime]]
    rules: Rules = field(default_factory=Rules)
    muted: str = ""

    def play(self, stop: int, kill: str, killed_at: int) -> tuple[int, int]:
        """Stop one after `stop` effects, and the last that overtakes it after `killed_at`; check.

        Return how many effects each had had by then.
        """
        machine = Interleaved()
        machine.messages, machine.attended = self.messages, [True] * len(self.messages)
        machine.life, machine.recorded = self.rules, Recording(Memory())
        machine.published, machine.processes = [], []
        if self.muted:
            machine.recorded.commit(
                [Mute("m", self.muted, "work", "me", START + timedelta(hours=1))]
            )

        def started(number: int, now: datetime) -> Process:
            process = Process(machine.recorded, machine.published.extend, self.rules, now)
            process.start(self.messages[number])
            return process

        for number, now in self.before:
            started(number, now).run()
        process = started(*self.stopped)
        steps = process.run(stop)
        for number, now in self.overtaking[:-1]:
            started(number, now).run()
        other = started(*self.overtaking[-1])
        others = other.run(killed_at)
        if not other.finished:
            other.step("before")
        while not process.finished:
            process.step(kill)
        for each, number in ((process, self.stopped[0]), (other, self.overtaking[-1][0])):
            assert each.error is None, repr(each.error)
            machine.attended[number] &= each.done
        machine.teardown()
        return steps, others


def failing(subject: str, minute: int, status: Status = Status.FAILING) -> Observation:
    at = START + timedelta(minutes=minute)
    return Observation(
        "aws.x", subject, status, Severity.WARNING, f"{subject} fails", at, f"{subject}{minute}"
    )


def report(minute: int, *subjects: str) -> tuple[Report, str]:
    findings = tuple(Finding(subject, f"{subject} is wrong") for subject in subjects)
    return Report("job", START + timedelta(minutes=minute), findings), f"e{minute}"


STORM: list[Message] = [
    failing("a", 0),
    failing("b", 0),
    failing("b", 40, Status.OK),
    failing("c", 50),
    None,
]


@pytest.mark.parametrize(
    "kill", ["", "before", "after"], ids=["goes on", "dies before an effect", "dies after it"]
)
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            Overtaking(
                [report(0, "a", "b"), report(10), report(20, "a", "b")],
                [(0, SOON)],
                (1, SOON),
                [(2, SOON)],
            ),
            id="a report by a newer one",
        ),
        pytest.param(
            Overtaking([failing("a", 0), failing("a", 10, Status.OK)], [], (0, SOON), [(1, SOON)]),
            id="failing by ok",
        ),
        pytest.param(
            Overtaking([failing("a", 0), None], [], (0, SOON), [(1, SOON)]),
            id="an observation by a sweep",
        ),
        pytest.param(
            Overtaking(
                STORM,
                [(0, START), (1, START), (2, SOON)],
                (3, SOON),
                [(4, SOON), (4, SOON)],
                Rules(storm_openings=1),
            ),
            id="folding by the end of the storm",
        ),
        pytest.param(
            Overtaking(
                STORM,
                [(0, START), (1, START), (2, SOON), (4, SOON)],
                (4, SOON),
                [(3, SOON)],
                Rules(storm_openings=1),
            ),
            id="the end of the storm by folding",
        ),
        pytest.param(
            Overtaking(
                [report(0), report(10, *"abcdefgh"), report(20, *"aeh")],
                [(0, START)],
                (1, START),
                [(2, SOON)],
                Rules(storm_openings=3),
            ),
            id="a storm of a report by the next report",
        ),
        pytest.param(
            Overtaking([failing("a", 0), None], [], (0, START), [(1, SOON)], muted="*"),
            id="withholding by the mute's end",
        ),
        pytest.param(
            Overtaking(
                [failing("a", 0), failing("b", 0), None],
                [(0, START)],
                (2, SOON),
                [(1, START)],
                muted="*",
            ),
            id="the mute's end by withholding",
        ),
    ],
)
def test_whoever_is_overtaken_at_whichever_step(case: Overtaking, kill: str) -> None:
    stop = killed_at = 0
    while True:
        stopped, killed = case.play(stop, kill, killed_at)
        if killed == killed_at:
            killed_at += 1
        elif stopped == stop:
            stop, killed_at = stop + 1, 0
        else:
            break
    assert stop > 3


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triage, "BACKOFF_SECONDS", 0)


def test_in_memory() -> None:
    run_state_machine_as_test(
        Interleaved,
        settings=settings(
            max_examples=60, stateful_step_count=60, suppress_health_check=list(HealthCheck)
        ),
    )


def test_in_dynamodb() -> None:
    class InDynamoDB(Interleaved):
        ledger = staticmethod(make_table)

    with mock_aws():
        run_state_machine_as_test(
            InDynamoDB,
            settings=settings(
                max_examples=8, stateful_step_count=40, suppress_health_check=list(HealthCheck)
            ),
        )
