"""Ask the deployed console for its pages and API; let it run a job, mute, redrive and discard."""

import json
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
EVENTS = ROOT / "tests" / "events"
PATTERN = "subject:console-scenario-*"


class Console:
    """The deployed console, asked as its function URL would ask it."""

    def __init__(self, fleet: Fleet) -> None:
        """Find it in this fleet."""
        self.functions = fleet.account.lambda_

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Send a request; return the status and the body of the answer."""
        event = json.loads((EVENTS / "console.json").read_text())
        event["rawPath"], _, event["rawQueryString"] = path.partition("?")
        event["requestContext"]["http"] |= {"method": method, "path": event["rawPath"]}
        event["headers"] |= {"fleet-console": "1", "content-type": "application/json"}
        if body is not None:
            event["body"] = json.dumps(body)
        answer = self.functions.invoke(
            FunctionName=f"{STACK}-console",
            Payload=json.dumps(event),
        )
        response = json.loads(answer["Payload"].read())
        expect("FunctionError" not in answer, f"{path} failed: {response}")
        return response["statusCode"], response["body"]

    def get(self, path: str) -> Any:
        """Return what is at a path of the API."""
        return self._expect(200, "GET", path)

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        """Post to a path of the API, and return the answer, which must have this status."""
        return self._expect(status, "POST", path, body)

    def delete(self, path: str) -> Any:
        """Delete what is at a path of the API."""
        return self._expect(200, "DELETE", path)

    def _expect(self, expected: int, method: str, path: str, body: Any = None) -> Any:
        status, text = self.ask(method, path, body)
        expect(status == expected, f"{method} {path} answers {status}: {text:.300}")
        return json.loads(text or "null")


def seed(_: Fleet) -> None:
    """Seed nothing: the console looks at what the other scenarios do."""


def play(fleet: Fleet) -> str:
    """Read everything under the console's own role, then write."""
    console = Console(fleet)
    jobs = read(console)
    run_jobs(console)
    handle_letters(fleet, console)
    mute_and_unmute(console)
    return (
        f"read {len(READ)} lists and pages and {jobs} jobs under its own role; ran {JOB} with a "
        "hopeless event, found its dead letter and discarded it; sent a message that a job had "
        "parked, and one that SNS could not deliver, back to where they came from; "
        "muted and unmuted"
    )


def read(console: Console) -> int:
    """Read every list and page, and every job; return how many jobs there are."""
    for path in READ:
        wait_for_page(console, path)
    jobs = console.get("/v1/jobs")["items"]
    for job in jobs:
        path = f"/v1/jobs/{job['name']}"
        state = console.get(path).get("state")
        expect(state not in (None, "missing"), f"{path} says that its state is {state}")
    return len(jobs)


def wait_for_page(console: Console, path: str) -> None:
    """Ask until the console shows it: on a busy machine AWS may not answer it in time."""

    def is_shown() -> bool:
        status, _ = console.ask("GET", path)
        return status == 200

    retry(is_shown, f"{path} did not answer 200")


def run_jobs(console: Console) -> None:
    """Run a scheduled job, and a queue job with an event that it can never handle."""
    console.post("/v1/jobs/missed_runs/runs", {}, status=202)
    event = {"hopeless": MARK}
    console.post(f"/v1/jobs/{JOB}/runs", {"event": event}, status=202)


def handle_letters(fleet: Fleet, console: Console) -> None:
    """Find the dead letter of that event, and discard it; redrive two others."""

    def is_parked() -> bool:
        return any(MARK in letter["body"] for letter in fleet.dead_letters(JOB))

    fleet.wait_for(is_parked, f"{JOB} did not park the event that it cannot read")
    letter = retry(lambda: find_letter(console), "the console does not show the dead letter")
    answer = console.post("/v1/redrives", {"ids": [letter], "dry_run": True})
    expect_step(answer, "would")
    letters = {leave_alert(fleet), leave_notification(fleet)}
    retry(lambda: redrive(console, letters), "the console did not send the letters back")
    answer = console.post("/v1/discards", {"ids": [letter], "reason": "sent by the scenario"})
    expect_step(answer, "discarded")


def expect_step(answer: Any, step: str) -> None:
    """Expect that this became of the first letter."""
    (outcome, *_) = answer["outcomes"]
    expect(outcome["step"] == step, f"expected {step}; the console answers {answer}")


def find_letter(console: Console) -> str | None:
    """Return the id of the marked letter if the console shows it now."""
    letters = console.get(f"/v1/letters?job={JOB}")["items"]
    for letter in letters:
        letter_id = str(letter["id"])
        status, text = console.ask("GET", f"/v1/letters/{letter_id}")
        if status == 200 and MARK in text:
            return letter_id
    return None


def redrive(console: Console, left: set[str]) -> bool:
    """Send back those letters that nobody else looks at just now, which hides them.

    Take what was sent out of `left`; return whether that was all.
    """
    answer = console.post("/v1/redrives", {"ids": sorted(left)})
    for outcome in answer["outcomes"]:
        if outcome["step"] == "sent":
            left.discard(outcome["letter"])
    return not left


def mute_and_unmute(console: Console) -> None:
    """Mute what never opens, and end the mute."""
    mute = {"pattern": PATTERN, "reason": "scenario", "until": "1h"}
    answer = console.post("/v1/mutes", mute, status=201)
    console.delete(f"/v1/mutes/{answer['id']}")


def leave_alert(fleet: Fleet) -> str:
    """Leave an alert in the dead letters as notify_webhook parks it, and return the letter's id."""
    letter: Any = json.loads((EVENTS / "dead_letters" / "job.json").read_text())
    alert = sample("notify_webhook")
    alert["detail"] |= {"id": uuid4().hex, "dedup_key": f"console/{uuid4().hex}"}
    queue = fleet.outputs["NotifyWebhookQueue"].rsplit("/", 1)[-1]
    facts = {
        "job": "notify_webhook",
        "source_arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
    }
    attributes = letter["MessageAttributes"]
    for name, value in facts.items():
        attributes[name] = {"DataType": "String", "StringValue": value}
    return leave(fleet, json.dumps(alert), attributes)


def leave_notification(fleet: Fleet) -> str:
    """Leave what SNS could not deliver in the dead letters, and return the letter's id."""
    letter = json.loads((EVENTS / "dead_letters" / "subscription.json").read_text())
    envelope = json.loads(letter["Body"])
    envelope["TopicArn"] = fleet.outputs["AlertsTopicArn"]
    envelope["Message"] = "the disk is odd"
    return leave(fleet, json.dumps(envelope), {})


def leave(fleet: Fleet, body: str, attributes: Any) -> str:
    """Put a message into the dead letters, and return its id."""
    answer = fleet.account.sqs.send_message(
        QueueUrl=fleet.outputs["DeadLettersUrl"],
        MessageBody=body,
        MessageAttributes=attributes,
    )
    return answer["MessageId"]
