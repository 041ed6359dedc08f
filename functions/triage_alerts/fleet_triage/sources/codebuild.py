"""CodeBuild's builds.

Shape: AWS CodeBuild User Guide, "Build notifications input format reference"
(`sample-build-notifications-ref.html`).
"""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import items, text, texts
from fleet_triage.observing import console_link, observe, regional_subject, url_part

STATES = {
    "FAILED": Status.FAILING,
    "FAULT": Status.FAILING,
    "TIMED_OUT": Status.FAILING,
    "SUCCEEDED": Status.OK,
}
NO_NEWS = ("IN_PROGRESS", "STOPPED")


def build(event: Event) -> list[Observation] | None:
    """Read a `CodeBuild Build State Change`; the next build that succeeds resolves the project."""
    detail = event.detail
    project, state = text(detail, "project-name"), text(detail, "build-status")
    if state in NO_NEWS:
        return []
    if not project or state not in STATES:
        return None
    phases = items(detail, "additional-information", "phases")
    failed = [phase for phase in phases if text(phase, "phase-status") not in ("", "SUCCEEDED")]
    reasons = ", ".join(texts(failed, 0, "phase-context"))
    identity = text(detail, "build-id").split(":build/")[-1]
    page = (
        f"codesuite/codebuild/{url_part(event.account)}"
        f"/projects/{url_part(project)}/build/{url_part(identity)}"
    )
    return [
        observe(
            event,
            regional_subject(event, project),
            STATES[state],
            f"{project}: build {state.lower().replace('_', ' ')}",
            Severity.WARNING,
            detail={
                "phase": text(failed, 0, "phase-type"),
                "reason": reasons.strip(": "),
                "build": identity,
                "initiator": text(detail, "additional-information", "initiator"),
                "source version": text(detail, "additional-information", "source-version"),
                "account": event.account,
            },
            link=console_link(event.region, page),
            resources=[text(detail, "build-id"), *event.resources],
        )
    ]
