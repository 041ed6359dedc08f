"""The language of conditions, case by case.

A response is written as its facts, or as its body alone.
"""

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_endpoints.conditions import parse
from fleet_endpoints.facts import Facts
from fleet_endpoints.probe import BODY_BYTES

DAY = 24 * 3600 * 1000.0
USER = json.dumps({"user": {"first": "john", "last": "doe"}, "id": 1})
PAGE = '<!DOCTYPE html><html><body class="a"><div id="user">john.doe</div></body></html>'


def facts(response: Any) -> Facts:
    if isinstance(response, Facts):
        return response
    return Facts(body=(response if isinstance(response, str) else json.dumps(response)).encode())


HOLD: list[tuple[str, Any]] = [
    ("[STATUS] == 200", Facts(status=200)),
    ("200 == [STATUS]", Facts(status=200)),
    ("[status] == 200", Facts(status=200)),
    ("[STATUS] != 200", Facts(status=500)),
    ("[STATUS] < 300", Facts(status=299)),
    ("[STATUS] <= 299", Facts(status=299)),
    ("[STATUS] > 400", Facts(status=401)),
    ("[STATUS] >= 400", Facts(status=400)),
    ("[STATUS] == any(200, 429)", Facts(status=200)),
    ("[STATUS] == any(200, 429)", Facts(status=429)),
    ("any(200,429) == [STATUS]", Facts(status=429)),
    ("[STATUS] != any(200, 429)", Facts(status=500)),
    ("[STATUS] == pat(4*)", Facts(status=404)),
    ("[STATUS] != pat(4*)", Facts(status=200)),
    ("pat(4??) == [STATUS]", Facts(status=404)),
    ("[RESPONSE_TIME] < 500", Facts(response_time=50)),
    ("[RESPONSE_TIME] < 1s", Facts(response_time=999.4)),
    ("[RESPONSE_TIME] > 500", Facts(response_time=750)),
    ("[RESPONSE_TIME] > 1s", Facts(response_time=2000)),
    ("[RESPONSE_TIME] >= 500", Facts(response_time=500)),
    ("[RESPONSE_TIME] <= 500", Facts(response_time=500)),
    ("[RESPONSE_TIME] <= 1m30s", Facts(response_time=90_000)),
    ("[IP] == 127.0.0.1", Facts(ip="127.0.0.1")),
    ("[IP] == pat(10.*)", Facts(ip="10.0.0.0")),
    ("[IP] == any(1.1.1.1, ::1)", Facts(ip="::1")),
    ("[CONNECTED] == true", Facts(connected=True)),
    ("[CONNECTED] == false", Facts()),
    ("[DNS_RCODE] == NOERROR", Facts(dns_rcode="NOERROR")),
    ("[DNS_RCODE] == any(NOERROR, NXDOMAIN)", Facts(dns_rcode="NXDOMAIN")),
    ("[CERTIFICATE_EXPIRATION] == 0", Facts()),
    ("[CERTIFICATE_EXPIRATION] > 48h", Facts(certificate_expiration=2 * DAY + 1)),
    ("[CERTIFICATE_EXPIRATION] > 2419200000", Facts(certificate_expiration=60 * DAY)),
    ("[CERTIFICATE_EXPIRATION] > -1h", Facts(certificate_expiration=-60_000)),
    ("[BODY] == test", "test"),
    ("[BODY] == test", " test\n"),
    ("[BODY] == 123", "123"),
    ("[BODY] < 124", "123"),
    ("[BODY] > 122", "123"),
    ("[BODY] == {}", "{}"),
    ("[BODY] == pat(*john*)", USER),
    ('[BODY] == pat(*<div id="user">john.doe</div>*)', PAGE),
    ("[BODY] != pat(*jane*)", PAGE),
    ("[BODY] == pat(*a\nb*)", "xa\nbx"),
    ("[BODY].status == UP", {"status": "UP"}),
    ("[BODY].user.first == john", USER),
    ("[BODY].user.first != [BODY].user.last", USER),
    ('[BODY].user == {"first":"john","last":"doe"}', USER),
    ("[BODY][0].id == 1", [{"id": 1}, {"id": 2}]),
    ("[BODY].[0].id == 1", [{"id": 1}, {"id": 2}]),
    ("[BODY].data[1].id == 2", {"data": [{"id": 1}, {"id": 2}]}),
    ("[BODY][3][2] == 7", [[1, 2], [3, 4], [], [5, 6, 7]]),
    ("[BODY].data[1][1] == e", {"data": [["a"], ["d", "e"]]}),
    ("[BODY].data[0].apps[1].name == b", {"data": [{"apps": [{"name": "a"}, {"name": "b"}]}]}),
    ("[BODY].id == 1234567", {"id": 1234567}),
    ("[BODY].id == 12345678901234567890", {"id": 12345678901234567890}),
    ("[BODY].id > 0", {"id": 1}),
    ("[BODY].ratio == 1.5", {"ratio": 1.5}),
    ("[BODY].ratio == 2", {"ratio": 2.0}),
    ("[BODY].ratio > 1.4", {"ratio": 1.5}),
    ("[BODY].ratio < 1e3", {"ratio": 999.5}),
    ("[BODY].balance > 100", {"balance": "123.40000000000005"}),
    ("[BODY].balance > 100", {"balance": "100.5"}),
    ("[BODY].age < 10m", {"age": "9m59s"}),
    ("[BODY].up == true", {"up": True}),
    ("[BODY].up != true", {"up": False}),
    ("[BODY].version == 1.10", {"version": "1.10"}),
    ("[BODY].version != 1.10", {"version": "1.1"}),
    ("[BODY].data == [a b 1 <nil> true]", {"data": ["a", "b", 1, None, True]}),
    ("[BODY].data == pat(*Whatever*)", {"data": ["hello", "Whatever"]}),
    ("[BODY].name == pat(john*)", {"name": "john.doe"}),
    ("[BODY].name == any(john.doe, jane.doe)", {"name": "jane.doe"}),
    ("[BODY].id == any(1, 2)", {"id": 2}),
    ("[BODY].error != true", {}),
    ("[BODY].error != true", "no JSON"),
    ("[BODY].a b == x", {"a b": "x"}),
    ("[BODY].text == pat(*)", {"text": ""}),
    ("len([BODY].users) == 0", {"users": []}),
    ("len([BODY].users) > 1", {"users": [1, 2]}),
    ("len([BODY].name) == 4", {"name": "jöhn"}),
    ("len([BODY].age) == 2", {"age": 18}),
    ("len([BODY].adult) == 4", {"adult": True}),
    ("len([BODY][0]) == 23", '[{"age": 18, "adult": true}]'),
    ("len([BODY]) == 3", [1, 2, 3]),
    ("len([BODY]) == 8", "john.doe"),
    ("len([BODY]) == 20", '{"name": "john.doe"}'),
    ("len([BODY]) == 0", ""),
    ("len([IP]) > 0", Facts(ip="10.0.0.1")),
    ("has([BODY].errors) == false", {}),
    ("has([BODY].errors) == true", {"errors": []}),
    ("has([BODY].users[0].name) == true", {"users": [{"name": ""}]}),
    ("has([BODY].users[1]) == false", {"users": [1]}),
    ("has([BODY].a.b) == false", {"a": "text"}),
    ("has([BODY].a) == false", "no JSON"),
    ("has([BODY]) == true", "x"),
    ("has([BODY]) == false", ""),
    ("raw == raw", Facts()),
    ("[BODY].data == 1", {"data": "0x1"}),
    ("[BODY].data == 0x1", {"data": "1"}),
    ("[BODY].data == 12648243", {"data": "0xC0ff33"}),
    ("[BODY].data == 2", {"data": "0o2"}),
    ("[BODY].data == 8", {"data": "010"}),
    ("[BODY].data == 0b10", {"data": "0b0010"}),
    ("[BODY].data >= 1", {"data": "0x01"}),
    ("len([BODY].data) == 4", {"data": "0x01"}),
]
FAIL: list[tuple[str, Any, dict[str, str]]] = [
    ("[STATUS] == 200", Facts(status=500), {"[STATUS]": "500"}),
    ("[STATUS] < 300", Facts(status=404), {"[STATUS]": "404"}),
    ("[STATUS] == any(200, 429)", Facts(status=404), {"[STATUS]": "404"}),
    ("[STATUS] == pat(4*)", Facts(status=200), {"[STATUS]": "200"}),
    ("[RESPONSE_TIME] <= 500", Facts(response_time=750.7), {"[RESPONSE_TIME]": "750"}),
    ("[RESPONSE_TIME] >= 500", Facts(response_time=499), {"[RESPONSE_TIME]": "499"}),
    ("[IP] == pat(10.*)", Facts(ip="255.255.255.255"), {"[IP]": "255.255.255.255"}),
    ("[CONNECTED] == true", Facts(), {"[CONNECTED]": "false"}),
    (
        "[CERTIFICATE_EXPIRATION] > 48h",
        Facts(certificate_expiration=DAY),
        {"[CERTIFICATE_EXPIRATION]": "86400000"},
    ),
    ("[DNS_RCODE] == NOERROR", Facts(dns_rcode="SERVFAIL"), {"[DNS_RCODE]": "SERVFAIL"}),
    ("[BODY] > 123", "100", {"[BODY]": "100"}),
    (
        "[BODY].user.first == [BODY].user.last",
        USER,
        {"[BODY].user.first": "john", "[BODY].user.last": "doe"},
    ),
    ("[BODY].user.age == 3", USER, {"[BODY].user.age": "absent"}),
    ("[BODY].data == OK", {"data": None}, {"[BODY].data": "absent"}),
    ("[BODY].items[0] == OK", {"items": [None]}, {"[BODY].items[0]": "absent"}),
    ("[BODY].data == OK", "null", {"[BODY].data": "absent"}),
    ("[BODY][0].name == test", {"message": "error"}, {"[BODY][0].name": "absent"}),
    ("[BODY][5].id == 1", [{"id": 1}], {"[BODY][5].id": "absent"}),
    ("[BODY].name == test", [{"name": "test"}], {"[BODY].name": "absent"}),
    ("[BODY].a.b == x", {"a": "x"}, {"[BODY].a.b": "absent"}),
    ("[BODY].count < 5", {}, {"[BODY].count": "absent"}),
    ("[BODY].count < 5", {"count": "none"}, {"[BODY].count": "none"}),
    ("[BODY].count < 5", "<html>", {"[BODY].count": "absent"}),
    ("[BODY].count > 0", "NaN", {"[BODY].count": "absent"}),
    ("[BODY] > 0", "NaN", {"[BODY]": "NaN"}),
    ("[BODY] > 0", "inf", {"[BODY]": "inf"}),
    ("[BODY] == pat(*x*)", "pat(*)", {"[BODY]": "pat(*)"}),
    ("[BODY] == x", "any(x, y)", {"[BODY]": "any(x, y)"}),
    ("[BODY].data == 2", {"data": "010"}, {"[BODY].data": "010"}),
    ("len([BODY].data) == 8", {"name": "john.doe"}, {"len([BODY].data)": "absent"}),
    ("len([BODY]) == 8", "[1, 2]", {"len([BODY])": "2"}),
    ("has([BODY].errors) == false", {"errors": ["1"]}, {"has([BODY].errors)": "true"}),
    ("1 == 2", Facts(), {}),
    ("[BODY].deep == 1", "[" * 100_000, {"[BODY].deep": "absent"}),
    ("[BODY].big == 1", '{"big": ' + "9" * 5_000 + "}", {"[BODY].big": "absent"}),
]
REFUSED = [
    (
        "[STATUS] ? 201",
        "is not a condition: write VALUE, one of == != <= >= > <, VALUE, with spaces between",
    ),
    ("[STATUS]==201", "is not a condition"),
    ("[STATUS] = = 201", "is not a condition"),
    ("[STATUS] ==", "is not a condition"),
    ("[STATUS]", "is not a condition"),
    (" == 1", "is not a condition"),
    ("", "is not a condition"),
    (
        "[RESPONSE_TIME] < potato",
        "'potato' is neither a number nor a duration such as 500ms or 48h",
    ),
    ("[RESPONSE_TIME] < 5 minutes", "'5 minutes' is neither"),
    ("[STATUS] < pat(4*)", "pat(4*) goes with == and != only"),
    ("any(1, 2) < [STATUS]", "any(1, 2) goes with"),
    ("pat(a) == any(a, b)", "one side must be a value"),
    (
        "[DOMAIN_EXPIRATION] > 720h",
        "there is no [DOMAIN_EXPIRATION] here, only [STATUS] [RESPONSE_TIME]",
    ),
    ("[HEADER].Server == x", "there is no [HEADER] here"),
    ("[CONTEXT].user == 1", "there is no [CONTEXT] here"),
    ("[STATSU] == 200", "there is no [STATSU] here"),
    ("age([BODY].at) < 1h", "there is no function age() here, only len(), has(), pat() and any()"),
    ("len([BODY].users == 100", "'len([BODY].users' is not understood"),
    ("len(abc) == 3", "len() takes a placeholder such as [BODY].name, not 'abc'"),
    ("has(x) == true", "has() takes a placeholder"),
    ("[STATUS].code == 200", "is not a path: write [BODY].name, [BODY][0] or [BODY].items[0].id"),
    ("[BODY]x == 200", "[BODY]x is not a path"),
    ("[BODY]. == 200", "[BODY]. is not a path"),
    ("[BODY].a..b == 200", "is not a path"),
    ("[BODY].items[*].id == 200", "is not a path"),
    ("[BODY].items[-1] == 200", "is not a path"),
    ("[BODY].items[x] == 200", "is not a path"),
    ("[BODY] == pat([a)", "pat([a) is not a pattern: a [ or a backslash stands alone"),
    ("[BODY] == pat(a\\)", "is not a pattern"),
    ("[BODY] == pat([z-a])", "is not a pattern"),
]


@pytest.mark.parametrize(("condition", "response"), HOLD, ids=lambda value: str(value)[:50])
def test_a_condition_holds(condition: str, response: Any) -> None:
    assert parse(condition).evaluate(facts(response)).holds


@pytest.mark.parametrize(("condition", "response", "got"), FAIL, ids=lambda value: str(value)[:50])
def test_a_condition_fails_and_says_what_was_got(
    condition: str, response: Any, got: dict[str, str]
) -> None:
    evaluation = parse(condition).evaluate(facts(response))
    assert (evaluation.holds, evaluation.got) == (False, got)


@pytest.mark.parametrize(("condition", "said"), REFUSED)
def test_what_is_not_a_condition_is_refused_with_the_reason(condition: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        parse(condition)
    assert said in str(refusal.value)
    assert repr(condition) in str(refusal.value)


def test_it_is_known_which_facts_a_condition_looks_at() -> None:
    condition = parse("len([body].x) > [STATUS]")
    assert [condition.looks_at(fact) for fact in ("BODY", "STATUS", "IP")] == [True, True, False]


@given(st.text(string.printable, max_size=30))
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        condition = parse(text)
    except ValueError:
        return
    condition.evaluate(Facts(body=b'{"a": [1]}'))


@pytest.mark.parametrize(
    "body", ["9" * BODY_BYTES, "9" * (BODY_BYTES - 1) + "x", "1h" * (BODY_BYTES // 2)], ids=len
)
def test_a_long_body_is_not_a_number_and_so_judged_at_once(body: str) -> None:
    assert not parse("[BODY] > 5").evaluate(facts(body)).holds
