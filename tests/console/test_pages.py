"""The pages, as a browser without scripts gets them: their words, their HTML, their forms."""

import html
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from flask.testing import FlaskClient
from tests.console.conftest import QUEUED, SCHEDULED, STACK, Account, ago, failing
from werkzeug.test import TestResponse

from fleet import aws
from fleet.findings import Finding, Severity
from fleet_console import pages

FORM = {"Sec-Fetch-Site": "same-origin"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 191 }}"
FIELDS = {"input", "select", "textarea"}
VOID = {"img", "input", "link", "meta", "path", "circle", "rect"}


@dataclass
class Page(HTMLParser):
    """What of a page can be wrong however it looks."""

    text: str
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def of(self, *names: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name in names]

    def faults(self) -> list[str]:
        """Return what people who cannot see it would miss, and what its security policy forbids."""
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        labelled = {label.get("for") for label in self.of("label")}
        fields = [each for each in self.of(*FIELDS) if each.get("type") != "hidden"]
        referred = [
            each
            for _, attributes in self.tags
            for name in ("aria-labelledby", "aria-describedby")
            for each in attributes.get(name, "").split()
        ]
        links = [
            attributes.get("href") or attributes.get("src", "")
            for attributes in self.of("link", "script", "img")
        ]
        return [
            *(f"the id {each} is there twice" for each in set(ids) if ids.count(each) > 1),
            *(
                f"a field has no label: {each}"
                for each in fields
                if each.get("id") not in labelled and "aria-label" not in each
            ),
            *(f"nothing has the id {each}" for each in referred if each not in ids),
            *(
                f"inline style or script: {tag} {at}"
                for tag, at in self.tags
                if any(n == "style" or n.startswith("on") for n in at)
            ),
            *(
                f"a script or style of its own: {at}"
                for tag, at in self.tags
                if tag == "style" or (tag == "script" and "src" not in at)
            ),
            *(
                f"loaded from elsewhere: {link}"
                for link in links
                if not link.startswith("/static/")
            ),
            *([] if len(self.of("h1")) == 1 else ["it has not one main heading"]),
            *(
                []
                if len(self.of("main")) == 1 and self.of("nav") and self.of("header")
                else ["a landmark is missing"]
            ),
            *([] if self.of("html")[0].get("lang") else ["its language is not said"]),
        ]


def page(client: FlaskClient, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.get_data(as_text=True)
    text = answer.get_data(as_text=True)
    assert Page(text).faults() == []
    return text


def words(text: str) -> str:
    """The page as text, with spaces as people see them."""
    return " ".join(re.sub(r"<svg.*?</svg>|<[^>]*>", " ", text, flags=re.DOTALL).split())


def post(client: FlaskClient, path: str, **form: Any) -> TestResponse:
    return client.post(path, data=form, headers=FORM)


def followed(client: FlaskClient, answer: TestResponse) -> str:
    """Go where a form leads; what was done is told there, once."""
    assert answer.status_code == 303, answer.get_data(as_text=True)
    there = page(client, answer.headers["Location"])
    assert (
        'class="notice'
        not in page(client, answer.headers["Location"]).split("<main")[1].split("<h1>")[0]
    )
    return words(there)


def number(client: FlaskClient, subject: str) -> str:
    items = client.get("/v1/findings?state=all").json["items"]  # type: ignore[index]
    return str(next(item["id"] for item in items if item["subject"] == subject))


def hostile(account: Account) -> None:
    """Write what others may write wherever the fleet keeps it."""
    fact = {HOSTILE: HOSTILE}
    account.observe(
        failing(
            "evil",
            ago(hours=1),
            title=HOSTILE,
            owner=HOSTILE,
            detail=fact,
            link="javascript:alert(1)",
        )
    )
    account.park(json.dumps({"detail": HOSTILE}), HOSTILE)
    logs = aws.client("logs")
    group = f"/fleet/{STACK}"
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    said = json.dumps(
        {"service": SCHEDULED, "level": HOSTILE, "message": HOSTILE, "pipeline": HOSTILE}
    )
    lines: Any = [{"timestamp": round(ago(minutes=1).timestamp() * 1000), "message": said}]
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=lines)


def test_what_others_wrote_is_text_on_every_page(account: Account, client: FlaskClient) -> None:
    hostile(account)
    assert (
        post(client, "/mutes", pattern=f"*{HOSTILE}*", reason=HOSTILE, until="1h").status_code
        == 303
    )
    letter = client.get("/v1/letters").json["items"][0]["id"]  # type: ignore[index]
    places = [
        "/",
        "/findings",
        "/mutes",
        "/letters",
        f"/jobs/{SCHEDULED}",
        f"/jobs/{QUEUED}",
        f"/letters/{letter}",
    ]
    places += [
        f"/findings/{number(client, 'evil')}",
        f"/letters/redrive?id={letter}",
        f"/letters/discard?id={letter}",
    ]

    shown = {place: page(client, place) for place in places}

    for place, text in shown.items():  # the first also tells what was muted
        assert "&lt;script&gt;alert(1)" in text, place
        assert [at["src"] for at in Page(text).of("script")] == ["/static/console.js"], place
        assert [at["src"] for at in Page(text).of("img")] == ["/static/console.svg"], place
        assert not [
            at for at in Page(text).of("a") if at.get("href", "").startswith("javascript")
        ], place
        assert "1337" not in text, place


def test_an_empty_fleet_says_so(account: Account, client: FlaskClient) -> None:
    assert "no run yet" in page(client, "/")
    assert "Nothing is wrong" in page(client, "/findings")
    assert "No finding fits these filters" in page(client, "/findings?owner=nobody&severity=")
    assert "Nothing is muted" in page(client, "/mutes")
    assert "No dead letters" in page(client, "/letters")
    assert "The job has logged nothing in the last hour" in page(client, f"/jobs/{SCHEDULED}")


def test_the_fleet_at_a_glance(account: Account, client: FlaskClient) -> None:
    account.report(SCHEDULED, at=ago(hours=25))
    account.report(SCHEDULED, Finding("web", "web is paused", Severity.CRITICAL), at=ago(hours=2))
    account.observe(failing("shop-5xx", ago(hours=1)))
    account.park("{}")

    text = page(client, "/")

    rows = [words(row) for row in re.findall(r"<tr>.*?</tr>", text, re.DOTALL)]
    states = [
        next(word for word in row.split() if word in ("missing", "failing", "findings"))
        for row in rows[1:]
    ]
    assert states == sorted(states, key=["missing", "failing", "findings"].index), (
        "the most urgent first"
    )
    (row,) = [row for row in rows if row.startswith(SCHEDULED)]
    assert re.fullmatch(
        rf"{SCHEDULED} schedule, every 12 hours findings 2 h ago \S+.* in \d+ \w+ .* 1 critical 0",
        row,
    ), row
    assert 'aria-label="Last 2 runs: 1 with findings, at most 1"' in text
    assert re.search(
        r"1 critical finding 1 warning finding 0 info findings 1 dead letter ", words(text)
    )


UNREAD = [
    ("findings", "tally", "/", "The ledger"),
    ("letters", "all", "/", "The dead letters"),
    ("jobs", "schedule", "/", "The schedules"),
    ("jobs", "queue", "/", "The queues"),
    ("jobs", "grace", "/", "The settings of missed_runs"),
    ("findings", "page", "/findings", "The ledger"),
    ("mutes", "all", "/mutes", "The ledger"),
    ("letters", "all", "/letters", "The dead letters"),
    ("logs", "last_lines", f"/jobs/{SCHEDULED}", "Its log"),
    ("jobs", "settings", f"/jobs/{QUEUED}", "Its settings"),
    ("jobs", "reports", f"/jobs/{SCHEDULED}", "The ledger"),
]


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(
    account: Account, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.report(SCHEDULED, at=ago(minutes=1))
    ok = f"{SCHEDULED} schedule, every 12 hours ok"
    assert ok in words(page(client, "/"))
    reading = client.application.extensions["reading"]
    asked: list[Exception] = []
    refused = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Query")

    def fail(*_: Any) -> Any:
        asked.append(error)
        raise error

    for reader, unread, place, words_for_it in UNREAD:
        refuses = unread in ("page", "queue")
        error = refused if refuses else EndpointConnectionError(endpoint_url="https://here")
        asked.clear()
        with monkeypatch.context() as patch:
            patch.setattr(getattr(reading, reader), unread, fail)
            text = words(page(client, place))

        cause = (
            "AccessDeniedException: no"
            if refuses
            else 'EndpointConnectionError: Could not connect to the endpoint URL: "https://here"'
        )
        assert f"{words_for_it}: {cause}" in html.unescape(text), unread
        assert len(asked) == 1, (
            f"{unread}: what has failed once is not asked again for the same page"
        )
        assert "Nothing is wrong" not in text
        assert "No dead letters" not in text
        if place == "/":  # silence of what was not read says nothing; a queue is none of this job's
            assert (ok in text) is (unread in ("queue", "grace")), unread


def test_findings_are_filtered_and_paged(account: Account, client: FlaskClient) -> None:
    for place in range(5):
        account.observe(failing(f"a{place}", ago(hours=place + 1), owner="shop"))
    account.observe(failing("critical", ago(days=9), Severity.CRITICAL))

    def subjects(path: str) -> list[str]:
        return re.findall(r"aws\.cloudwatch · (\w+)", page(client, path))

    assert subjects("/findings?owner=shop&source=&severity=") == ["a0", "a1", "a2", "a3", "a4"]
    assert subjects("/findings?severity=critical&older_than=7d") == ["critical"]
    assert subjects("/findings?state=closed") == []
    first = page(client, "/findings?limit=4&owner=shop")
    (older,) = [at["href"] for at in Page(first).of("a") if at.get("rel") == "next"]
    assert subjects(older.replace("&amp;", "&")) == ["a4"]
    wrong = page(client, "/findings?severity=bad&limit=x", 400)
    assert "severity" in wrong
    assert "limit" in wrong
    assert page(client, "/findings?cursor=nonsense", 400)
    assert "unknown: _method, endpoint" in page(
        client, "/findings?cursor=x&endpoint=pages.mutes&_method=PUT", 400
    )
    assert "by state, newest first within each" in page(client, "/findings?state=all")


def test_a_finding_is_muted_and_unmuted(account: Account, client: FlaskClient) -> None:
    account.observe(failing("web[1]", ago(hours=2)))
    account.observe(failing("web[1]", ago(hours=1), Severity.CRITICAL))
    place = f"/findings/{number(client, 'web[1]')}"
    text = page(client, place)
    assert re.search(r"Timeline escalated critical 1 h ago .* opened warning 2 h ago", words(text))
    hidden = {
        at["name"]: at["value"] for at in Page(text).of("input") if at.get("type") == "hidden"
    }

    answer = post(client, "/mutes", **hidden, reason="known", until="4h")

    assert answer.headers["Location"] == place
    assert "Muted aws.cloudwatch/web[[]1] until" in followed(client, answer)
    assert "known" in words(page(client, place))
    (end,) = [at["action"] for at in Page(page(client, place)).of("form")]
    assert "Unmuted aws.cloudwatch/web[[]1]" in followed(client, post(client, end))
    assert "Nothing is muted" in page(client, "/mutes")


def test_a_mute_that_is_wrong_is_asked_for_again_with_what_was_written(
    account: Account, client: FlaskClient
) -> None:
    answer = post(client, "/mutes", pattern="owner:web", reason=" ", until="forever")

    text = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert Page(text).faults() == []
    assert 'role="alert"' in text
    assert "until" in text
    assert 'value="owner:web"' in text


def test_a_job_is_run_as_scheduled_or_with_an_event(
    account: Account, function: None, client: FlaskClient
) -> None:
    told = followed(client, post(client, f"/jobs/{SCHEDULED}"))
    assert f"Asked {SCHEDULED} to run" in told
    assert "PAUSED_HOURS 24" in told

    told = followed(client, post(client, f"/jobs/{QUEUED}", event='{"pipeline": "web"}'))
    assert f"Asked {QUEUED} to run. If this message fails" in told
    assert account.messages() == ['{"pipeline": "web"}']


def test_an_event_that_is_wrong_is_asked_for_again(account: Account, client: FlaskClient) -> None:
    for event, why in (
        ("{]", "the event is not JSON"),
        ("[" * 50_000, "the event is not JSON"),
        ("[1]", "expected a mapping"),
        ("", "give the event to run it with"),
    ):
        answer = post(client, f"/jobs/{QUEUED}", event=event)

        text = answer.get_data(as_text=True)
        assert answer.status_code == 400
        assert Page(text).faults() == []
        assert why in text
        assert f">{event}</textarea>" in text
        assert client.get(answer.request.path).status_code == 200, (
            "what is live can be looked at again"
        )
    assert account.messages() == []


def test_dead_letters_are_redriven_only_as_was_confirmed(
    account: Account, client: FlaskClient
) -> None:
    account.park('{"n": 1}')
    account.park('{"n": 2}')
    account.park('{"n": 3}', "another cause")
    overview = page(client, "/letters")
    assert re.findall(r"(\d) letters?, all of which can be sent back", words(overview)) == [
        "2",
        "1",
    ]
    (cause, _) = [at["value"] for at in Page(overview).of("input") if at["name"] == "cause"]

    asked = page(client, f"/letters/redrive?cause={cause}")

    assert "Redrive 2 dead letters?" in asked
    assert f"It is sent to arn:aws:sqs:eu-west-1:123456789012:{STACK}-{QUEUED}" in words(asked)
    assert account.messages() == []
    account.park('{"n": 4}')  # of the same cause, but not what was confirmed
    ids = [at["value"] for at in Page(asked).of("input") if at["name"] == "id"]
    assert "Dead letters: 2 sent." in followed(client, post(client, "/letters/redrive", id=ids))
    assert sorted(account.messages()) == ['{"n": 1}', '{"n": 2}']


def test_a_dead_letter_is_discarded_only_with_a_reason(
    account: Account, client: FlaskClient
) -> None:
    account.park('{"password": "hunter2", "n": 1}')
    letter = client.get("/v1/letters").json["items"][0]["id"]  # type: ignore[index]
    shown = page(client, f"/letters/{letter}")
    assert "hunter2" not in shown
    assert "JSON with password, n" in shown
    assert "It is deleted" in page(client, f"/letters/discard?id={letter}")

    refused = post(client, "/letters/discard", id=letter, reason=" ")
    assert refused.status_code == 400
    assert Page(refused.get_data(as_text=True)).faults() == []
    assert "Dead letters: 1 discarded." in followed(
        client, post(client, "/letters/discard", id=letter, reason="test")
    )
    page(client, f"/letters/{letter}", 404)
    assert "None of these can be seen now" in page(client, f"/letters/redrive?id={letter}")


def test_a_form_of_another_site_changes_nothing(account: Account, client: FlaskClient) -> None:
    for path in ("/mutes", f"/jobs/{SCHEDULED}", "/letters/redrive", "/letters/discard"):
        answer = client.post(
            path, data={"id": "1", "reason": "x"}, headers={"Sec-Fetch-Site": "cross-site"}
        )

        assert answer.status_code == 403, path
        assert Page(answer.get_data(as_text=True)).faults() == []


def test_every_link_inside_leads_somewhere(account: Account, client: FlaskClient) -> None:
    account.report(
        SCHEDULED,
        Finding("web", "web is paused", Severity.WARNING, link="https://example.com/"),
        at=ago(hours=2),
    )
    account.park("{}")
    seen, left = set(), ["/"]
    while left:
        place = left.pop()
        seen.add(place)
        with client.get(place) as answer:
            assert answer.status_code == 200, place
            text = answer.get_data(as_text=True)
        if answer.mimetype == "text/html":
            links = [at["href"] for at in Page(text).of("a", "link") if "href" in at]
            local = {
                link.replace("&amp;", "&")
                for link in links
                if link.startswith("/") and not urlsplit(link).netloc
            }
            left += sorted(local - seen - set(left))
    assert len(seen) > 15


def test_letters_that_somebody_else_looks_at_are_waited_for(
    account: Account, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.park('{"n": 1}')
    sqs = aws.client("sqs")
    (held,) = sqs.receive_message(QueueUrl=account.dead_letters)["Messages"]
    monkeypatch.setattr(pages, "LOOK_PASSES_SECONDS", 0)
    told = followed(client, post(client, "/letters/redrive", job=QUEUED))
    assert "none of them could be seen, so nothing was done" in told
    assert "1 more are held by somebody else" in told

    def given_back(_: float) -> None:
        sqs.change_message_visibility(
            QueueUrl=account.dead_letters, ReceiptHandle=held["ReceiptHandle"], VisibilityTimeout=0
        )

    monkeypatch.setattr(pages, "sleep", given_back)
    assert "Dead letters: 1 sent." in followed(client, post(client, "/letters/redrive", job=QUEUED))


def test_half_a_surrogate_pair_can_be_shown(account: Account, client: FlaskClient) -> None:
    account.observe(
        failing("web", ago(hours=1), title="half \ud800 a pair", detail={"fact": "\udfff"})
    )
    account.park('{"half": "\\ud800 a pair"}')
    letter = client.get("/v1/letters").json["items"][0]["id"]  # type: ignore[index]

    for place in ("/findings", f"/findings/{number(client, 'web')}", f"/letters/{letter}"):
        assert "? a pair" in page(client, place), place
