from tests.unit.functions.triage_alerts.payloads import observed


def test_mail_says_how_many_bounced_and_where_but_not_who() -> None:
    bounce = observed("ses/bounce")
    assert (bounce.detail["recipients"], bounce.detail["domains"]) == (1, "example.net")
    assert "jane" not in str(bounce)
