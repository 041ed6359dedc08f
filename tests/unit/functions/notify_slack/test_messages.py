import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sample_alerts import SAMPLE, alert

from fleet.alerts import AlertStatus
from fleet.findings import Severity
from fleet_slack.messages import escape, finding_message, thread_reply

HOSTILE = st.text(
    alphabet=st.sampled_from("&<>|!@#*_~`:/ \n\u202e\x00abc…"), max_size=4_000
) | st.text(max_size=400)
TEXTS = {
    "title": HOSTILE,
    "subject": HOSTILE,
    "owner": HOSTILE,
    "source": HOSTILE,
    "link": HOSTILE,
    "runbook": HOSTILE,
}
FACTS = st.dictionaries(HOSTILE, HOSTILE | st.integers() | st.booleans() | st.floats(), max_size=40)
OUR_LINK = re.compile(r"<https?://[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]*\|(Console|Runbook)>")


def strings(value: Any) -> list[str]:
    match value:
        case dict():
            return [text for inner in value.values() for text in strings(inner)]
        case list():
            return [text for inner in value for text in strings(inner)]
        case str():
            return [value]
    return []


def blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    (attachment,) = message["attachments"]
    return list(attachment["blocks"])


@given(st.fixed_dictionaries(TEXTS), FACTS, st.sampled_from(AlertStatus), st.sampled_from(Severity))
def test_whatever_an_alert_says_the_message_is_within_limits_and_free_of_markup(
    texts: dict[str, str], facts: dict[str, Any], status: AlertStatus, severity: Severity
) -> None:
    made = alert(**texts, detail=facts, status=status, severity=severity)
    message = finding_message(made)
    shown = blocks(message)
    assert 0 < len(shown) <= 50
    assert len(message["text"]) <= 3_000
    for block in shown:
        assert len(block.get("fields", [])) <= 10
        assert all(0 < len(field["text"]) <= 2_000 for field in block.get("fields", []))
        if "text" in block:
            assert (
                0 < len(block["text"]["text"]) <= {"header": 150, "section": 3_000}[block["type"]]
            )
    for text in [*strings(message), *strings(thread_reply(made))]:
        bare = OUR_LINK.sub("", text)
        assert "<" not in bare
        assert ">" not in bare
        assert not re.search(r"&(?!(amp|lt|gt);)", bare.replace("&amp;", ""))
    kinds = {
        field["type"]
        for block in shown
        for field in [*block.get("fields", []), *block.get("elements", [])]
    }
    assert kinds == {"plain_text"}


@given(HOSTILE, st.integers(40, 300))
def test_cut_text_says_so_and_tears_no_escape(text: str, characters: int) -> None:
    shown = escape(text, characters)
    assert len(shown) <= characters
    plain = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert plain == text or plain.endswith(f"… (cut from {len(text)} characters)")


def test_the_message_shows_the_finding() -> None:
    message = finding_message(SAMPLE)
    header, facts, detail, links = blocks(message)
    assert message["text"] == header["text"]["text"] == SAMPLE.title
    assert [field["text"] for field in facts["fields"]] == [
        *(
            "Severity\ncritical",
            "Status\nopened",
            "Subject\nbilling-api",
            "Source\npaused_pipelines",
        ),
        *(
            "Owner\npayments",
            "Observed\nonce",
            "First seen\n2026-11-21 08:00 UTC",
            "Last seen\n2026-11-21 08:00 UTC",
        ),
    ]
    assert [field["text"] for field in detail["fields"]] == [
        "Deploy\nsince 2026-11-15 by alice: incident 4711"
    ]
    assert links["text"]["text"] == (
        f"<{SAMPLE.link.replace('&', '&amp;')}|Console>"
        " · <https://example.com/operations.md#paused_pipelines|Runbook>"
    )


def test_the_colour_tells_severity_and_resolution() -> None:
    colours = [
        finding_message(alert(severity=severity))["attachments"][0]["color"]
        for severity in Severity
    ]
    resolved = finding_message(alert(status=AlertStatus.RESOLVED))["attachments"][0]["color"]
    assert len({*colours, resolved}) == 4


@pytest.mark.parametrize(
    "text", ["<!here> <!channel>", "<@U012345>", "<https://evil.example|Console>", "<#C1>"]
)
def test_an_injected_mention_or_link_stays_text(text: str) -> None:
    message = finding_message(
        alert(title=text, subject=text, detail={text: text}, link="", runbook="")
    )
    assert not [found for found in strings(message) if "<" in found or ">" in found]
    assert (message["mrkdwn"], message["parse"], message["link_names"]) == (False, "none", False)


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "slack://open", "//evil", "https:" + "x", "https://" + "x" * 3_000],
)
def test_what_is_no_link_is_none(link: str) -> None:
    assert (
        blocks(finding_message(alert(link=link, runbook="")))[-1]["text"]["text"]
        == "Console: no link"
    )


def test_a_link_cannot_end_early() -> None:
    shown = blocks(finding_message(alert(link="https://a.example/x|y> <!here>", runbook="")))[-1][
        "text"
    ]["text"]
    assert shown == "<https://a.example/x%7Cy%3E%20%3C!here%3E|Console>"


def test_facts_beyond_the_room_are_counted() -> None:
    shown = blocks(
        finding_message(alert(detail={f"fact {number}": number for number in range(30)}))
    )
    assert [len(block["fields"]) for block in shown if "fields" in block] == [8, 10, 10]
    assert shown[4]["elements"][0]["text"] == "… and 10 more facts (cut from 30)"


def test_the_thread_gets_a_line() -> None:
    later = {"count": 14, "last_seen": SAMPLE.last_seen + timedelta(days=1)}
    said = [
        thread_reply(alert(status=status, **later))["text"]
        for status in (AlertStatus.REMINDED, AlertStatus.RESOLVED)
    ]
    assert said == [
        "Still so: since 2026-11-21 08:00 UTC, observed 14 times",
        "Resolved: since 2026-11-21 08:00 UTC, observed 14 times",
    ]
