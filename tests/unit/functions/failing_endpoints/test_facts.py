"""What conditions read from the facts of a probe."""

import pytest

from fleet_endpoints.facts import PLACEHOLDERS, Facts

FACTS = Facts(
    connected=True,
    status=200,
    response_time=12.7,
    ip="192.0.2.1",
    body=b" text\xff\n",
    certificate_expiration=-0.5,
    dns_rcode="NOERROR",
)


def test_every_placeholder_has_a_value() -> None:
    assert {name: FACTS.value(name) for name in PLACEHOLDERS} == {
        "STATUS": "200",
        "RESPONSE_TIME": "12",
        "IP": "192.0.2.1",
        "BODY": "text\ufffd",
        "CONNECTED": "true",
        "CERTIFICATE_EXPIRATION": "0",
        "DNS_RCODE": "NOERROR",
    }


def test_no_other_name_has_one() -> None:
    with pytest.raises(KeyError):
        FACTS.value("HEADER")


@pytest.mark.parametrize(
    ("body", "document"),
    [(b'{"a": [1]}', {"a": [1]}), (b"text", None), (b"NaN", None), (b"[" * 100_000, None)],
    ids=["an object", "text", "NaN", "too deep"],
)
def test_a_body_is_a_document_if_it_is_json(body: bytes, document: object) -> None:
    assert Facts(body=body).document == document
