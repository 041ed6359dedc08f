"""CodePipeline's executions, and where in a pipeline they failed.

Shapes: AWS CodePipeline User Guide, "Monitoring CodePipeline events"
(`detect-state-changes-cloudwatch-events.html`).
"""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import join, text
from fleet_triage.observing import console_link, observe, regional_subject, url_part

NO_NEWS = ("STARTED", "RESUMED", "STOPPING", "STOPPED", "CANCELED", "SUPERSEDED", "ABANDONED")


def execution(event: Event) -> list[Observation] | None:
    """Read the state of a pipeline, a stage or an action.

    A failure of any of the three is a failure of the pipeline, which is the subject; only the
    pipeline as a whole succeeds.
    """
    detail = event.detail
    pipeline, state = text(detail, "pipeline"), text(detail, "state")
    part = join(text(detail, "stage"), text(detail, "action"), by=" / ")
    if not pipeline or state not in ("FAILED", "SUCCEEDED", *NO_NEWS):
        return None
    if state in NO_NEWS or (part and state == "SUCCEEDED"):
        return []
    failed = state == "FAILED"
    outcome = f"failed in {part}" if part else state.lower()
    identity = text(detail, "execution-id")
    page = (
        f"codesuite/codepipeline/pipelines/{url_part(pipeline)}"
        f"/executions/{url_part(identity)}/timeline"
    )
    return [
        observe(
            event,
            regional_subject(event, pipeline),
            Status.FAILING if failed else Status.OK,
            f"{pipeline} {outcome}",
            Severity.WARNING,
            detail={
                "part": part,
                "reason": text(detail, "execution-result", "external-execution-summary"),
                "error": text(detail, "execution-result", "error-code"),
                "execution": identity,
                "account": event.account,
            },
            link=console_link(event.region, page),
        )
    ]
