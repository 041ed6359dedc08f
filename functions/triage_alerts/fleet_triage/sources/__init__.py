"""Who can read what: EventBridge's events by source and detail type, and messages of topics by their shape.

How severe each is, unless it is well again:

| source | critical | warning | info |
|---|---|---|---|
| cloudwatch | ALARM, with `critical` in the alarm's name | ALARM | ALARM, with `info` in its name; INSUFFICIENT_DATA |
| guardduty | 7 and above (named Critical from 9) | 4 and above | below |
| guardduty, malware in S3 | threats found | not scanned (failed, no access) | unsupported |
| securityhub, inspector2, ecr | CRITICAL | HIGH, unknown, failed scans | MEDIUM and below |
| health | issues of the account; abuse, risk | public issues, changes, investigations, calls to act | other notices |
| codepipeline, codebuild | | failed | |
| ecs | service errors | tasks that ended badly, failed deployments, service warnings | |
| backup | | failed, aborted, expired, partial, completed with issues | |
| rds | failure, low storage | availability, failover, recovery, deletion | the rest |
| autoscaling | | launch or termination failed | |
| acm | 7 days and less, expired, revoked | 30 days and less, renewal needs somebody | more |
| ec2 | | spot interruption | stopped, terminated, rebalance |
| access_analyzer | public | reachable from outside or inside, not analyzed | unused |
| costs | | anomalies, budgets | |
| trusted_advisor | | ERROR | WARN |
| cloudformation | rollback failed | failed, rolled back, drifted | |
| config | | not compliant | |
| ses | | complaint, permanent bounce, reject, rendering failure | other bounces, delay |
| fleet | as its job reports | | |
| all else | | | shown as it came |

Each reader takes an event, and returns what it says: an empty list when that is no news, None when it cannot make it
out. Subjects of the same trouble are the same over SNS and over EventBridge.
"""

from collections.abc import Callable, Mapping
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

EVENTS: dict[tuple[str, str], Reader] = {
    ("aws.access-analyzer", "Access Analyzer Finding"): access_analyzer.finding,
    ("aws.access-analyzer", "Internal Access Finding"): access_analyzer.finding,
    ("aws.access-analyzer", "Unused Access Finding for IAM entities"): access_analyzer.finding,
    ("aws.acm", "ACM Certificate Approaching Expiration"): acm.expiring,
    ("aws.acm", "ACM Certificate Available"): acm.available,
    ("aws.acm", "ACM Certificate Expired"): acm.expired,
    ("aws.acm", "ACM Certificate Renewal Action Required"): acm.renewal_action,
    ("aws.acm", "ACM Certificate Revoked"): acm.expired,
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


def _has(*names: str) -> Callable[[Any], bool]:
    return lambda message: isinstance(message, Mapping) and all(name in message for name in names)


NOTIFICATIONS: tuple[tuple[str, Callable[[Any], bool], Reader], ...] = (
    ("aws.cloudwatch", _has("AlarmName", "NewStateValue"), cloudwatch.notification),
    ("aws.rds", _has("Event Source", "Event Message"), rds.notification),
    ("aws.ses", _has("notificationType", "mail"), ses.feedback),
    ("aws.ses", _has("eventType", "mail"), ses.feedback),
    ("aws.autoscaling", _has("Event", "AutoScalingGroupName"), autoscaling.notification),
    ("aws.config", _has("configRuleName", "newEvaluationResult"), config.compliance),
    ("aws.ce", _has("anomalyId", "impact"), costs.anomaly),
    ("aws.budgets", costs.is_budget, costs.budget),
)
