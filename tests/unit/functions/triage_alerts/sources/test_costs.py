import pytest
from tests.unit.functions.triage_alerts import payloads

from fleet_triage.messages import from_message


@pytest.mark.parametrize("name", ["sns_actual", "raw_delivery", "sns_json"])
def test_a_budget_is_read_from_text_and_from_json(name: str) -> None:
    (budget,) = from_message(payloads.text(f"budgets/{name}"))
    assert str(budget.detail["actual amount"]).strip("$").startswith("85.12")
    assert str(budget.detail["alert threshold"]).startswith("> ")
    assert budget.detail["account"] == "123456789012"
