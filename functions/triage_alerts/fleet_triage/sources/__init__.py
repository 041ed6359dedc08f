"""Readers: of EventBridge's events by source and detail type, of topics' messages by their shape.

To add an event, write a reader in the module of its service: it takes an `Event` and returns
observations, an empty list when the event is not news, or None if it is not shaped as documented.
Add its source and detail type to EVENTS here and to a rule of triage_alerts in template.yaml; what
a service sends to a topic goes into NOTIFICATIONS instead. Put real messages into
tests/events/alerts/<service>, and into `expected.txt` beside them what must be observed in each.

How severe each event is, unless the subject is well again:

| source | critical | warning | info |
|---|---|---|---|
| cloudwatch | ALARM, `critical` in name | ALARM | ALARM, `info` in name; INSUFFICIENT_DATA |
| guardduty | 7 and above (named Critical from 9) | 4 and above | below |
| guardduty, malware in S3 | threats found | not scanned | unsupported |
| securityhub, inspector2, ecr | CRITICAL | HIGH, unknown, failed scans | MEDIUM and below |
| health | issues of the account; abuse, risk | public issues, changes, required actions | other |
| codepipeline, codebuild | | failed | |
| ecs | service errors | tasks that ended badly, failed deployments, warnings | |
| backup | | failed, aborted, expired, partial, completed with issues | |
| rds | failure, low storage | availability, failover, recovery, deletion | the rest |
| autoscaling | | launch or termination failed | |
| acm | 7 days and less, expired, revoked | 30 days and less, renewal needs action | more |
| ec2 | | spot interruption | stopped, terminated, rebalance |
| access_analyzer | public | accessible from outside or inside, not analyzed | unused |
| costs | | anomalies, budgets | |
| trusted_advisor | | ERROR | WARN |
| cloudformation | rollback failed | failed, rolled back, drifted | |
| config | | not compliant | |
| ses | | complaint, permanent bounce, reject, rendering failure | other bounces, delay |
| fleet | as its job reports | | |
| all else | | | shown as it came |

The same problem has the same subject over SNS and over EventBridge.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.alerts import Observation
from fleet.events import Event
from fleet_triage.sources import (
    access_analyzer,
    acm,
    autoscaling,
    backup,
    cloudformation,
    cloudwatch,
    codebuild,
    codepipeline,
    config,
    costs,
    ec2,
    ecs,
    guardduty,
    health,
    images,
    jobs,
    rds,
    securityhub,
    ses,
    trusted_advisor,
)

Reader = Callable[[Event], list[Observation] | None]
"""Returns what an event says: an empty list when it is not news, None when it cannot be read."""

EVENTS: dict[tuple[str, str], Reader] = {
    ("aws.access-analyzer", "Access Analyzer Finding"): access_analyzer.finding,
    ("aws.access-analyzer", "Internal Access Finding"): access_analyzer.finding,
    ("aws.access-analyzer", "Unused Access Finding for IAM entities"): access_analyzer.finding,
    ("aws.acm", "ACM Certificate Approaching Expiration"): acm.expiring,
    ("aws.acm", "ACM Certificate Available"): acm.available,
    ("aws.acm", "ACM Certificate Expired"): acm.expired,
    ("aws.acm", "ACM Certificate Renewal Action Required"): acm.renewal_action,
    ("aws.acm", "ACM Certificate Revoked"): acm.revoked,
    ("aws.autoscaling", "EC2 Instance Launch Unsuccessful"): autoscaling.unsuccessful,
    ("aws.autoscaling", "EC2 Instance Terminate Unsuccessful"): autoscaling.unsuccessful,
    ("aws.backup", "Backup Job State Change"): backup.job,
    ("aws.backup", "Copy Job State Change"): backup.job,
    ("aws.backup", "Restore Job State Change"): backup.job,
    ("aws.ce", "Anomaly Detected"): costs.anomaly,
    ("aws.cloudformation", "CloudFormation Drift Detection Status Change"): cloudformation.drift,
    ("aws.cloudformation", "CloudFormation Stack Status Change"): cloudformation.stack_status,
    ("aws.cloudwatch", "CloudWatch Alarm State Change"): cloudwatch.state_change,
    ("aws.codebuild", "CodeBuild Build State Change"): codebuild.build,
    ("aws.codepipeline", "CodePipeline Action Execution State Change"): codepipeline.execution,
    ("aws.codepipeline", "CodePipeline Pipeline Execution State Change"): codepipeline.execution,
    ("aws.codepipeline", "CodePipeline Stage Execution State Change"): codepipeline.execution,
    ("aws.config", "Config Rules Compliance Change"): config.compliance,
    ("aws.ec2", "EC2 Instance Rebalance Recommendation"): ec2.rebalance,
    ("aws.ec2", "EC2 Instance State-change Notification"): ec2.state_change,
    ("aws.ec2", "EC2 Spot Instance Interruption Warning"): ec2.interruption,
    ("aws.ecr", "ECR Image Scan"): images.scan,
    ("aws.ecs", "ECS Deployment State Change"): ecs.deployment,
    ("aws.ecs", "ECS Service Action"): ecs.service_action,
    ("aws.ecs", "ECS Task State Change"): ecs.task,
    ("aws.guardduty", "GuardDuty Finding"): guardduty.finding,
    ("aws.guardduty", "GuardDuty Malware Protection Object Scan Result"): guardduty.object_scan,
    ("aws.health", "AWS Health Abuse Event"): health.health_event,
    ("aws.health", "AWS Health Event"): health.health_event,
    ("aws.inspector2", "Inspector2 Finding"): images.finding,
    ("aws.inspector2", "Inspector2 Scan"): images.scan,
    ("aws.rds", "*"): rds.database_event,
    ("aws.securityhub", "Security Hub Findings - Custom Action"): securityhub.findings,
    ("aws.securityhub", "Security Hub Findings - Imported"): securityhub.findings,
    ("aws.ses", "*"): ses.feedback,
    (
        "aws.trustedadvisor",
        "Trusted Advisor Check Item Refresh Notification",
    ): trusted_advisor.check_item,
    ("fleet", "Alert"): jobs.alert,
    ("fleet", "Job Report"): jobs.report,
    ("fleet", "Sweep"): jobs.sweep,
}


@dataclass(frozen=True, slots=True)
class Notification:
    """A message that a service sends to a topic, and that does not name the service."""

    source: str
    """The source of the observations."""
    recognises: Callable[[Any], bool]
    """Whether a message is one of these."""
    reader: Reader
    """Takes an event whose detail is the message; plain text is its member `text`."""


def has(*names: str) -> Callable[[Any], bool]:
    """Return a function that tests whether a message is an object with these members."""

    def recognises(message: Any) -> bool:
        return isinstance(message, Mapping) and message.keys() >= set(names)

    return recognises


# The first that recognises a message reads it.
NOTIFICATIONS = (
    Notification("aws.cloudwatch", has("AlarmName", "NewStateValue"), cloudwatch.notification),
    Notification("aws.rds", has("Event Source", "Event Message"), rds.notification),
    Notification("aws.ses", has("notificationType", "mail"), ses.feedback),
    Notification("aws.ses", has("eventType", "mail"), ses.feedback),
    Notification("aws.autoscaling", has("Event", "AutoScalingGroupName"), autoscaling.notification),
    Notification("aws.config", has("configRuleName", "newEvaluationResult"), config.compliance),
    Notification("aws.ce", has("anomalyId", "impact"), costs.anomaly),
    Notification("aws.budgets", costs.is_budget, costs.budget),
)
