"""A web server of which one page fails until it is repaired and two are well, and an entry that
someone mistyped.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tools.local.alert_waits import wait_until_opened, wait_until_resolved
from tools.local.destinations import SLACK
from tools.local.fleet import Fleet, Tap
from tools.local.progress import expect

TRIGGER = "schedule, queue"
JOB = "failing_endpoints"
FAILING = "shop/checkout"
API_KEY = "key-of-the-search"
MISTYPED = "[STATSU] == 200"


class Pages(ThreadingHTTPServer):
    """Answers what `statuses` says of the path, and 200 for any other."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.statuses = {"/checkout": 503}
        threading.Thread(target=self.serve_forever, name="pages", daemon=True).start()


class Page(BaseHTTPRequestHandler):
    """One request."""

    server: Pages

    def do_GET(self) -> None:
        """Answer with the path's status; who searches must have the key."""
        refused = self.path == "/search" and self.headers["X-Api-Key"] != API_KEY
        self.send_response(401 if refused else self.server.statuses.get(self.path, 200))
        self.end_headers()
        self.wfile.write(b'{"status": "UP"}')

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


pages: list[Pages] = []


def listed(port: int, key: str, condition: str) -> str:
    """Return the list, as one would paste it from gatus; one endpoint has this condition."""
    url = f"http://127.0.0.1:{port}"
    return f"""
endpoints:
  - name: checkout
    group: shop
    url: {url}/checkout
    conditions: ["[STATUS] == 200", "[RESPONSE_TIME] < 5s"]
    private: true
  - name: home
    group: shop
    url: {url}/
    conditions: ["[STATUS] == 200", "[BODY].status == UP"]
    private: true
  - name: search
    group: shop
    url: {url}/search
    headers: {{X-Api-Key: "${{{key}}}"}}
    conditions: ["{condition}"]
    private: true
"""


def seed(fleet: Fleet) -> None:
    """Serve the pages, and list them with a condition that someone mistyped."""
    pages.append(Pages())
    configure(fleet, MISTYPED)


def configure(fleet: Fleet, condition: str) -> None:
    """Write the list, and the key that a header takes from a secret."""
    key = fleet.entrust(JOB, "search", API_KEY)
    fleet.configure(JOB, "ENDPOINTS_PARAMETER", listed(pages[-1].server_port, key, condition))


def play(fleet: Fleet) -> str:
    """Expect two findings, until both are repaired; then let the run be divided."""
    findings = {finding["subject"]: finding for finding in fleet.report(JOB)}
    mistyped = f"entry 3 of {fleet.variables(JOB)['ENDPOINTS_PARAMETER']}"
    expect(
        set(findings) == {FAILING, mistyped},
        f"expected {FAILING} and {mistyped}; reported: {set(findings)}",
    )
    detail = findings[FAILING]["detail"]
    expect(
        (detail["phase"], detail["got"]) == ("condition", "[STATUS] is 503"),
        f"the finding says {detail}",
    )
    wait_until_opened(fleet, f"{JOB}/{FAILING}", SLACK)
    wait_until_opened(fleet, f"{JOB}/{mistyped}", SLACK)
    pages[-1].statuses.clear()
    configure(fleet, "[STATUS] == 200")
    fleet.report_nothing(JOB, "every page answers")
    wait_until_resolved(fleet, f"{JOB}/{FAILING}", SLACK)
    wait_until_resolved(fleet, f"{JOB}/{mistyped}", SLACK)
    fleet.renew(JOB, fleet.variables(JOB) | {"ENDPOINTS_PER_RUN": "1"})
    with fleet.tap(
        f"{JOB}-parts",
        {"source": ["fleet"], "detail-type": ["Job Report"], "detail": {"job": [JOB]}},
    ) as tap:
        fleet.report(JOB)
        parts = divided(tap)
    return (
        f"{findings[FAILING]['title']}: opened at Slack and webhook, as was a mistyped entry; "
        f"repaired, and resolved at both. With one endpoint per run, {parts} parts of it came "
        "through its own queue and reported everything"
    )


def divided(tap: Tap) -> int:
    """Wait for the three parts of a run, whose ranges must meet; return how many there are."""
    reports = [tap.next("a part of the run was not reported")["detail"] for _ in range(3)]
    bounds = {(report["after"], report["through"]) for report in reports}
    expected = {(None, FAILING), (FAILING, "shop/home"), ("shop/home", None)}
    expect(bounds == expected, f"the parts are about {bounds}")
    return len(bounds)
