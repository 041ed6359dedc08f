"""AWS Config's rules, one resource at a time.

Shape: AWS Config Developer Guide, "Monitoring AWS Config with Amazon EventBridge"
(`monitor-config-with-cloudwatchevents.html`).
"""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import moment, text, value
from fleet_triage.observing import console_link, observe, url_part

STATES = {"NON_COMPLIANT": Status.FAILING, "COMPLIANT": Status.OK, "NOT_APPLICABLE": Status.OK}


def compliance(event: Event) -> list[Observation] | None:
    """Read a `Config Rules Compliance Change`, over EventBridge or from a topic.

    A resource that was deleted has no new result.
    """
    detail = event.detail
    rule = text(detail, "configRuleName")
    resource = text(detail, "resourceId")
    new = value(detail, "newEvaluationResult")
    state = "NOT_APPLICABLE" if new is None else text(new, "complianceType")
    if state == "INSUFFICIENT_DATA":
        return []
    if not rule or not resource or state not in STATES:
        return None
    account = text(detail, "awsAccountId") or event.account
    region = text(detail, "awsRegion") or event.region
    kind = text(detail, "resourceType") or text(
        new, "evaluationResultIdentifier", "evaluationResultQualifier", "resourceType"
    )
    verdict = "violates" if state == "NON_COMPLIANT" else "no longer violates"
    page = f"/rules/details?configRuleName={url_part(rule)}"
    return [
        observe(
            event,
            f"{account}/{region}/{rule}/{kind}/{resource}",
            STATES[state],
            f"{resource} {verdict} the rule {rule}",
            Severity.WARNING,
            detail={
                "reason": text(new, "annotation"),
                "resource": resource,
                "resource type": kind,
                "account": account,
            },
            link=console_link(region, "config/home", page),
            at=moment(new, "resultRecordedTime"),
            resources=[text(detail, "configRuleARN"), *event.resources],
        )
    ]
