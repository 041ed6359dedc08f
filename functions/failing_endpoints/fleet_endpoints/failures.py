"""Why an endpoint fails, by what a probe of it learnt."""

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.probes.target import Phase, Unreachable
from fleet_endpoints.conditions import Evaluation
from fleet_endpoints.endpoints import Endpoint
from fleet_endpoints.facts import Facts
from fleet_endpoints.probe import ProbeResult

REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an endpoint fails: in which phase, what was got, and what was expected.

    `phase` is one of a probe (an exchange by the name of its protocol), or `condition`.
    """

    phase: str
    got: str
    expected: str


def find_failure(endpoint: Endpoint, result: ProbeResult) -> Failure | None:
    """Say why an endpoint fails; None if it does not.

    One that could not be reached fails, unless that is what it is about: a condition looks at
    [CONNECTED], and all of them hold.
    """
    failed = []
    for condition in endpoint.parsed_conditions:
        evaluation = condition.evaluate(result.facts)
        if not evaluation.holds:
            failed.append(evaluation)
    unreachable = result.unreachable
    if unreachable:
        was_tried = unreachable.__cause__ is not None  # not so if it may not be probed
        if was_tried and not failed and endpoint.looks_at("CONNECTED"):
            return None
        return _unreachable(endpoint, unreachable)
    if failed:
        return _failed_conditions(failed, result.facts)
    return None


def _unreachable(endpoint: Endpoint, unreachable: Unreachable) -> Failure:
    phase = unreachable.phase.value
    if unreachable.phase is Phase.EXCHANGE:
        phase = "http" if endpoint.kind == "https" else endpoint.kind
    return Failure(
        phase=phase,
        got=unreachable.reason,
        expected="; ".join(endpoint.conditions),
    )


def _failed_conditions(failed: Sequence[Evaluation], facts: Facts) -> Failure:
    values: dict[str, str] = {}
    for evaluation in failed:
        values.update(evaluation.got)
    described = [f"{name} is {value or 'empty'}" for name, value in values.items()]
    got = ", ".join(described) or "what can never hold"
    if facts.status in REDIRECTS:
        place = facts.location or "nowhere"
        got += f"; it redirects to {place}, which is not followed"
    conditions = [evaluation.condition for evaluation in failed]
    return Failure(
        phase="condition",
        got=got,
        expected="; ".join(conditions),
    )
