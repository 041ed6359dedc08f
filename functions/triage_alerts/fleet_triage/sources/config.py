"""AWS Config's rules, one resource at a time."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import console, escaped, moment, observe, text, value

STATES = {"NON_COMPLIANT": Status.FAILING, "COMPLIANT": Status.OK, "NOT_APPLICABLE": Status.OK}


def compliance(event: Event) -> list[Observation] | None:
    """`Config Rules Compliance Change`, over EventBridge or to a topic; what was deleted has no new result."""
    detail = event.detail
    rule, resource = text(detail, "configRuleName"), text(detail, "resourceId")
    new = value(detail, "newEvaluationResult")
    state = text(new, "complianceType") or ("NOT_APPLICABLE" if new is None else "")
    if state == "INSUFFICIENT_DATA":
        return []
    if not rule or not resource or state not in STATES:
        return None
    account = text(detail, "awsAccountId") or event.account
    region = text(detail, "awsRegion") or event.region
    kind = text(detail, "resourceType") or text(
        new, "evaluationResultIdentifier", "evaluationResultQualifier", "resourceType"
    )
    return [
        observe(
            event,
            "/".join((account, region, rule, kind, resource)),
            STATES[state],
            f"{resource} {'breaks' if state == 'NON_COMPLIANT' else 'no longer breaks'} the rule {rule}",
            Severity.WARNING,
            detail={
                "reason": text(new, "annotation"),
                "resource": resource,
                "resource type": kind,
                "account": account,
            },
            link=console(region, "config/home", f"/rules/details?configRuleName={escaped(rule)}"),
            at=moment(new, "resultRecordedTime"),
            resources=[text(detail, "configRuleARN"), *event.resources],
        )
    ]
