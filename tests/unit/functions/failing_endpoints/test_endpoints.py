"""What the entries of a list may say, and how a list as people have it for gatus is taken."""

from typing import Any

import pytest

from fleet.findings import Finding
from fleet.lists import parse_entries
from fleet.mappings import structure
from fleet.settings import SettingsError
from fleet_endpoints.endpoints import Endpoint

# As in gatus's documentation and in files that people publish: every kind of endpoint, and what
# stands beside them.
GATUS = """
metrics: true
alerting:
  slack: {webhook-url: "https://example.com/hook"}
endpoints:
  - name: front-end
    group: core
    url: "https://twin.sh/health"
    interval: 5m
    conditions:
      - "[STATUS] == 200"
      - "[BODY].status == UP"
      - "[RESPONSE_TIME] < 150"
    alerts:
      - type: slack
        send-on-resolved: true
  - name: back-end
    group: core
    url: "https://example.org/"
    interval: 5m
    client: {insecure: true, timeout: 1m, ignore-redirect: false}
    ui: {hide-url: true}
    conditions: ["[STATUS] == 200", "[CERTIFICATE_EXPIRATION] > 48h"]
  - name: example-dns-query
    url: "8.8.8.8"
    dns:
      query-name: "example.com"
      query-type: "A"
    conditions:
      - "[BODY] == pat(*.*.*.*)"
      - "[DNS_RCODE] == NOERROR"
  - name: filter-users-by-gender
    url: https://example.org/playground
    method: POST
    graphql: true
    body: |
      { users(gender: "female") { id name } }
    headers:
      Content-Type: application/json
      Authorization: Bearer ${/fleet/failing_endpoints/secrets/users}
    conditions: ["[STATUS] == 200", "[BODY].data.users[0].gender == female"]
  - name: redis
    url: "tcp://127.0.0.1:6379"
    private: true
    severity: critical
    conditions: ["[CONNECTED] == true"]
  - {name: smtp, url: "starttls://smtp.gmail.com:587", conditions: ["[CONNECTED] == true"]}
  - {name: ldaps, url: "tls://ldap.example.org:636", conditions: ["[CONNECTED] == true"]}
  - name: bücher
    url: "https://bücher.example/regal/größe"
    conditions: ["[STATUS] == 200"]
    enabled: false
  - {name: ping, url: "icmp://example.org", conditions: ["[CONNECTED] == true"]}
  - name: domain
    url: "https://example.org/"
    interval: 1h
    conditions: ["[DOMAIN_EXPIRATION] > 720h"]
  - name: ssh
    url: "ssh://example.org:22"
    ssh: {username: u, password: p}
    conditions: ["[CONNECTED] == true"]
  - {name: front-end, group: core, url: "https://example.org/", conditions: ["[STATUS] == 200"]}
  - name: variable
    url: "https://${DOMAIN}/"
    headers: {X-Key: "$KEY-${KEY}"}
    conditions: ["[STATUS] == 200"]
"""
LISTED = parse_entries(GATUS, Endpoint, "the list", str, under="endpoints")
KNOWN = {str(endpoint): endpoint for endpoint in LISTED.usable}


def entry(**changes: Any) -> Endpoint:
    usual = {"name": "web", "url": "https://example.org/health", "conditions": ["[STATUS] == 200"]}
    return structure(
        {key: value for key, value in (usual | changes).items() if value is not None},
        Endpoint,
        "entry 1",
    )


def test_a_list_as_people_have_it_is_taken() -> None:
    named = ["core/front-end", "core/back-end", "example-dns-query", "filter-users-by-gender"]
    assert list(KNOWN) == [*named, "redis", "smtp", "ldaps", "bücher"]
    assert [each.kind for each in KNOWN.values()] == [
        *("https", "https", "dns"),
        "https",
        "tcp",
        "starttls",
        "tls",
        "https",
    ]
    assert [str(each.target) for each in KNOWN.values()] == [
        *("twin.sh:443", "example.org:443", "8.8.8.8:53", "example.org:443"),
        *(
            "127.0.0.1:6379",
            "smtp.gmail.com:587",
            "ldap.example.org:636",
            "xn--bcher-kva.example:443",
        ),
    ]


def test_what_of_it_cannot_be_used_is_named() -> None:
    reasons = {fault.number: fault.reason for fault in LISTED.faults}
    assert sorted(reasons) == [0, 9, 10, 11, 12, 13]
    assert reasons[0] == "the list: alerting, metrics has no effect here: only the list counts"
    assert (
        "'icmp://example.org' cannot be probed: only http, https, tcp, tls, starttls, dns can"
        in reasons[9]
    )
    assert "there is no [DOMAIN_EXPIRATION] here" in reasons[10]
    assert "unknown: ssh (known: name, url, conditions, group" in reasons[11]
    assert reasons[12] == "entry 12 of the list repeats entry 1: core/front-end"
    assert "url: environment variables are not known here; secrets go into headers" in reasons[13]
    assert "headers: X-Key: environment variables are not known here; write a secret" in reasons[13]


def test_what_of_it_has_no_effect_is_known() -> None:
    ignored = {name: endpoint.ignored for name, endpoint in KNOWN.items() if endpoint.ignored}
    assert ignored == {
        "core/front-end": ["interval", "alerts"],
        "core/back-end": ["interval", "ui", "client.ignore-redirect"],
    }


def test_what_it_says_is_understood() -> None:
    assert (KNOWN["core/back-end"].client.seconds, KNOWN["core/back-end"].client.insecure) == (
        60,
        True,
    )
    assert KNOWN["filter-users-by-gender"].secret_names == [
        "/fleet/failing_endpoints/secrets/users"
    ]
    assert (KNOWN["redis"].severity, KNOWN["redis"].private) == ("critical", True)
    assert (KNOWN["bücher"].enabled, KNOWN["bücher"].path) == (False, "/regal/gr%C3%B6%C3%9Fe")
    assert (KNOWN["core/front-end"].severity, KNOWN["core/front-end"].client.seconds) == (
        "warning",
        10,
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "required field missing"),
        ({"name": ""}, "name must be printable text"),
        ({"name": "a\nb"}, "name must be printable text"),
        (
            {"group": "g" * 600, "name": "n" * 424},
            "with its group, at most 1024 characters, not 1025",
        ),
        ({"name": 7}, "name: expected text, got 7"),
        ({"url": None}, "required field missing"),
        ({"url": "example.org"}, "'example.org' cannot be probed"),
        (
            {"url": "udp://example.org:53"},
            "cannot be probed: only http, https, tcp, tls, starttls, dns can",
        ),
        ({"url": "https://user:pw@example.org/"}, "the URL holds credentials"),
        ({"url": "https://exa mple.org/"}, "is not a URL"),
        ({"url": "https://example.org:99999/"}, "Port out of range"),
        (
            {"url": "https://0x7f.1/"},
            "'0x7f.1' is not a host name or an IP address in its usual form",
        ),
        ({"url": "https://[::1/"}, "Invalid IPv6 URL"),
        ({"url": "tcp://example.org"}, "has no port"),
        ({"url": "https:///health"}, "'' is not a host name"),
        ({"conditions": []}, "at least one is needed, such as [STATUS] == 200"),
        ({"conditions": "[STATUS] == 200"}, "conditions"),
        ({"conditions": ["[STATUS]==200", "[X_Y] == 1", "[AB] == 1"]}, "there is no [AB] here"),
        ({"method": "GET /"}, "method: 'GET /' is not an HTTP method"),
        ({"headers": {"A B": "x"}}, "'A B' must be a header's name"),
        ({"headers": {"A": "x\r\nB: y"}}, "and its value printable ASCII"),
        ({"headers": {"A": "${KEY}"}}, "environment variables are not known here"),
        ({"body": "${KEY}"}, "body: environment variables are not known here"),
        (
            {"body": "[RANDOM_STRING_8]"},
            "[RANDOM_STRING_8] is not known here, only [ENDPOINT_NAME]",
        ),
        ({"client": {"timeout": "5"}}, "expected a duration such as 500ms, 10s or 1h30m, got '5'"),
        ({"client": {"timeout": "2m"}}, "timeout, in seconds, must be 0.001 to 60.0, got 120.0"),
        ({"client": {"oauth2": {}}}, "unknown: oauth2 (known: timeout, insecure, ignore-redirect"),
        (
            {"dns": {"query-name": "example.org", "query-type": "XYZ"}},
            "no name server can be asked for 'XYZ' of 'example.org'",
        ),
        ({"dns": {"query-type": "A"}}, "required field missing"),
        ({"severity": "fatal"}, "severity: fatal is not one of ['critical', 'warning', 'info']"),
        ({"condition": ["x"]}, "unknown: condition"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_entry_that_is_wrong_says_what_is(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        entry(**changes)
    assert said in str(refusal.value)


def test_a_name_may_be_as_long_as_a_subject() -> None:
    longest = entry(group="g" * 600, name="n" * 423)
    assert Finding(str(longest), "title").subject == str(longest)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(
        SettingsError, match=r"url: .*; method: .*; conditions: .*; conditions: .*; headers: "
    ):
        entry(url="x", method=" ", conditions=["a", "b"], headers={" ": "x"})


def test_a_url_is_shown_without_what_may_be_secret_in_it() -> None:
    assert entry(url="https://example.org/a?token=hunter2#x").shown_url == "https://example.org/a"


@pytest.mark.parametrize(
    ("path", "sent"), [("", "/"), ("?a=b c".replace(" ", "%20"), "/?a=b%20c"), ("/a%2Fb", "/a%2Fb")]
)
def test_a_path_is_sent_as_it_is_written(path: str, sent: str) -> None:
    assert entry(url=f"https://example.org{path}").path == sent
