"""Asks the deployed console what its pages and its API show, and has it run a job, mute, and redrive a dead letter."""

import json
from functools import partial
from typing import Any
from uuid import uuid4

from tools.local.fleet import Fleet, eventually, expect, sample
from tools.local.stack import STACK
from tools.paths import ROOT
from tools.sandbox import ACCOUNT, REGION

TRIGGER = "HTTP"
READ = (
    "/v1/health",
    "/v1/jobs",
    "/v1/findings?state=all",
    "/v1/mutes",
    "/v1/causes",
    "/v1/letters",
    "/",
    "/findings",
)
JOB = "start_pipeline"
LETTERS = ROOT / "tests" / "events" / "dead_letters"
PATTERN = "subject:console-scenario-*"


def seed(_: Fleet) -> None:
    """It looks at what the other scenarios do."""


def play(fleet: Fleet) -> str:
    """Read everything under the console's own role, then write."""
    for path in READ:  # a busy machine may keep a dependency from answering in time
        eventually(partial(answers, fleet, path), f"{path} did not answer 200")
    names = [job["name"] for job in json.loads(ask(fleet, "GET", "/v1/jobs")[1])["items"]]
    for name in names:
        job = json.loads(ask(fleet, "GET", f"/v1/jobs/{name}")[1])
        expect(job.get("state") not in (None, "missing"), f"/v1/jobs/{name} says {job}")
    status, said = ask(fleet, "POST", "/v1/jobs/missed_runs/runs", {})
    expect(status == 202, f"missed_runs was not run: {status}, {said:.300}")
    status, said = ask(
        fleet, "POST", f"/v1/jobs/{JOB}/runs", {"event": {"hopeless": "asked for by the console"}}
    )
    expect(status == 202, f"{JOB} was not run: {status}, {said:.300}")
    letter = eventually(
        lambda: _letter(fleet), f"no dead letter of {JOB} came of an event that it cannot read"
    )
    status, said = ask(fleet, "POST", "/v1/redrives", {"ids": [letter], "dry_run": True})
    expect(
        status == 200 and json.loads(said)["outcomes"][0]["step"] == "would",
        f"the redrive says {status}, {said}",
    )
    redrive(fleet, undelivered(fleet), unheard(fleet))
    status, said = ask(
        fleet, "POST", "/v1/discards", {"ids": [letter], "reason": "sent by the scenario"}
    )
    expect(
        status == 200 and json.loads(said)["outcomes"][0]["step"] == "discarded",
        f"it says {status}, {said}",
    )
    status, said = ask(
        fleet, "POST", "/v1/mutes", {"pattern": PATTERN, "reason": "scenario", "until": "1h"}
    )
    expect(status == 201, f"nothing was muted: {status}, {said:.300}")
    status, said = ask(fleet, "DELETE", f"/v1/mutes/{json.loads(said)['id']}")
    expect(status == 200, f"the mute did not end: {status}, {said:.300}")
    return (
        f"read {len(READ)} lists and pages and {len(names)} jobs under its own role; ran {JOB} with a hopeless event, "
        "found its dead letter and discarded it; sent a message that a job had parked, and one that SNS could not "
        "deliver, back to where they came from; muted and unmuted"
    )


def undelivered(fleet: Fleet) -> str:
    """Leave an alert in the dead letters as notify_webhook parks it, and return the letter's id."""
    letter: Any = json.loads((LETTERS / "job.json").read_text())
    alert = sample("notify_webhook")
    alert["detail"] |= {"id": uuid4().hex, "dedup_key": f"console/{uuid4().hex}"}
    queue = fleet.outputs["NotifyWebhookQueue"].rsplit("/", 1)[-1]
    facts = {"job": "notify_webhook", "source_arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"}
    attributes = letter["MessageAttributes"] | {
        name: {"DataType": "String", "StringValue": value} for name, value in facts.items()
    }
    return _left(fleet, json.dumps(alert), attributes)


def unheard(fleet: Fleet) -> str:
    """Leave what SNS could not deliver in the dead letters, and return the letter's id."""
    letter = json.loads((LETTERS / "subscription.json").read_text())
    envelope = json.loads(letter["Body"]) | {
        "TopicArn": fleet.outputs["AlertsTopicArn"],
        "Message": "the disk is odd",
    }
    return _left(fleet, json.dumps(envelope), {})


def _left(fleet: Fleet, body: str, attributes: Any) -> str:
    url = fleet.outputs["DeadLettersUrl"]
    return fleet.account.sqs.send_message(
        QueueUrl=url, MessageBody=body, MessageAttributes=attributes
    )["MessageId"]


def redrive(fleet: Fleet, *letters: str) -> None:
    """Send dead letters back by the console. A look of another hides them for a moment, so it may take two."""
    left = set(letters)

    def gone() -> bool:
        status, said = ask(fleet, "POST", "/v1/redrives", {"ids": sorted(left)})
        expect(status == 200, f"the redrive says {status}, {said:.300}")
        left.difference_update(
            each["letter"] for each in json.loads(said)["outcomes"] if each["step"] == "sent"
        )
        return not left

    eventually(gone, f"the console did not send {letters} back")


def answers(fleet: Fleet, path: str) -> bool:
    """Whether the console shows what it is asked for."""
    return ask(fleet, "GET", path)[0] == 200


def ask(fleet: Fleet, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """Send the deployed console a request as its function URL would; return status and body."""
    event = json.loads((ROOT / "tests" / "events" / "console.json").read_text())
    event["rawPath"], _, event["rawQueryString"] = path.partition("?")
    event["requestContext"]["http"] |= {"method": method, "path": event["rawPath"]}
    event["headers"] |= {"fleet-console": "1", "content-type": "application/json"}
    if body is not None:
        event["body"] = json.dumps(body)
    answer = fleet.account.lambda_.invoke(
        FunctionName=f"{STACK}-console", Payload=json.dumps(event)
    )
    said = json.loads(answer["Payload"].read())
    expect("FunctionError" not in answer, f"{path} failed: {said}")
    return said["statusCode"], said["body"]


def _letter(fleet: Fleet) -> str | None:
    items = json.loads(ask(fleet, "GET", f"/v1/letters?job={JOB}")[1])["items"]
    return next(
        (
            letter["id"]
            for letter in items
            if "asked for by the console" in _body(fleet, letter["id"])
        ),
        None,
    )


def _body(fleet: Fleet, letter: str) -> str:
    status, said = ask(fleet, "GET", f"/v1/letters/{letter}")
    return str(json.loads(said)["body"]) if status == 200 else ""
