"""Probes that reach no server, and what is sent; tests/probes has servers."""

import socket
from typing import Any, NoReturn

import pytest

from fleet.mappings import structure
from fleet.probes.target import Phase, Unreachable
from fleet_endpoints.endpoints import Endpoint
from fleet_endpoints.failures import Failure, find_failure
from fleet_endpoints.probe import _body, _headers, probe


def endpoint(url: str = "https://a.test/health", **entry: Any) -> Endpoint:
    usual = {"name": "web", "url": url, "conditions": ["[CONNECTED] == true"]}
    return structure(usual | entry, Endpoint, "the entry")


def failure(asked: Endpoint) -> Failure:
    found = find_failure(asked, probe(asked, {}, 2))
    assert found
    return found


def test_a_name_without_an_address_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = failure(endpoint("https://nowhere.example.com"))
    assert (found.phase, "Name or service not known" in found.got) == ("resolve", True)


@pytest.mark.parametrize(
    ("url", "private", "reason"),
    [
        ("http://10.0.0.1:1", False, "10.0.0.1 is in a private network, which is probed only with"),
        ("tcp://[fd12::1]:1", False, "fd12::1 is in a private network"),
        ("http://169.254.169.254/latest/meta-data/", True, "169.254.169.254 is never probed"),
        ("http://127.0.0.1:1", True, "127.0.0.1 is never probed"),
    ],
)
@pytest.mark.parametrize("condition", ["[CONNECTED] == true", "[CONNECTED] == false"])
def test_what_may_not_be_probed_is_not_and_so_fails_whatever_is_expected(
    url: str, private: bool, reason: str, condition: str
) -> None:
    found = failure(endpoint(url, private=private, conditions=[condition]))
    assert (found.phase, found.got.startswith(reason)) == ("resolve", True)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://a.test/", "a.test"),
        ("http://a.test:443/", "a.test:443"),
        ("https://[2001:db8::7]/", "[2001:db8::7]"),
        ("https://[2001:db8::7]:8443/", "[2001:db8::7]:8443"),
    ],
)
def test_a_server_is_named_with_its_port_unless_that_is_the_usual_one(url: str, host: str) -> None:
    assert _headers(endpoint(url), {}) == {"Host": host}


def test_headers_of_an_entry_replace_the_usual_ones_and_have_their_secrets() -> None:
    headers = {"host": "b.test", "Authorization": "Bearer ${/key}"}
    asked = endpoint(headers=headers, graphql=True)
    assert _headers(asked, {"/key": "hunter2\n"}) == {
        "Content-Type": "application/json",
        "host": "b.test",
        "Authorization": "Bearer hunter2",
    }


def test_a_secret_that_no_header_can_carry_is_not_shown() -> None:
    asked = endpoint(headers={"X-Key": "${/key}"})
    with pytest.raises(Unreachable) as failed:
        _headers(asked, {"/key": "hünter2"})
    assert failed.value.phase is Phase.EXCHANGE
    assert failed.value.reason == "the secret in the header X-Key is not printable ASCII"


@pytest.mark.parametrize(
    ("graphql", "sent"), [(False, b"shop/web"), (True, b'{"query": "shop/web"}')]
)
def test_words_in_a_body_stand_for_the_entry(graphql: bool, sent: bytes) -> None:
    asked = endpoint(group="shop", body="[ENDPOINT_GROUP]/[ENDPOINT_NAME]", graphql=graphql)
    assert _body(asked) == sent
