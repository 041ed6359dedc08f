"""Questions and answers of DNS without a server; tests/probes has one."""

import dns.message
import dns.rrset
import pytest

from fleet.probes.target import Unreachable, parse_target, start_timer
from fleet_endpoints.dns import WrongAnswer, _comparable, _parse_answer, ask, check_question

QUERY = dns.message.make_query("web.test", "A")


@pytest.mark.parametrize(("name", "kind"), [("web.test", "A"), ("web.test.", "mx"), (".", "NS")])
def test_a_question_can_be_asked(name: str, kind: str) -> None:
    check_question(name, kind)


@pytest.mark.parametrize(("name", "kind"), [("web..test", "A"), ("web.test", "XYZ")])
def test_a_question_that_no_server_knows_is_refused(name: str, kind: str) -> None:
    with pytest.raises(ValueError, match=f"no name server can be asked for '{kind}' of '{name}'"):
        check_question(name, kind)


def test_an_answer_to_the_question_is_read() -> None:
    answer = dns.message.make_response(QUERY)
    answer.answer.append(dns.rrset.from_text("web.test.", 60, "IN", "A", "192.0.2.1"))
    assert _parse_answer(QUERY, answer.to_wire()).answer == answer.answer


def test_anything_else_is_a_wrong_answer() -> None:
    other = dns.message.make_response(dns.message.make_query("other.test", "A"))
    with pytest.raises(WrongAnswer, match="the answer is to another question"):
        _parse_answer(QUERY, other.to_wire())
    with pytest.raises(WrongAnswer, match="the answer cannot be read"):
        _parse_answer(QUERY, b"no DNS")


@pytest.mark.parametrize(
    ("record", "kind", "text"),
    [
        ("10 mail.test.", "MX", "mail.test."),
        ('"v=spf1 -all"', "txt", "v=spf1 -all"),
        ("192.0.2.1", "A", "192.0.2.1"),
    ],
)
def test_records_are_written_as_conditions_compare_them(record: str, kind: str, text: str) -> None:
    assert _comparable(record, kind) == text


def test_a_name_server_is_guarded_as_any_target() -> None:
    server = parse_target("169.254.169.253", 53, private=True)
    with pytest.raises(Unreachable, match=r"resolve: 169\.254\.169\.253 is never probed"):
        ask(server, "web.test", "A", start_timer(5))
