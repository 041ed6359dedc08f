"""Ask the deployed console for its pages and API; let it run a job, mute, redrive and discard."""

import json
from functools import partial
from typing import Any
from uuid import uuid4

from tools.local.fleet import Fleet, sample
from tools.local.progress import expect, retry
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
MARK = "asked for by the console"
LETTERS = ROOT / "tests" / "events" / "dead_letters"
PATTERN = "subject:console-scenario-*"


def seed(_: Fleet) -> None:
    """Seed nothing: the console looks at what the other scenarios do."""


def play(fleet: Fleet) -> str:
    """Read everything under the console's own role, then write."""
    jobs = read(fleet)
    run_jobs(fleet)
    handle_letters(fleet)
    mute_and_unmute(fleet)
    return (
        f"read {len(READ)} lists and pages and {jobs} jobs under its own role; ran {JOB} with a "
        "hopeless event, found its dead letter and discarded it; sent a message that a job had "
        "parked, and one that SNS could not deliver, back to where they came from; "
        "muted and unmuted"
    )


def read(fleet: Fleet) -> int:
    """Read every list and page, and every job, whose number is returned."""
    for path in READ:  # on a busy machine AWS may not answer the console in time
        retry(partial(succeeds, fleet, path), f"{path} did not answer 200")
    names = [job["name"] for job in json.loads(ask(fleet, "GET", "/v1/jobs")[1])["items"]]
    for name in names:
        job = json.loads(ask(fleet, "GET", f"/v1/jobs/{name}")[1])
        expect(job.get("state") not in (None, "missing"), f"/v1/jobs/{name} answers {job}")
    return len(names)


def run_jobs(fleet: Fleet) -> None:
    """Run a scheduled job, and a queue job with an event that it can never handle."""
    request(fleet, "POST", "/v1/jobs/missed_runs/runs", {}, 202)
    request(fleet, "POST", f"/v1/jobs/{JOB}/runs", {"event": {"hopeless": MARK}}, 202)


def handle_letters(fleet: Fleet) -> None:
    """Find the dead letter of that event, and discard it; redrive two others."""
    fleet.wait_for(
        lambda: any(MARK in letter["body"] for letter in fleet.dead_letters(JOB)),
        f"{JOB} parked no event that it cannot read",
    )
    letter = retry(partial(find_letter, fleet), "the console does not show the dead letter")
    answer = request(fleet, "POST", "/v1/redrives", {"ids": [letter], "dry_run": True}, 200)
    expect(answer["outcomes"][0]["step"] == "would", f"the dry run answers {answer}")
    redrive(fleet, undelivered_alert(fleet), undelivered_notification(fleet))
    discard = {"ids": [letter], "reason": "sent by the scenario"}
    answer = request(fleet, "POST", "/v1/discards", discard, 200)
    expect(answer["outcomes"][0]["step"] == "discarded", f"the discard answers {answer}")


def mute_and_unmute(fleet: Fleet) -> None:
    """Mute what never opens, and end the mute."""
    mute = {"pattern": PATTERN, "reason": "scenario", "until": "1h"}
    answer = request(fleet, "POST", "/v1/mutes", mute, 201)
    request(fleet, "DELETE", f"/v1/mutes/{answer['id']}", None, 200)


def undelivered_alert(fleet: Fleet) -> str:
    """Leave an alert in the dead letters as notify_webhook parks it, and return the letter's id."""
    letter: Any = json.loads((LETTERS / "job.json").read_text())
    alert = sample("notify_webhook")
    alert["detail"] |= {"id": uuid4().hex, "dedup_key": f"console/{uuid4().hex}"}
    queue = fleet.outputs["NotifyWebhookQueue"].rsplit("/", 1)[-1]
    facts = {"job": "notify_webhook", "source_arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"}
    attributes = letter["MessageAttributes"] | {
        name: {"DataType": "String", "StringValue": value} for name, value in facts.items()
    }
    return leave(fleet, json.dumps(alert), attributes)


def undelivered_notification(fleet: Fleet) -> str:
    """Leave what SNS could not deliver in the dead letters, and return the letter's id."""
    letter = json.loads((LETTERS / "subscription.json").read_text())
    envelope = json.loads(letter["Body"]) | {
        "TopicArn": fleet.outputs["AlertsTopicArn"],
        "Message": "the disk is odd",
    }
    return leave(fleet, json.dumps(envelope), {})


def leave(fleet: Fleet, body: str, attributes: Any) -> str:
    """Put a message into the dead letters, and return its id."""
    answer = fleet.account.sqs.send_message(
        QueueUrl=fleet.outputs["DeadLettersUrl"], MessageBody=body, MessageAttributes=attributes
    )
    return answer["MessageId"]


def redrive(fleet: Fleet, *letters: str) -> None:
    """Send dead letters back by the console. It may take several attempts: who looks at a letter
    hides it.
    """
    left = set(letters)

    def all_sent() -> bool:
        answer = request(fleet, "POST", "/v1/redrives", {"ids": sorted(left)}, 200)
        for outcome in answer["outcomes"]:
            if outcome["step"] == "sent":
                left.discard(outcome["letter"])
        return not left

    retry(all_sent, f"the console did not send {letters} back")


def find_letter(fleet: Fleet) -> str | None:
    """Return the id of the marked letter if the console shows it now."""
    letters = request(fleet, "GET", f"/v1/letters?job={JOB}", None, 200)["items"]
    for letter in letters:
        status, text = ask(fleet, "GET", f"/v1/letters/{letter['id']}")
        if status == 200 and MARK in str(json.loads(text)["body"]):
            return str(letter["id"])
    return None


def succeeds(fleet: Fleet, path: str) -> bool:
    """Whether the console shows what it is asked for."""
    return ask(fleet, "GET", path)[0] == 200


def request(fleet: Fleet, method: str, path: str, body: Any, expected: int) -> Any:
    """Send the console a request and return its answer, which must have this status."""
    status, text = ask(fleet, method, path, body)
    expect(status == expected, f"{method} {path} answers {status}: {text:.300}")
    return json.loads(text or "null")


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
    response = json.loads(answer["Payload"].read())
    expect("FunctionError" not in answer, f"{path} failed: {response}")
    return response["statusCode"], response["body"]
