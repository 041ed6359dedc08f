import json
from datetime import UTC, datetime, timedelta

import pytest
from functions.notify_webhook.app import BODY_BYTES, Webhook, content, gone_alert, sign
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError
from tests.sample_alerts import SAMPLE, alert

from fleet.errors import Permanent
from fleet.sinks import fit_alert

OLD, NEW, OTHER = (
    f"whsec_{key}"
    for key in ("b2xkIGtleSBvZiB0aGUgZmxlZXQ=", "bmV3IGtleSBvZiB0aGUgZmxlZXQ=", "b3RoZXI=")
)


def test_a_receiver_verifies_with_either_key() -> None:
    body = content(SAMPLE)
    headers = sign(SAMPLE.id, datetime.now(UTC), body, f"{OLD} {NEW}\n")
    assert headers["webhook-id"] == SAMPLE.id
    for key in (OLD, NEW):
        assert Verifier(key).verify(body, headers)["type"] == "alert.opened"
    with pytest.raises(WebhookVerificationError):
        Verifier(OTHER).verify(body, headers)


def test_the_signature_is_that_of_the_specification() -> None:
    """The example that the specification gives."""
    body = b'{"test": 2432232314}'
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


@pytest.mark.parametrize("keys", ["", " \n", "whsec_", "whsec_é", "whsec_abcde"])
def test_a_key_that_is_not_one_is_permanent_and_not_shown(keys: str) -> None:
    with pytest.raises(Permanent) as raised:
        sign("a1", datetime.now(UTC), b"{}", keys)
    assert "abcde" not in str(raised.value)


def test_a_large_alert_fits() -> None:
    body = fit_alert(
        alert(detail={f"fact {number}": "é" * 2_000 for number in range(200)}), content, BODY_BYTES
    )
    assert 5_000 < len(body) < 20_001
    assert "of 200 facts" in json.loads(body)["data"]["detail"]["left out"]


def test_the_alert_about_a_webhook_does_not_show_its_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "notify_webhook")
    webhook = Webhook(url="https://hooks.example.com/hunter2?token=hunter3", keys="/k")
    gone = gone_alert(webhook, SAMPLE.first_seen)
    assert "hunter" not in gone.as_json()
    assert "hooks.example.com" in gone.title
    assert gone.id == gone_alert(webhook, SAMPLE.first_seen + timedelta(hours=1)).id
    assert gone.id != gone_alert(webhook, SAMPLE.first_seen + timedelta(days=1)).id
