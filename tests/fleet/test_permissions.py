"""Every job has a role of its own that permits what the job calls, and nothing else."""

import re
from collections.abc import Iterator
from functools import cache

import pytest
from tests.fleet.operations import OF_THE_LAYER, Unclear, actions
from tests.fleet.source import deployed, job_modules
from tests.fleet.template import (
    REMOVED,
    Properties,
    Template,
    events,
    functions,
    grants,
    listed,
    named,
    real,
    references,
    resources,
    seeded,
    statements,
    text,
)
from tools.manifest import ROOT, snake_case

# What Lambda itself does with a function's role.
LOGGING = {"logs:CreateLogStream", "logs:PutLogEvents"}
TRACING = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
READING = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
FAILING = {"sqs:SendMessage"}
# What sending a dead letter back takes, whose origin only the letter names; nothing of the fleet
# comes from a bus.
REDRIVING = {"sns:Publish", "sqs:GetQueueUrl"}
# What the console's source has for elsewhere: in Lambda it is told where the stack keeps things,
# and writes one item.
ELSEWHERE = {"cloudformation:DescribeStacks", "dynamodb:ConditionCheckItem"}

# What the fleet says of itself, and what of the ledger is divided by rows.
EVENTS = {"Job Report", "Alert"}
ITEMS = {
    f"dynamodb:{operation}"
    for operation in (
        "GetItem",
        "Query",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "ConditionCheckItem",
    )
}
FOR_OTHERS = {
    "AWS::IAM::Role": "sts:AssumeRole",
    "AWS::SNS::TopicPolicy": "sns:Publish",
    "AWS::SQS::QueuePolicy": "sqs:SendMessage",
}
ACCOUNT = "${AWS::AccountId}"
PARAMETERS = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter"
# Names of functions, queues, schedules, rules and alarms, as patterns.
NAMED = (
    r"(:function:|:sqs:\$\{AWS::Region\}:\$\{AWS::AccountId\}:|:schedule/default/|:rule/|:alarm:)"
)
PATTERN = re.compile(rf"{NAMED}[^:]*(\$\{{AWS::StackName\}}.*)?\*$")
OF_THE_STACK = re.compile(rf"{NAMED}\$\{{AWS::StackName\}}-")
MAKER = "shared/fleet/aws.py"

ANYTHING = re.compile(r"""(\bResource:\s*\[?|^\s*-)\s*(["']?)\*\2\s*([\],}]|$)""")


def violations(template: Template, sources: dict[str, tuple[str, ...]]) -> list[str]:
    """Return where roles and policies permit too little, too much, or whom they should not."""
    rules = (
        of_roles,
        of_wildcards,
        of_stacks,
        of_actions,
        of_parameters,
        of_principals,
        of_conditions,
        of_stars,
    )
    of_jobs = (*of_calls(template, sources), *of_resources(template, sources))
    return [*of_jobs, *(violation for rule in rules for violation in rule(template))]


def of_roles(template: Template) -> Iterator[str]:
    for job, function in functions(template):
        if function.get("Role") != {"Fn::GetAtt": [f"{job}Role", "Arn"]}:
            yield f"{job}: its role is not its own: set Role: !GetAtt {job}Role.Arn"
        if "Policies" in function:
            yield f"{job}: Policies are ignored beside a Role: move them to {job}Role"


def of_calls(template: Template, sources: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for job, function in functions(template):
        role = f"{job}Role"
        try:
            called = set().union(*map(actions, sources[snake_case(job)]))
        except Unclear as unclear:
            yield f"{job}: {unclear}"
            continue
        needed = called | LOGGING | FAILING | (READING if any(events(function, "SQS")) else set())
        needed = (needed | REDRIVING) - ELSEWHERE if job == "Console" else needed
        needed |= TRACING if function.get("Tracing") == "Active" else set()
        permitted = {
            action for grant in grants(template, role) for action in listed(grant["Action"])
        }
        for action in sorted(needed - permitted):
            yield f"{role}: {job} calls {action} and may not: permit it"
        for action in sorted(permitted - needed):
            yield f"{role}: permits {action}, which {job} never calls: remove it"


def of_resources(template: Template, sources: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """A job reads its own queue, the SSM parameters that its environment names, and its secrets."""
    for job, function in functions(template):
        for grant in grants(template, f"{job}Role"):
            if (
                "sqs:ReceiveMessage" in listed(grant["Action"])
                and named(grant["Resource"]) != f"{job}Queue"
            ):
                if named(grant["Resource"]) != "DeadLetters":
                    yield (
                        f"{job}Role: reads a queue of others: set Resource: !GetAtt {job}Queue.Arn"
                    )
                elif "sqs:DeleteMessage" in listed(grant["Action"]) and job != "Console":
                    yield (
                        f"{job}Role: takes dead letters out, which is for operators: remove "
                        "sqs:DeleteMessage"
                    )
        yield from _of_ssm(template, job, function, sources[snake_case(job)])
    for name, _ in resources(template, "AWS::SSM::Parameter"):
        yield (
            f"{name}: a deployment would overwrite what people wrote: leave it to them, and name "
            "it in a variable"
        )


@cache
def _read_beside_lists(sources: tuple[str, ...]) -> frozenset[str]:
    """Return what a job reads of SSM beside its lists: their `parts`, `secrets`, `authorities`."""
    source = "\n".join(sources)
    found = set()
    if "secrets.using(" in source or "fleet_endpoints.checks" in source:
        found.add("secrets")
    if re.search(r"\bparts=[A-Z0-9]", source):  # a constant, as `entries` takes it
        found.add("parts")
    if "parameter_text(" in source:
        found.add("authorities")
    return frozenset(found)


def _of_ssm(
    template: Template, job: str, function: Properties, sources: tuple[str, ...]
) -> Iterator[str]:
    """The names in the environment and the ARNs in the role are the same, and of this job.

    Lists may go on in further parts, and name the job's secrets and the authorities that it trusts.
    """
    variables = function["Environment"]["Variables"].items()
    given = {
        name: text(value)
        for name, value in variables
        if name.endswith("_PARAMETER") or text(value).startswith("/")
    }
    for variable, name in given.items():
        if not re.fullmatch(rf"/\$\{{AWS::StackName\}}/{snake_case(job)}/[a-z0-9_]+", name):
            yield (
                f"{job}: {variable} names no parameter of its own: !Sub "
                f"/${{AWS::StackName}}/{snake_case(job)}/..."
            )
    reading = [
        grant
        for grant in grants(template, f"{job}Role")
        if "ssm:GetParameter" in listed(grant["Action"])
    ]
    permitted = {text(arn) or str(arn) for grant in reading for arn in listed(grant["Resource"])}
    needed = {f"{PARAMETERS}{name}" for name in given.values()}
    also = _read_beside_lists(sources)
    if "parts" in also:
        needed |= {f"{PARAMETERS}{name}-*" for name in given.values()}
    for folder in also - {"parts"}:
        needed |= {f"{PARAMETERS}/${{AWS::StackName}}/{snake_case(job)}/{folder}/*"}
    for arn in sorted(needed - permitted):
        yield f"{job}Role: may not read {arn}, which its environment names: permit ssm:GetParameter"
    for arn in sorted(permitted - needed):
        yield f"{job}Role: may read {arn}, which its environment does not name: remove it"


def of_wildcards(template: Template) -> Iterator[str]:
    for name, document in documents(template):
        for statement in statements(document):
            if "NotAction" in statement or "NotResource" in statement:
                yield f"{name}: permits all but some: list what is permitted"
            for action in listed(statement.get("Action")):
                if re.search(r"[*?]", action):
                    yield f"{name}: {action} permits more than is called: list the actions"


def of_stacks(template: Template) -> Iterator[str]:
    """A pattern of names is of the stack's own: they all begin with its name."""
    for name, document in documents(template):
        for statement in statements(document):
            sources = conditions(statement).get("aws:SourceArn", [])
            for arn in map(text, [*_on(statement), *sources]):
                if PATTERN.search(arn) and not OF_THE_STACK.search(arn):
                    yield (
                        f"{name}: {arn} is of other stacks too: begin the name with "
                        f"${{AWS::StackName}}-"
                    )


def of_actions(template: Template) -> Iterator[str]:
    """Whom a statement names may do one thing: send, publish, or act in the role."""
    for name, document in documents(template):
        for statement in (each for each in statements(document) if "Principal" in each):
            if statement["Action"] != (only := FOR_OTHERS[template["Resources"][name]["Type"]]):
                yield (
                    f"{name}: lets {statement['Principal']} do more than {only}: permit that alone"
                )


def of_parameters(template: Template) -> Iterator[str]:
    """The person who deploys lists what jobs may touch; by default that is nothing."""
    for name in sorted(
        {name for _, document in documents(template) for _, name in references(document)}
    ):
        if (parameter := template["Parameters"].get(name)) is None:
            continue
        if parameter["Type"] != "CommaDelimitedList":
            yield f"{name}: is no list, and permits something: make it a CommaDelimitedList of ARNs"
        for arn in str(parameter.get("Default", "")).split(","):
            if not re.fullmatch(r"arn:aws:[a-z0-9-]+:[a-z0-9-]*:[0-9]*:[^*?]+", arn):
                yield (
                    f"{name}: permits {arn or 'nothing'} by default: let it default to the ARN of "
                    "what does not exist"
                )


def of_principals(template: Template) -> Iterator[str]:
    """A service may act only for this account and the resources that are named.

    Only the trust of Lambda has no source.
    """
    for name, document in documents(template):
        for statement in statements(document):
            principal = statement.get("Principal")
            if principal is None or principal == {"Service": "lambda.amazonaws.com"}:
                continue
            if not (isinstance(principal, dict) and principal.keys() == {"Service"}):
                yield f"{name}: its principal {principal!r} is no service: name one"
            elif not all(
                re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com", each)
                for each in listed(principal["Service"])
            ):
                yield f"{name}: its principal {principal!r} is any service: name one"
            keys = conditions(statement)
            if keys.get("aws:SourceAccount") != [{"Ref": "AWS::AccountId"}]:
                yield (
                    f"{name}: lets {principal} act for anybody: add the condition "
                    "aws:SourceAccount, this account"
                )
            if not (sources := keys.get("aws:SourceArn")) or not all(
                named(arn) or ACCOUNT in text(arn) for arn in sources
            ):
                yield (
                    f"{name}: lets {principal} act for anybody: add the condition aws:SourceArn, "
                    "of this account"
                )


def of_conditions(template: Template) -> Iterator[str]:
    """What several jobs write to is divided: events by their types, the ledger by its rows."""
    for job, _ in functions(template):
        for grant in grants(template, f"{job}Role"):
            keys = conditions(grant)
            if "events:PutEvents" in listed(grant["Action"]):
                types = keys.get("events:detail-type", [])
                if (
                    keys.get("events:source") != ["fleet"]
                    or not types
                    or not EVENTS.issuperset(types)
                ):
                    yield (
                        f"{job}Role: may publish what is not the fleet's: narrow events:source "
                        "and events:detail-type"
                    )
            if ITEMS & set(listed(grant["Action"])) and any(
                map(named, listed(grant["Resource"]))
            ):  # not of an index
                rows = keys.get("dynamodb:LeadingKeys", [])
                if not rows or any(
                    not isinstance(row, str) or row.startswith(("*", "?")) for row in rows
                ):
                    yield (
                        f"{job}Role: may touch rows of others in the ledger: narrow "
                        "dynamodb:LeadingKeys"
                    )


def of_stars(template: Template) -> Iterator[str]:
    """No statement is about everything, but those of the file that say why."""
    said = _stars_of_the_file()
    found = [
        name
        for name, document in documents(template)
        for each in statements(document)
        if "*" in _on(each)
    ]
    if len(found) > said:
        yield (
            f"{', '.join(found)}: {len(found)} statements are about everything, and {said} say why"
        )


@cache
def _stars_of_the_file() -> int:
    return len(list(stars((ROOT / "template.yaml").read_text())))


def _on(statement: Properties) -> list[object]:
    return listed(statement.get("Resource"))


def conditions(statement: Properties) -> dict[str, list[object]]:
    """Return the values that a request must have, by their keys.

    A condition that holds without the key demands nothing.
    """
    return {
        key: listed(values)
        for operator, pairs in statement.get("Condition", {}).items()
        if "IfExists" not in operator
        for key, values in pairs.items()
    }


def of_comments(source: str) -> Iterator[str]:
    """Yield each line of the template that permits an action on everything without saying why."""
    for number, reason in stars(source):
        if len(reason.split()) < 3:
            yield f'template.yaml:{number}: Resource "*": name the resource, or say why none can be'


def stars(source: str) -> Iterator[tuple[int, str]]:
    """Yield the number of each line with `Resource: "*"`, and its comment."""
    for number, line in enumerate(source.splitlines(), start=1):
        code, _, comment = line.partition(" #")
        if ANYTHING.search(code):
            yield number, comment


def documents(template: Template) -> Iterator[tuple[str, Properties]]:
    """Yield every policy document with the resource that it stands in."""
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        for place in (
            properties,
            *properties.get("Policies", []) * (resource["Type"] == "AWS::IAM::Role"),
        ):
            for key in ("PolicyDocument", "AssumeRolePolicyDocument"):
                if key in place:
                    yield name, place[key]


def sources() -> dict[str, tuple[str, ...]]:
    return {snake_case(job): job_modules(snake_case(job)) for job, _ in functions(real())}


def test_roles_permit_what_is_called_and_nothing_else() -> None:
    assert violations(real(), sources()) == []


def test_every_star_says_why() -> None:
    text = (ROOT / "template.yaml").read_text()
    permitted = [grant for _, document in documents(real()) for grant in statements(document)]

    assert list(of_comments(text)) == []
    assert len(list(stars(text))) == sum(
        "*" in listed(grant.get("Resource")) for grant in permitted
    )


def test_it_is_known_what_the_layer_calls() -> None:
    layer = [
        text for path, text in deployed().items() if path.startswith("shared/") and path != MAKER
    ]
    called = set().union(*map(actions, layer))

    assert called == set().union(*OF_THE_LAYER.values()), (
        "OF_THE_LAYER must say which name of the layer calls it"
    )


PRUNE = "Resources/PruneObjectsRole/Properties"
START = "Resources/StartPipelineRole/Properties"
JOB = "Policies/0/PolicyDocument/Statement"
VARIABLES = "Resources/StartPipeline/Properties/Environment/Variables"
ENTRIES = f"{PARAMETERS}/${{AWS::StackName}}/prune_objects/entries"
ROUTES = f"{PARAMETERS}/${{AWS::StackName}}/start_pipeline/routes"
QUEUE_POLICY = "Resources/StartPipelineQueuePolicy/Properties/PolicyDocument/Statement/0"
TRUST = "Resources/SchedulerRole/Properties/AssumeRolePolicyDocument/Statement/0"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        pytest.param(
            f"{PRUNE}/{JOB}/1", REMOVED, "PruneObjects calls s3:ListBucket and may not", id="list"
        ),
        pytest.param(
            f"{PRUNE}/{JOB}/2",
            REMOVED,
            "PruneObjects calls s3:DeleteObject and may not",
            id="delete",
        ),
        pytest.param(
            f"{PRUNE}/{JOB}/0", REMOVED, "calls ssm:GetParameter and may not", id="entries"
        ),
        pytest.param(f"{PRUNE}/{JOB}/0", REMOVED, f"may not read {ENTRIES}, which", id="parameter"),
        pytest.param(
            f"{PRUNE}/ManagedPolicyArns/1",
            REMOVED,
            "calls events:PutEvents and may not",
            id="report",
        ),
        pytest.param(
            f"{PRUNE}/ManagedPolicyArns/0",
            REMOVED,
            "calls logs:PutLogEvents and may not",
            id="logs",
        ),
        pytest.param(
            f"{START}/{JOB}/0/Action/0",
            REMOVED,
            "calls sqs:ReceiveMessage and may not",
            id="receive",
        ),
        pytest.param(
            f"{START}/{JOB}/0/Action/3",
            REMOVED,
            "calls sqs:ChangeMessageVisibility and",
            id="visibility",
        ),
        pytest.param(
            f"{START}/{JOB}/2", REMOVED, "calls codepipeline:StartPipelineExecution and", id="start"
        ),
        pytest.param(
            "Resources/PausedPipelinesRole/Properties/Policies/0/PolicyDocument/Statement/0/Action/0",
            REMOVED,
            "PausedPipelines calls codepipeline:ListPipelines and may not",
            id="paginator",
        ),
        pytest.param(
            f"{START}/ManagedPolicyArns/-",
            {"Ref": "ReportPolicy"},
            "StartPipelineRole: permits events:PutEvents, which StartPipeline never calls",
            id="report of a queue job",
        ),
        pytest.param(
            f"{PRUNE}/{JOB}/1/Action",
            ["s3:ListBucket", "s3:GetObject"],
            "permits s3:GetObject, which",
            id="unused",
        ),
        pytest.param(
            "Globals/Function/Tracing",
            "PassThrough",
            "permits xray:PutTrace",
            id="traces of nothing",
        ),
        pytest.param(
            f"{PRUNE}/{JOB}/2/NotAction", "s3:PutObject", "permits all but some", id="all but some"
        ),
        pytest.param(
            "Resources/PruneObjects/Properties/Role",
            {"Fn::GetAtt": ["StartPipelineRole", "Arn"]},
            "own",
            id="shared role",
        ),
        pytest.param(
            "Resources/PruneObjects/Properties/Policies", [], "Policies are ignored", id="policies"
        ),
        pytest.param(
            f"{START}/{JOB}/0/Resource",
            {"Fn::GetAtt": ["NotifySlackQueue", "Arn"]},
            "reads a queue of others",
            id="queue",
        ),
        pytest.param(
            f"{START}/{JOB}/0/Resource",
            {"Fn::GetAtt": ["DeadLetters", "Arn"]},
            "takes dead letters out",
            id="dead letters",
        ),
        pytest.param(
            f"{START}/{JOB}/1/Resource",
            {"Fn::Sub": ENTRIES},
            f"StartPipelineRole: may read {ENTRIES}, which its environment does not",
            id="parameter of others",
        ),
        pytest.param(
            f"{START}/{JOB}/1/Resource",
            {"Fn::Sub": ENTRIES},
            "StartPipelineRole: may not read",
            id="others', not own",
        ),
        pytest.param(
            f"{START}/{JOB}/1/Resource",
            [{"Fn::Sub": ROUTES}, {"Fn::Sub": ENTRIES}],
            "may read",
            id="others' too",
        ),
        pytest.param(
            f"{START}/{JOB}/1/Resource",
            {"Ref": "Lists"},
            "may read {'Ref': 'Lists'}",
            id="unreadable ARN",
        ),
        pytest.param(
            f"{VARIABLES}/ROUTES_PARAMETER",
            {"Fn::Sub": "/${AWS::StackName}/prune_objects/entries"},
            "StartPipeline: ROUTES_PARAMETER names no parameter of its own",
            id="variable of others",
        ),
        pytest.param(
            f"{VARIABLES}/ROUTES_PARAMETER",
            {"Fn::Sub": "/${AWS::StackName}/start_pipeline/*"},
            "names no parameter of its own",
            id="variable with a wildcard",
        ),
        pytest.param(
            f"{VARIABLES}/ROUTES_PARAMETER",
            {"Ref": "Lists"},
            "names no parameter",
            id="unreadable variable",
        ),
        pytest.param(
            f"{VARIABLES}/ROUTES_PARAMETER",
            "/routes",
            "names no parameter",
            id="variable of every stack",
        ),
        pytest.param(
            f"{VARIABLES}/SECRET",
            {"Fn::Sub": "/${AWS::StackName}/start_pipeline/secret"},
            f"may not read {PARAMETERS}/${{AWS::StackName}}/start_pipeline/secret",
            id="another variable",
        ),
        pytest.param(
            "Resources/Routes",
            {"Type": "AWS::SSM::Parameter"},
            "Routes: a deployment would overwrite",
            id="resource",
        ),
        pytest.param(
            "Parameters/StartablePipelineArns/Default",
            "*",
            "StartablePipelineArns: permits *",
            id="any start",
        ),
        pytest.param(
            "Parameters/StartablePipelineArns/Default",
            "arn:aws:codepipeline:eu-west-1:111122223333:web,arn:aws:codepipeline:eu-west-1:111122223333:*",
            "StartablePipelineArns: permits arn:aws:codepipeline:eu-west-1:111122223333:* by "
            "default",
            id="any start among some",
        ),
        pytest.param(
            "Parameters/PrunedBucketArns/Default",
            "arn:aws:s3:::*",
            "PrunedBucketArns: per",
            id="any bucket",
        ),
        pytest.param(
            "Parameters/PrunedBucketArns/Default", REMOVED, "permits nothing", id="no default"
        ),
        pytest.param(
            "Parameters/PrunedBucketArns/Type",
            "String",
            "PrunedBucketArns: is no list",
            id="no list",
        ),
        pytest.param(
            f"{QUEUE_POLICY}/Condition/StringEquals",
            REMOVED,
            "condition aws:SourceAccount",
            id="account",
        ),
        pytest.param(
            f"{QUEUE_POLICY}/Condition/ArnLike", REMOVED, "condition aws:SourceArn", id="source"
        ),
    ],
)
def test_what_a_policy_gets_wrong_is_named(path: str, value: object, said: str) -> None:
    assert said in "\n".join(violations(seeded(path, value), sources()))


@pytest.mark.parametrize(
    ("job", "right", "wrong", "said"),
    [
        pytest.param(
            "paused_pipelines",
            "get_pipeline_state(",
            "get_pipeline(",
            "calls codepipeline:GetPipeline and",
            id="new call",
        ),
        pytest.param(
            "paused_pipelines",
            "get_pipeline_state(",
            "get_pipeline(",
            "permits codepipeline:GetPipelineState,",
            id="old",
        ),
        pytest.param(
            "prune_objects",
            "s3.delete_object(",
            "s3.remove(",
            "s3 has no operation remove",
            id="no call",
        ),
        pytest.param(
            "prune_objects", '"list_objects_v2"', "BATCH", "as a literal string", id="computed"
        ),
        pytest.param(
            "prune_objects",
            'aws.client("s3")',
            'boto3.client("s3")',
            "use fleet.aws.client",
            id="boto3",
        ),
    ],
)
def test_what_a_job_calls_otherwise_is_named(job: str, right: str, wrong: str, said: str) -> None:
    (source,) = sources()[job]
    assert right in source
    changed = {**sources(), job: (source.replace(right, wrong),)}

    assert said in "\n".join(violations(real(), changed))


S3_TYPED = "if TYPE_CHECKING:\n    from mypy_boto3_s3 import S3Client\n"


@pytest.mark.parametrize(
    "text",
    [
        f"{S3_TYPED}def read(s3: 'S3Client'):\n    s3.get_object()",
        (
            f"{S3_TYPED}class Reader:\n    store: S3Client\n    def read(self):\n        "
            "self.store.get_object()"
        ),
        "from fleet import aws\naws.client('s3').get_object()",
        "from fleet.aws import client\ns3, limit = client('s3'), 3\ns3.get_object()",
        (
            "from fleet import aws\n(s3 := aws.client('s3')).can_paginate('x')\nread = "
            "partial(s3.get_object, Key='x')"
        ),
    ],
)
def test_a_call_is_seen_however_its_client_is_held(text: str) -> None:
    assert actions(text) == {"s3:GetObject"}


@pytest.mark.parametrize(
    "line", ['Resource: "*"', "Resource: '*' # all", "{Resource: ['*']}", "Resource: *", '  - "*"']
)
def test_a_star_without_a_reason_is_named(line: str) -> None:
    assert list(of_comments(f"Statement:\n{line}\n")) == [
        'template.yaml:2: Resource "*": name the resource, or say why none can be'
    ]


@pytest.mark.parametrize(
    "line", ['Resource: "*" # X-Ray has no resources', "Resource: !Sub arn:${A}:s3:::*", 'Ref: "*"']
)
def test_a_reason_or_a_narrower_resource_is_enough(line: str) -> None:
    assert list(of_comments(line)) == []
