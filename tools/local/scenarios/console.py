"""Ask the deployed console for its pages and API; let it run a job, mute, redrive and discard."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tools.local.fleet import Event, Fleet, sample
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
# Attempts, a second apart: the console keeps a list for 20 seconds, and others who look at the same
# time hide letters from it.
SHOWN_WITHIN = 120


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP status, and the body that came with it."""

    status: int
    body: str


class Console:
    """The deployed console, asked as its function URL would ask it."""

    def __init__(self, fleet: Fleet) -> None:
        """Find it in this fleet."""
        self.functions = fleet.account.lambda_

    def ask(self, method: str, path: str, body: Any = None) -> Response:
        """Send a request and return the answer; a `body` is sent as JSON."""
        event = request(method, path)
        if body is not None:
            event["body"] = json.dumps(body)
        answer = self.functions.invoke(
            FunctionName=f"{STACK}-console",
            Payload=json.dumps(event),
        )
        payload = answer["Payload"].read()
        document = json.loads(payload)
        expect("FunctionError" not in answer, f"{path} failed: {document}")
        return Response(
            status=document["statusCode"],
            body=document["body"],
        )

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
        response = self.ask(method, path, body)
        status = response.status
        wrong = f"{method} {path} answers {status}: {response.body:.300}"
        expect(status == expected, wrong)
        if not response.body:
            return None
        return json.loads(response.body)


def request(method: str, path: str) -> Event:
    """Return the event by which a function URL asks for a path, without a body."""
    event = read_event("console.json")
    raw_path, _, query = path.partition("?")
    event["rawPath"] = raw_path
    event["rawQueryString"] = query
    http = event["requestContext"]["http"]
    http["method"] = method
    http["path"] = raw_path
    headers = event["headers"]
    headers["fleet-console"] = "1"
    headers["content-type"] = "application/json"
    return event


def read_event(name: str) -> Event:
    """Return the event in a file of `tests/events`."""
    text = (EVENTS / name).read_text()
    event: Event = json.loads(text)
    return event


def seed(_: Fleet) -> None:
    """Seed nothing: the console looks at what the other scenarios do."""


def play(fleet: Fleet) -> str:
    """Read everything under the console's own role, then write."""
    console = Console(fleet)
    jobs = read(console)
    run_jobs(console)
    handle_letters(fleet, console)
    mute_and_unmute(console)
    pages = len(READ)
    return (
        f"read {pages} lists and pages and {jobs} jobs under its own role; ran {JOB} with a "
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
        document = console.get(path)
        state = document.get("state") or "missing"
        expect(state != "missing", f"{path} says that its state is {state}")
    return len(jobs)


def wait_for_page(console: Console, path: str) -> None:
    """Ask until the console shows it: on a busy machine AWS may not answer it in time."""

    def is_shown() -> bool:
        response = console.ask("GET", path)
        return response.status == 200

    retry(is_shown, f"{path} did not answer 200")


def run_jobs(console: Console) -> None:
    """Run a scheduled job, and a queue job with an event that it can never handle."""
    console.post("/v1/jobs/missed_runs/runs", {}, status=202)
    hopeless = {"event": {"hopeless": MARK}}
    path = f"/v1/jobs/{JOB}/runs"
    console.post(path, hopeless, status=202)


def handle_letters(fleet: Fleet, console: Console) -> None:
    """Find the dead letter of that event, and discard it; redrive two others."""

    def is_parked() -> bool:
        bodies = [letter["body"] for letter in fleet.dead_letters(JOB)]
        return any(MARK in body for body in bodies)

    fleet.wait_for(is_parked, f"{JOB} did not park the event that it cannot read")
    letter = retry(
        lambda: find_letter(console), "the console does not show the dead letter", SHOWN_WITHIN
    )
    dry_run = {"ids": [letter], "dry_run": True}
    answer = console.post("/v1/redrives", dry_run)
    expect_step(answer, "would")

    alert = leave_alert(fleet)
    notification = leave_notification(fleet)
    letters = {alert, notification}
    retry(lambda: redrive(console, letters), "the console did not send the letters back")

    discard = {"ids": [letter], "reason": "sent by the scenario"}
    answer = console.post("/v1/discards", discard)
    expect_step(answer, "discarded")


def expect_step(answer: Any, step: str) -> None:
    """Expect that this became of the first letter."""
    outcome = answer["outcomes"][0]
    wrong = f"expected {step}; the console answers {answer}"
    expect(outcome["step"] == step, wrong)


def find_letter(console: Console) -> str | None:
    """Return the id of the marked letter if the console shows it now."""
    answer = console.get(f"/v1/letters?job={JOB}")
    for letter in answer["items"]:
        letter_id = str(letter["id"])
        path = f"/v1/letters/{letter_id}"
        response = console.ask("GET", path)
        is_shown = response.status == 200
        if is_shown and MARK in response.body:
            return letter_id
    return None


def redrive(console: Console, left: set[str]) -> bool:
    """Send back those letters that nobody else looks at just now, which hides them.

    Take what was sent out of `left`; return whether that was all.
    """
    letters = {"ids": sorted(left)}
    answer = console.post("/v1/redrives", letters)
    for outcome in answer["outcomes"]:
        letter = outcome["letter"]
        if outcome["step"] == "sent":
            left.discard(letter)
    return not left


def mute_and_unmute(console: Console) -> None:
    """Mute what never opens, and end the mute."""
    mute = {"pattern": PATTERN, "reason": "scenario", "until": "1h"}
    answer = console.post("/v1/mutes", mute, status=201)
    mute_id = answer["id"]
    console.delete(f"/v1/mutes/{mute_id}")


def leave_alert(fleet: Fleet) -> str:
    """Leave an alert in the dead letters as notify_webhook parks it, and return the letter's id."""
    mark = uuid4().hex
    alert = sample("notify_webhook")
    detail = alert["detail"]
    detail["id"] = mark
    detail["dedup_key"] = f"console/{mark}"

    queue_url = fleet.outputs["NotifyWebhookQueue"]
    _, _, queue = queue_url.rpartition("/")
    source = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"
    letter = read_event("dead_letters/job.json")
    attributes = letter["MessageAttributes"]
    attributes["job"] = string_attribute("notify_webhook")
    attributes["source_arn"] = string_attribute(source)
    return leave(fleet, alert, attributes)


def string_attribute(text: str) -> dict[str, str]:
    """Return an attribute as SQS takes it."""
    return {"DataType": "String", "StringValue": text}


def leave_notification(fleet: Fleet) -> str:
    """Leave what SNS could not deliver in the dead letters, and return the letter's id."""
    letter = read_event("dead_letters/subscription.json")
    envelope = json.loads(letter["Body"])
    envelope["TopicArn"] = fleet.outputs["AlertsTopicArn"]
    envelope["Message"] = "the disk is odd"
    return leave(fleet, envelope, {})


def leave(fleet: Fleet, body: Event, attributes: Any) -> str:
    """Put a message into the dead letters, and return its id."""
    answer = fleet.account.sqs.send_message(
        QueueUrl=fleet.outputs["DeadLettersUrl"],
        MessageBody=json.dumps(body),
        MessageAttributes=attributes,
    )
    return answer["MessageId"]
