"""Who may ask, from where, and what a browser may do with the answers."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from functions.console.app import create_app
from tests.console.conftest import WRITE, Account, ago, failing

from fleet_console.security import HEADERS
from fleet_console.settings import Settings

MUTE = {"pattern": "a/*", "reason": "b", "until": "1h"}
TEMPLATES = Path(__file__).parents[2] / "functions" / "console" / "fleet_console" / "templates"


@pytest.fixture
def behind_proxy(account: Account) -> FlaskClient:
    settings = Settings("fleet-test", "ledger", account.dead_letters, "X-Who", "fleet.example.org")
    return create_app(settings).test_client()


def test_this_machine_is_served_and_no_other(client: FlaskClient) -> None:
    answers = {
        host: client.get("/v1/mutes", headers={"Host": host}).status_code
        for host in ("localhost", "127.0.0.1:8321", "evil.example", "localhost.evil.example", "")
    }
    far = client.get("/v1/mutes", environ_base={"REMOTE_ADDR": "192.0.2.7"})

    assert list(answers.values()) == [200, 200, 400, 400, 400]
    assert far.status_code == 403
    assert client.get("/v1/live", headers={"Host": "10.0.0.7"}).status_code == 200


def test_behind_a_proxy_its_header_says_who_it_is(
    behind_proxy: FlaskClient, log: io.StringIO
) -> None:
    far: Any = {
        "environ_base": {"REMOTE_ADDR": "192.0.2.7"},
        "base_url": "https://fleet.example.org",
    }
    write = {**WRITE, "X-Who": "ada@example.org"}

    assert behind_proxy.get("/v1/mutes", **far).status_code == 403
    assert (
        behind_proxy.get("/v1/mutes", headers={"X-Who": "ada, mallory"}, **far).status_code == 403
    )
    assert behind_proxy.get("/v1/health", **far).status_code == 200
    made: Any = behind_proxy.post("/v1/mutes", json=MUTE, headers=write, **far).json
    assert made["author"] == "ada@example.org"
    (line,) = [json.loads(line) for line in log.getvalue().splitlines() if '"operated"' in line]
    assert (line["who"], line["method"], line["path"], line["status"]) == (
        "ada@example.org",
        "POST",
        "/v1/mutes",
        201,
    )


def test_a_header_is_believed_only_when_told_to(client: FlaskClient) -> None:
    made: Any = client.post("/v1/mutes", json=MUTE, headers={**WRITE, "X-Who": "mallory"}).json

    assert made["author"] != "mallory"


def test_no_other_site_can_write(client: FlaskClient) -> None:
    here = "http://localhost"
    answers = {
        name: client.post("/mutes", data=MUTE, headers=headers).status_code
        for name, headers in {
            "nothing said": {},
            "another site": {"Sec-Fetch-Site": "cross-site", "Origin": here},
            "a neighbour": {"Sec-Fetch-Site": "same-site", "Origin": here},
            "an old browser, elsewhere": {"Origin": "https://evil.example"},
            "an old browser, hidden": {"Origin": "null"},
            "no address": {"Origin": "http://["},
            "our own page": {"Sec-Fetch-Site": "same-origin"},
            "our own page, an old browser": {"Origin": here},
            "the API's header": WRITE,
        }.items()
    }

    assert list(answers.values()) == [403, 403, 403, 403, 403, 403, 303, 303, 303]
    assert client.delete("/v1/mutes/x").status_code == 403
    assert client.get("/v1/mutes").json["items"][0]["pattern"] == "a/*"  # type: ignore[index]


def test_every_answer_bears_the_headers(client: FlaskClient) -> None:
    for path in ("/", "/v1/live", "/v1/nope", "/nope", "/v1/findings?limit=0"):
        answer = client.get(path)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS, path
        assert answer.headers["Cache-Control"] == "no-store"
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_what_others_wrote_stays_text(client: FlaskClient, account: Account) -> None:
    evil = "<script>alert(1)</script>"
    account.observe(
        failing(evil, ago(hours=1), title=evil, detail={evil: evil}, link=f"javascript:{evil}")
    )
    account.park(evil, evil)
    (finding,) = client.get("/v1/findings").json["items"]  # type: ignore[index]
    (letter,) = client.get("/v1/letters").json["items"]  # type: ignore[index]

    for path in (
        "/",
        "/findings",
        f"/findings/{finding['id']}",
        "/letters",
        f"/letters/{letter['id']}",
        f"/{evil}",
    ):
        page = client.get(path).text
        assert evil not in page, path
    assert "&lt;script&gt;" in client.get(f"/findings/{finding['id']}").text


def test_no_template_marks_text_as_safe() -> None:
    found = [
        path.name for path in TEMPLATES.glob("*") if "|safe" in path.read_text().replace(" ", "")
    ]

    assert found == []
