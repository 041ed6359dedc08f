from tests.unit.functions.triage_alerts import payloads
from tests.unit.functions.triage_alerts.payloads import observed

from fleet_triage.messages import from_message


def test_only_the_pipeline_as_a_whole_succeeds() -> None:
    keys = {observed(f"codepipeline/{part}failed").dedup_key for part in ("", "stage_", "action_")}
    assert keys == {observed("codepipeline/succeeded").dedup_key}
    assert from_message(payloads.text("codepipeline/action_succeeded")) == []
