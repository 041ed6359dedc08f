"""CodePipeline's executions, and where in a pipeline they failed."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, observe, text, where

STARTS = ("STARTED", "RESUMED", "STOPPING", "STOPPED", "CANCELED", "SUPERSEDED", "ABANDONED")


def execution(event: Event) -> list[Observation] | None:
    """The state of a pipeline, a stage or an action.

    A failure at any of the three is a failure of the pipeline, and its subject; only the pipeline as a whole succeeds.
    """
    detail = event.detail
    pipeline, state = text(detail, "pipeline"), text(detail, "state")
    part = " / ".join(filter(None, (text(detail, "stage"), text(detail, "action"))))
    if not pipeline or state not in ("FAILED", "SUCCEEDED", *STARTS):
        return None
    if state in STARTS or (part and state == "SUCCEEDED"):
        return []
    failed = state == "FAILED"
    identity = text(detail, "execution-id")
    page = f"codesuite/codepipeline/pipelines/{escaped(pipeline)}/executions/{escaped(identity)}/timeline"
    return [
        observe(
            event,
            where(event, pipeline),
            Status.FAILING if failed else Status.OK,
            f"{pipeline} failed{f' in {part}' if part else ''}"
            if failed
            else f"{pipeline} succeeded",
            Severity.WARNING,
            detail={
                "part": part,
                "reason": text(detail, "execution-result", "external-execution-summary"),
                "error": text(detail, "execution-result", "error-code"),
                "execution": identity,
                "account": event.account,
            },
            link=console(event.region, page),
        )
    ]
