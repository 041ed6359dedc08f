"""A server that stands for everything that alerts go to: Slack, PagerDuty and the receiver of a
webhook.

It checks what the real ones check, keeps what it was sent, and answers wrongly when told to:
`misbehave` takes the answers that the next requests to a destination get in the place of its own.
"""

import json
import re
import ssl
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, Literal

from standardwebhooks import Webhook, WebhookVerificationError

SLACK = "slack"
SLACK_WEBHOOK = "slack webhook"
PAGERDUTY = "pagerduty"
WEBHOOK = "webhook"
GONE = "gone"
SLACK_TOKEN = "xoxb-of-the-local-fleet"  # noqa: S105 - it opens nothing
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
SIGNING_KEY = "whsec_bG9jYWwgZmxlZXQgc2lnbmluZyBrZXk="
PATHS = {
    "/api/": SLACK,
    "/services/": SLACK_WEBHOOK,
    "/v2/enqueue": PAGERDUTY,
    "/hook": WEBHOOK,
    "/gone": GONE,
}
# Longer than the fleet's patience, so that a destination that hangs is given up.
HANG_SECONDS = 12.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a destination answers, and how: properly, by an echo, not at all, or too slowly.

    An arranged answer with `about` waits for a request that holds this text.
    """

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    manner: Literal["proper", "echo", "reset", "hang", "drip", "drip headers"] = "proper"
    about: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request, and what it was answered."""

    destination: str
    at: float
    path: str
    headers: dict[str, str]
    body: Any
    answer: Answer

    @property
    def accepted(self) -> bool:
        """Whether the destination took it."""
        return (
            self.answer.manner == "proper"
            and self.answer.status // 100 == 2
            and '"ok": false' not in self.answer.body
        )

    def as_json(self) -> dict[str, Any]:
        """What `build/demo.json` says of it."""
        return {
            "destination": self.destination,
            "at": round(self.at, 3),
            "path": self.path,
            "status": self.answer.status,
            "accepted": self.accepted,
            "body": self.body,
        }


class Destinations:
    """What was received, what became of it, and how the next requests are to be answered."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Tell times by this clock."""
        self.clock = clock
        self.deliveries: list[Delivery] = []
        self.messages: dict[str, dict[str, Any]] = {}
        """Slack's, by their timestamps; a reply has a `thread_ts`."""
        self.incidents: dict[str, list[str]] = defaultdict(list)
        """PagerDuty's: what was done to each, by deduplication key."""
        self.received: dict[str, Any] = {}
        """The webhook's, by id: a repeat changes nothing."""
        self.slack_token = SLACK_TOKEN
        self.signing_key = SIGNING_KEY
        self.arranged: dict[str, deque[Answer]] = defaultdict(deque)
        self.choose: Callable[[str], Answer | None] = lambda _: None
        """Asked for each request whose destination has no arranged answer."""
        self.url = ""
        self._lock = threading.Lock()

    def misbehave(self, destination: str, *answers: Answer) -> None:
        """Let the next requests to this destination be answered so."""
        self.arranged[destination].extend(answers)

    def of(self, destination: str) -> list[Delivery]:
        """Return what was sent to one destination, oldest first."""
        return [delivery for delivery in self.deliveries if delivery.destination == destination]

    def accepted(self, destination: str) -> list[Delivery]:
        """Return what one destination accepted, oldest first."""
        return [delivery for delivery in self.of(destination) if delivery.accepted]

    def alerts(self, key: str) -> list[dict[str, Any]]:
        """Return the alerts with this deduplication key that the webhook accepted, oldest first."""
        alerts = [delivery.body["data"] for delivery in self.accepted(WEBHOOK)]
        return [alert for alert in alerts if alert["dedup_key"] == key]

    def texts(self, method: str) -> list[str]:
        """Return the texts that Slack accepted by this method of its API, oldest first."""
        return [
            delivery.body["text"]
            for delivery in self.accepted(SLACK)
            if delivery.path.endswith(method)
        ]

    def take(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Decide the answer to one request, and keep both."""
        destination = destination_of(path)
        text = body.decode(errors="replace")
        with self._lock:
            answer = self._next_arranged(destination, body) or self.choose(destination)
            try:
                document = json.loads(body)
                if answer is None:
                    answer = self._proper(destination, path, headers, body.decode(), document)
            except ValueError:
                document = text
                answer = answer or Answer(400, "invalid_payload")
            if answer.manner == "echo":
                echo = f"{headers.get('authorization')} {path} {text}"
                answer = replace(answer, body=echo)
            delivery = Delivery(destination, self.clock(), path, headers, document, answer)
            self.deliveries.append(delivery)
        return answer

    def _next_arranged(self, destination: str, body: bytes) -> Answer | None:
        """Take the next arranged answer if it is for this request; otherwise return None."""
        arranged = self.arranged[destination]
        if not arranged:
            return None
        about = arranged[0].about.encode()
        if about not in body:
            return None
        return arranged.popleft()

    def _proper(
        self, destination: str, path: str, headers: dict[str, str], text: str, document: Any
    ) -> Answer:
        """Return what the real destination would answer."""
        match destination:
            case "slack":
                result = self._slack(path, headers, document)
                return Answer(200, json.dumps(result))
            case "slack webhook":
                return self._slack_webhook(document)
            case "pagerduty":
                return self._pagerduty(document)
            case "webhook":
                return self._webhook(headers, text, document)
            case "gone":
                return Answer(410, "nobody is here any more")
        return Answer(404, "no such destination")

    def _slack(
        self, path: str, headers: dict[str, str], document: dict[str, Any]
    ) -> dict[str, Any]:
        if headers.get("authorization") != f"Bearer {self.slack_token}":
            return {"ok": False, "error": "invalid_auth"}
        number = len(self.messages) + 1
        ts = document.get("ts") or f"{number}.000000"
        if path.endswith("chat.update") and ts not in self.messages:
            return {"ok": False, "error": "message_not_found"}
        self.messages[ts] = document
        return {"ok": True, "channel": document["channel"], "ts": ts}

    def _slack_webhook(self, document: dict[str, Any]) -> Answer:
        if not document.get("text"):
            return Answer(400, "no_text")
        return Answer(200, "ok")

    def _pagerduty(self, document: dict[str, Any]) -> Answer:
        if document.get("routing_key") != ROUTING_KEY:
            return Answer(400, '{"status": "invalid event", "errors": ["invalid routing key"]}')
        key = document["dedup_key"]
        self.incidents[key].append(document["event_action"])
        result = {"status": "success", "dedup_key": key}
        return Answer(202, json.dumps(result))

    def _webhook(self, headers: dict[str, str], text: str, document: Any) -> Answer:
        try:
            Webhook(self.signing_key).verify(text, headers)
        except WebhookVerificationError as error:
            return Answer(401, str(error))
        self.received.setdefault(headers["webhook-id"], document)
        return Answer(204)


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    block_on_close = False

    def __init__(self, destinations: Destinations) -> None:
        self.destinations = destinations
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_: object) -> None:
        """Callers that give up are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Answer as the destinations decide."""
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.close_connection = True
        answer = self.server.destinations.take(self.path, headers, body)
        match answer.manner:
            case "reset":
                self.reset()
            case "hang":
                time.sleep(HANG_SECONDS)
            case "drip":
                self.drip(f"HTTP/1.1 {answer.status} \r\nContent-Length: 100000\r\n\r\n")
            case "drip headers":
                self.drip(f"HTTP/1.1 {answer.status} \r\nSlow: ")
            case _:
                self.send(answer)

    def send(self, answer: Answer) -> None:
        """Send the whole answer."""
        body = answer.body.encode()
        headers = {"Content-Length": str(len(body)), **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} "]
        for name, value in headers.items():
            lines.append(f"{name}: {value}")
        head = "\r\n".join(lines)
        self.wfile.write(f"{head}\r\n\r\n".encode() + body)

    def reset(self) -> None:
        """Close the connection so that the caller gets a reset: by lingering for no time."""
        no_time = struct.pack("ii", 1, 0)
        self.connection.setsockopt(SOL_SOCKET, SO_LINGER, no_time)
        self.connection.close()

    def drip(self, beginning: str) -> None:
        """Send a byte now and then."""
        self.wfile.write(beginning.encode())
        until = time.monotonic() + HANG_SECONDS
        while time.monotonic() < until:
            self.wfile.write(b".")
            time.sleep(0.1)

    def log_message(self, *_: object) -> None:
        """Leave requests out of the fleet's output."""


@contextmanager
def serving(
    destinations: Destinations | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Destinations]:
    """Serve on a free loopback port; yield the destinations, whose `url` leads there."""
    kept = destinations or Destinations()
    with _Server(kept) as server:
        if tls:
            server.socket = tls.wrap_socket(
                server.socket,
                server_side=True,
                do_handshake_on_connect=False,
            )
        scheme = "https" if tls else "http"
        kept.url = f"{scheme}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(
            target=server.serve_forever,
            args=(0.05,),
            name="destinations",
            daemon=True,
        )
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()


def destination_of(path: str) -> str:
    """Return the destination that a path belongs to, or the path itself when there is none."""
    for prefix, destination in PATHS.items():
        if path.startswith(prefix):
            return destination
    return path


def environment(destinations: Destinations) -> dict[str, str]:
    """Return the variables by which the fleet's sinks reach the destinations."""
    url = destinations.url
    return {
        "ALLOWED_DESTINATIONS": re.sub("https?://", "", url),
        "SLACK_URL": f"{url}/api",
        "PAGERDUTY_URL": f"{url}/v2/enqueue",
    }
