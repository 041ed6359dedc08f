from tests.unit.functions.triage_alerts.payloads import observed


def test_a_build_says_where_it_failed() -> None:
    build = observed("codebuild/failed")
    assert build.detail["phase"] == "BUILD"
    assert str(build.detail["reason"]).startswith("COMMAND_EXECUTION_ERROR: ")
