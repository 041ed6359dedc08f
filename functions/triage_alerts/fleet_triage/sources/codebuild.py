"""CodeBuild's builds."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, items, observe, text, texts, where

STATES = {
    "FAILED": Status.FAILING,
    "FAULT": Status.FAILING,
    "TIMED_OUT": Status.FAILING,
    "SUCCEEDED": Status.OK,
}
NO_NEWS = ("IN_PROGRESS", "STOPPED")


def build(event: Event) -> list[Observation] | None:
    """`CodeBuild Build State Change`; the next build that succeeds resolves the project."""
    detail = event.detail
    project, state = text(detail, "project-name"), text(detail, "build-status")
    if state in NO_NEWS:
        return []
    if not project or state not in STATES:
        return None
    phases = items(detail, "additional-information", "phases")
    broken = next(
        (phase for phase in phases if text(phase, "phase-status") not in ("", "SUCCEEDED")), None
    )
    identity = text(detail, "build-id").split(":build/")[-1]
    page = f"codesuite/codebuild/{escaped(event.account)}/projects/{escaped(project)}/build/{escaped(identity)}"
    return [
        observe(
            event,
            where(event, project),
            STATES[state],
            f"{project}: build {state.lower().replace('_', ' ')}",
            Severity.WARNING,
            detail={
                "phase": text(broken, "phase-type"),
                "reason": ", ".join(texts(broken, "phase-context")).strip(": "),
                "build": identity,
                "initiator": text(detail, "additional-information", "initiator"),
                "source version": text(detail, "additional-information", "source-version"),
                "account": event.account,
            },
            link=console(event.region, page),
            resources=[text(detail, "build-id"), *event.resources],
        )
    ]
