"""Nothing is lost on its way: whatever fails ends in `DeadLetters`."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from tests.fleet.template import (
    REMOVED,
    Properties,
    Template,
    covers,
    events,
    functions,
    grants,
    listed,
    named,
    real,
    resources,
    seeded,
    statements,
    text,
)
from tools.manifest import snake_case

from fleet import aws
from fleet.dead_letters import MAX_RECEIVES
from fleet.runtime.queued import RESERVE_SECONDS
from fleet.runtime.scheduled import SCHEDULED_TIME
from fleet_console import operations, pages
from fleet_console.reading import letters

DEAD_LETTERS = "DeadLetters"
# How long a single call of AWS may take: its attempts, as fleet.aws makes every client.
LONGEST_CALL_SECONDS = 3 * (2 + 10)
# All was hidden at first, so that it begins again; then both watches, each with a look.
LONGEST_REDRIVE_SECONDS = (
    2 * operations.ACTING_SECONDS
    + pages.LOOK_PASSES_SECONDS
    + 2 * (operations.CANARY_SECONDS + letters.LOOK_SECONDS)
)
FOURTEEN_DAYS = 14 * 24 * 3600
LAMBDAS_TIMEOUT = 3
RULES = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/"
# AWS tries asynchronous invocations twice more at most; fewer attempts elsewhere give up on what
# soon passes.
ASYNC_RETRIES = 2
FEWEST_RETRIES, SHORTEST_AGE_SECONDS = 3, 300
SENDERS = {"AWS::Events::Rule": "events.amazonaws.com", "AWS::SNS::Topic": "sns.amazonaws.com"}


def violations(template: Template) -> list[str]:
    """Return what could lose an event."""
    rules = (
        of_dead_letters,
        of_queues,
        of_events,
        of_rules,
        of_schedules,
        of_operators,
        of_functions,
        of_subscriptions,
        of_policies,
    )
    return [violation for rule in rules for violation in rule(template)]


def of_dead_letters(template: Template) -> Iterator[str]:
    queue = template["Resources"][DEAD_LETTERS]
    if (
        queue.get("DeletionPolicy") != "RetainExceptOnCreate"
    ):  # Retain would keep a first deployment from a second try
        yield (
            f"{DEAD_LETTERS}: goes with the stack, or outlives its failed creation: set "
            "RetainExceptOnCreate"
        )
    if queue.get("UpdateReplacePolicy") != "Retain":
        yield f"{DEAD_LETTERS}: goes when it is replaced: set UpdateReplacePolicy to Retain"


def of_queues(template: Template) -> Iterator[str]:
    for name, queue in resources(template, "AWS::SQS::Queue"):
        if not (queue.get("SqsManagedSseEnabled") is True or queue.get("KmsMasterKeyId")):
            yield f"{name}: is not encrypted: set SqsManagedSseEnabled: true"
        if queue.get("MessageRetentionPeriod") != FOURTEEN_DAYS:
            yield (
                f"{name}: keeps messages for less than 14 days: set MessageRetentionPeriod "
                f"{FOURTEEN_DAYS}"
            )
        if name == DEAD_LETTERS:
            continue
        if not _dead_lettered(queue.get("RedrivePolicy", {}), "deadLetterTargetArn"):
            yield (
                f"{name}: does not end in {DEAD_LETTERS}: give its RedrivePolicy that "
                "deadLetterTargetArn"
            )
        if queue.get("RedrivePolicy", {}).get("maxReceiveCount") != MAX_RECEIVES:
            yield (
                f"{name}: the runtime parks at receive {MAX_RECEIVES}: set maxReceiveCount to "
                f"{MAX_RECEIVES}"
            )
        yield from _read(template, name, queue)


def _read(template: Template, name: str, queue: Properties) -> Iterator[str]:
    job = name.removesuffix("Queue")
    readers = [
        (reader, function.get("Timeout", LAMBDAS_TIMEOUT), event)
        for reader, function in functions(template)
        for event in events(function, "SQS")
        if named(event["Queue"]) == name
    ]
    if [reader for reader, _, _ in readers] != [job]:
        found = ", ".join(reader for reader, _, _ in readers) or "no job"
        yield (
            f"{name}: is read by {found}: the queue <Job>Queue is read by its <Job>, and by no "
            "other"
        )
    for reader, timeout, event in readers:
        if queue.get("VisibilityTimeout", 30) < 6 * timeout:
            yield (
                f"{name}: a message at work would reappear: set VisibilityTimeout to "
                f"{6 * timeout} or more"
            )
        if event.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield (
                f"{reader}: one failure repeats the whole batch: set FunctionResponseTypes: "
                "[ReportBatchItemFailures]"
            )
        if not event.get("ScalingConfig", {}).get("MaximumConcurrency"):
            yield (
                f"{reader}: a flood of messages takes all the account's concurrency: set "
                "MaximumConcurrency"
            )
    if named(template["Outputs"].get(name, {}).get("Value")) != name:
        yield f"{name}: tools cannot find it: add the output {name} with its !Ref"


def of_events(template: Template) -> Iterator[str]:
    for job, function in functions(template):
        for event in function.get("Events", {}).values():
            if event["Type"] not in ("ScheduleV2", "SQS"):
                yield (
                    f"{job}: an event of type {event['Type']} can be lost: let it cross a queue "
                    "(type SQS)"
                )


def of_rules(template: Template) -> Iterator[str]:
    for name, rule in resources(template, "AWS::Events::Rule"):
        if "ScheduleExpression" in rule:
            yield f"{name}: a rule has no time zone: schedule with ScheduleV2"
        for target in rule.get("Targets", []):
            yield from _delivered(f"{name}: target {target.get('Id')}", target)
            policy = f"{named(target.get('Arn'))}Policy"
            if template["Resources"][name].get("DependsOn") != policy:
                yield f"{name}: may be live before its queue lets it send: set DependsOn: {policy}"


def of_schedules(template: Template) -> Iterator[str]:
    scheduled = {
        job: event
        for job, function in functions(template)
        for event in events(function, "ScheduleV2")
    }
    for job, event in scheduled.items():
        yield from _delivered(f"{job}: its schedule", event)
        if "ScheduleExpressionTimezone" not in event:
            yield f"{job}: its schedule names no time zone: set ScheduleExpressionTimezone"
        if _text_input(event) != {"scheduled_at": SCHEDULED_TIME}:
            yield f"{job}: a repeated run would not know its time: set scheduled_at in Input"
        if named(event.get("RoleArn")) != "SchedulerRole":
            yield f"{job}: its schedule needs RoleArn: !GetAtt SchedulerRole.Arn"
    queued: set[str] = set()
    for name, schedule in resources(template, "AWS::Scheduler::Schedule"):
        target = schedule.get("Target", {})
        queued.add(named(target.get("Arn")))
        yield from _delivered(f"{name}: its target", target)
        if "ScheduleExpressionTimezone" not in schedule:
            yield f"{name}: names no time zone: set ScheduleExpressionTimezone"
        if named(target.get("RoleArn")) != "SchedulerRole":
            yield f"{name}: needs RoleArn: !GetAtt SchedulerRole.Arn"
    yield from _scheduler_permits(template, set(scheduled), queued)


def _scheduler_permits(template: Template, scheduled: set[str], queued: set[str]) -> Iterator[str]:
    permitted = grants(template, "SchedulerRole")
    wanted = {
        "lambda:InvokeFunction": scheduled,
        "sqs:SendMessage": {DEAD_LETTERS, *queued},
    }
    for action, resources_ in wanted.items():
        for name in sorted(resources_):
            if not _permitted(template, permitted, action, name):
                yield f"SchedulerRole: has no right to {action} on {name}: permit it"
    actions = {action for grant in permitted for action in listed(grant["Action"])}
    for action in sorted(actions - wanted.keys()):
        yield f"SchedulerRole: permits {action}, which no schedule does: remove it"


def of_operators(template: Template) -> Iterator[str]:
    """Operators may start every scheduled job, and send to every queue."""
    permitted = grants(template, "ConsoleRole")
    wanted = {
        "lambda:InvokeFunction": {
            job for job, function in functions(template) if any(events(function, "ScheduleV2"))
        },
        "sqs:SendMessage": {name for name, _ in resources(template, "AWS::SQS::Queue")},
    }
    for action, names in wanted.items():
        for name in sorted(names):
            if not _permitted(template, permitted, action, name):
                yield f"ConsoleRole: operators have no right to {action} on {name}: permit it"


def of_functions(template: Template) -> Iterator[str]:
    for job, function in functions(template):
        # A user of the console can ask again: it must outlast a redrive, not every attempt
        # of a call.
        longest = (
            LONGEST_REDRIVE_SECONDS if job == "Console" else LONGEST_CALL_SECONDS + RESERVE_SECONDS
        )
        if function.get("Timeout", LAMBDAS_TIMEOUT) <= longest:
            yield (
                f"{job}: one call of AWS may last as long as it runs: set Timeout to more than "
                f"{longest:g}"
            )
        invocation = function.get("EventInvokeConfig", {})
        if _deletes(template, job) and any(events(function, "ScheduleV2")):
            if invocation.get("MaximumRetryAttempts") != 0:
                yield (
                    f"{job}: another attempt deletes once more: give it an EventInvokeConfig, "
                    "MaximumRetryAttempts 0"
                )
            yield from _retried(f"{job}: its EventInvokeConfig", invocation, 0)
        else:
            yield from _retried(f"{job}: its EventInvokeConfig", invocation, ASYNC_RETRIES)
        failure = invocation.get("DestinationConfig", {}).get("OnFailure", {})
        if failure.get("Type") != "SQS" or not _dead_lettered(failure, "Destination"):
            yield (
                f"{job}: a failed asynchronous invocation is lost: set OnFailure to {DEAD_LETTERS}"
            )


def of_subscriptions(template: Template) -> Iterator[str]:
    """What feeds a job crosses a queue; only the alarms about the fleet itself go by e-mail."""
    for name, subscription in resources(template, "AWS::SNS::Subscription"):
        by_email = subscription.get("Protocol") == "email" and subscription["TopicArn"] == {
            "Ref": "AlarmsTopic"
        }
        if subscription.get("Protocol") != "sqs" and not by_email:
            yield f"{name}: {subscription.get('Protocol')} can lose messages: subscribe a queue"
        if not _dead_lettered(subscription.get("RedrivePolicy", {}), "deadLetterTargetArn"):
            yield (
                f"{name}: does not end in {DEAD_LETTERS}: give its RedrivePolicy that "
                "deadLetterTargetArn"
            )


def of_policies(template: Template) -> Iterator[str]:
    """Who sends to a queue is permitted to, and nobody else."""
    senders = _senders(template)
    permitted: dict[str, set[str]] = {name: set() for name in senders}
    for policy, properties in resources(template, "AWS::SQS::QueuePolicy"):
        for statement in statements(properties["PolicyDocument"]):
            for queue in map(named, listed(statement["Resource"])):
                permitted.setdefault(queue, set()).update(_let_in(template, statement))
                yield from _of_patterns(policy, queue, statement)
    for queue, wanted in senders.items():
        for name in sorted(wanted - permitted[queue]):
            yield f"{name}: may not send to {queue}: add its ARN to the policy {queue}Policy"
        for name in sorted(permitted[queue] - wanted):
            yield f"{queue}Policy: lets {name} send, which never does: remove it"


def _senders(template: Template) -> dict[str, set[str]]:
    """Return the rules and topics that send to each queue, by what rules and subscriptions say."""
    senders: dict[str, set[str]] = {
        name: set() for name, _ in resources(template, "AWS::SQS::Queue")
    }
    for name, rule in resources(template, "AWS::Events::Rule"):
        for target in rule.get("Targets", []):
            senders.get(named(target.get("Arn")), set()).add(name)
            senders[DEAD_LETTERS].add(name)
    for _, subscription in resources(template, "AWS::SNS::Subscription"):
        topic = named(subscription.get("TopicArn"))
        senders.get(named(subscription.get("Endpoint")), set()).add(topic)
        senders[DEAD_LETTERS].add(topic)
    return senders


def _let_in(template: Template, statement: Properties) -> Iterator[str]:
    """Yield each rule or topic of the template that a statement permits to send."""
    for name, resource in template["Resources"].items():
        service = SENDERS.get(resource["Type"], "")
        if statement["Principal"] != {"Service": service}:
            continue
        if any(covers(template, source, name) for source in _sources(statement)):
            yield name


def _of_patterns(policy: str, queue: str, statement: Properties) -> Iterator[str]:
    """A pattern in the policy of a job's queue is of the job's rules; elsewhere, of the stack's."""
    owner = "" if queue == DEAD_LETTERS else f"{snake_case(queue.removesuffix('Queue'))}-"
    for source in filter(None, map(text, _sources(statement))):
        if source != f"{RULES}${{AWS::StackName}}-{owner}*":
            yield f"{policy}: lets {source} send: write !Sub {RULES}${{AWS::StackName}}-{owner}*"


def _sources(statement: Properties) -> list[object]:
    conditions = statement.get("Condition", {})
    return [
        source
        for operator in ("ArnEquals", "ArnLike")
        for source in listed(conditions.get(operator, {}).get("aws:SourceArn"))
    ]


def _delivered(place: str, target: Properties) -> Iterator[str]:
    yield from _retried(place, target.get("RetryPolicy", {}))
    if not _dead_lettered(target.get("DeadLetterConfig", {}), "Arn"):
        yield (
            f"{place}: does not end in {DEAD_LETTERS}: set DeadLetterConfig: "
            f"{{Arn: !GetAtt {DEAD_LETTERS}.Arn}}"
        )


def _retried(place: str, policy: Properties, fewest: int = FEWEST_RETRIES) -> Iterator[str]:
    for setting, least in (
        ("MaximumRetryAttempts", fewest),
        ("MaximumEventAgeInSeconds", SHORTEST_AGE_SECONDS),
    ):
        if not isinstance(value := policy.get(setting), int):
            yield f"{place}: retries are left to a default: set {setting}"
        elif value < least:
            yield f"{place}: gives up too early: set {setting} to {least} or more"


def _dead_lettered(config: Properties, key: str) -> bool:
    return config.get(key) == {"Fn::GetAtt": [DEAD_LETTERS, "Arn"]}


def _deletes(template: Template, job: str) -> bool:
    actions = {
        action for grant in grants(template, f"{job}Role") for action in listed(grant["Action"])
    }
    return any(
        ":Delete" in action for action in actions - {"sqs:DeleteMessage"}
    )  # that of its own queue, when done


def _text_input(event: Properties) -> object:
    try:
        return json.loads(event.get("Input", "null"))
    except ValueError:
        return None


def _permitted(template: Template, grants: list[Properties], action: str, name: str) -> bool:
    """Whether a role's statements permit the action on the resource."""
    return any(
        covers(template, resource, name)
        for grant in grants
        if grant["Effect"] == "Allow" and action in listed(grant["Action"])
        for resource in listed(grant["Resource"])
    )


def test_nothing_is_lost_on_its_way() -> None:
    assert violations(real()) == []


def test_it_is_known_how_long_a_call_may_take() -> None:
    for service in ("sqs", "ssm"):
        config = cast(Any, aws.client(service)).meta.config
        attempts = config.retries["total_max_attempts"]
        assert attempts * (config.connect_timeout + config.read_timeout) == LONGEST_CALL_SECONDS


PAUSED = "Resources/PausedPipelines/Properties"
PRUNED = "Resources/PruneObjects/Properties/EventInvokeConfig"
STARTED = "Resources/StartPipeline/Properties"
QUEUE = "Resources/StartPipelineQueue/Properties"
LETTERS = "Resources/DeadLetters/Properties"
PUSH = "Resources/StartPipelineOnPush/Properties"
TARGET = f"{PUSH}/Targets/0"
SCHEDULE = f"{PAUSED}/Events/Schedule/Properties"
SWEEP = "Resources/TriageAlertsSweep/Properties"
ASYNC = "Globals/Function/EventInvokeConfig"
QUEUE_POLICY = "Resources/StartPipelineQueuePolicy/Properties/PolicyDocument/Statement/0"
OPERATED = "Resources/ConsoleRole/Properties/Policies/0/PolicyDocument/Statement"
SCHEDULED = "Resources/SchedulerRole/Properties/Policies/0/PolicyDocument/Statement"
THEIRS = {"Fn::Sub": "arn:${AWS::Partition}:any:${AWS::Region}:${AWS::AccountId}:other-*"}
ELSEWHERE = {"Fn::GetAtt": ["StartPipelineQueue", "Arn"]}
TOPIC = {
    "Type": "AWS::SNS::Subscription",
    "Properties": {"Protocol": "sqs", "TopicArn": {"Ref": "OtherTopic"}},
}


def test_a_job_that_outlasts_a_call_is_long_enough() -> None:
    assert violations(seeded(f"{STARTED}/Timeout", 40)) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(
            "Resources/DeadLetters/DeletionPolicy",
            "Retain",
            "outlives its failed",
            id="letters in the way",
        ),
        pytest.param(
            "Resources/DeadLetters/UpdateReplacePolicy",
            "RetainExceptOnCreate",
            "when it is",
            id="no such policy",
        ),
        pytest.param(
            f"{STARTED}/Timeout", 39, "StartPipeline: one call of AWS may", id="as short as a call"
        ),
        pytest.param(f"{STARTED}/Timeout", 61, "set VisibilityTimeout to 366", id="long function"),
        pytest.param(
            f"{STARTED}/Events", {}, "StartPipelineQueue: is read by no job", id="unread queue"
        ),
        pytest.param(
            "Outputs/StartPipelineQueue",
            REMOVED,
            "add the output StartPipelineQueue",
            id="no output",
        ),
        pytest.param(
            f"{STARTED}/Events/Push",
            {"Type": "EventBridgeRule"},
            "type EventBridgeRule",
            id="no queue",
        ),
        pytest.param(
            f"{SCHEDULE}/ScheduleExpressionTimezone",
            REMOVED,
            "names no time zone",
            id="no time zone",
        ),
        pytest.param(f"{SCHEDULE}/Input", "{}", "would not know its time", id="input without time"),
        pytest.param(
            f"{SCHEDULE}/Input", "scheduled_at", "would not know its time", id="input no JSON"
        ),
        pytest.param(
            f"{SWEEP}/ScheduleExpressionTimezone",
            REMOVED,
            "Sweep: names no time zone",
            id="queue's time zone",
        ),
        pytest.param(
            f"{SWEEP}/Target/RoleArn",
            ELSEWHERE,
            "Sweep: needs RoleArn",
            id="role of a queue's schedule",
        ),
        pytest.param(
            f"{OPERATED}/5/Resource",
            THEIRS,
            "ConsoleRole: operators have no right to lambda:InvokeFunction on PausedPipelines",
            id="operators invoke nothing",
        ),
        pytest.param(
            f"{OPERATED}/6/Resource",
            THEIRS,
            "ConsoleRole: operators have no right to sqs:SendMessage on TriageAlertsQueue",
            id="operators send nothing",
        ),
        pytest.param(
            f"{SCHEDULED}/0/Resource",
            THEIRS,
            "SchedulerRole: has no right to lambda:InvokeFunction on PausedPipelines",
            id="not invoked",
        ),
        pytest.param(
            f"{SCHEDULED}/1/Resource",
            THEIRS,
            "SchedulerRole: has no right to sqs:SendMessage on TriageAlertsQueue",
            id="queue not fed",
        ),
        pytest.param(
            f"{PAUSED}/FunctionName",
            "paused_pipelines",
            "SchedulerRole: has no right to lambda:InvokeFunction on PausedPipelines",
            id="name of no stack",
        ),
        pytest.param(
            PRUNED, REMOVED, "PruneObjects: another attempt", id="deletes again by default"
        ),
        pytest.param(
            f"{PAUSED}/EventInvokeConfig/DestinationConfig/OnFailure/Destination",
            ELSEWHERE,
            "PausedPipelines: a failed asynchronous",
            id="async overridden",
        ),
        pytest.param(
            "Resources/Alarms",
            TOPIC,
            "Alarms: does not end in DeadLetters",
            id="subscription loses",
        ),
        pytest.param(
            "Resources/Alarms",
            TOPIC,
            "OtherTopic: may not send to DeadLetters",
            id="topic not permitted",
        ),
        pytest.param(
            f"{PUSH}/Name",
            {"Fn::Sub": "${AWS::StackName}-push"},
            "StartPipelineOnPush: may not send to StartPipelineQueue",
            id="rule of no job",
        ),
        pytest.param(
            f"{PUSH}/Name",
            "push",
            "StartPipelineOnPush: may not send to DeadLetters",
            id="rule of no stack",
        ),
        pytest.param(
            "Resources/StartPipelineOnPush/DependsOn",
            REMOVED,
            "OnPush: may be live before",
            id="rule before its policy",
        ),
        pytest.param(
            f"{QUEUE_POLICY}/Condition/ArnLike/aws:SourceArn",
            {"Fn::Sub": f"{RULES}${{AWS::StackName}}-*"},
            "StartPipelineQueuePolicy: lets",
            id="any rule of the stack",
        ),
        pytest.param(
            f"{QUEUE_POLICY}/Principal/Service",
            "sns.amazonaws.com",
            "OnPush: may not send",
            id="wrong service",
        ),
        pytest.param(
            "Resources/StartPipelineOnRequest/Properties/Targets",
            [],
            "StartPipelineQueuePolicy: lets",
            id="no sender",
        ),
    ],
)
def test_what_could_lose_an_event_is_named(path: str, value: object, said: str) -> None:
    assert said in "\n".join(violations(seeded(path, value)))
