"""What the fleet keeps, it keeps for long enough, encrypted, and beyond a mistake."""

from collections.abc import Iterator

import pytest
from tests.fleet.template import REMOVED, Template, named, real, resources, seeded

SHORTEST_LOG_DAYS = 7


def violations(template: Template) -> list[str]:
    """Return what is kept too briefly, in plain text, or goes by mistake."""
    return [*of_logs(template), *of_tables(template)]


def of_logs(template: Template) -> Iterator[str]:
    for name, group in resources(template, "AWS::Logs::LogGroup"):
        days = group.get("RetentionInDays")
        allowed = template["Parameters"].get(named(days), {}).get("AllowedValues", [days])
        if not all(isinstance(each, int) and each >= SHORTEST_LOG_DAYS for each in allowed):
            yield (
                f"{name}: keeps its lines for ever, or too briefly: set RetentionInDays, "
                f"{SHORTEST_LOG_DAYS} or more"
            )


def of_tables(template: Template) -> Iterator[str]:
    for name, table in resources(template, "AWS::DynamoDB::Table"):
        if table.get("SSESpecification", {}).get("SSEEnabled") is not True:
            yield (
                f"{name}: is encrypted by a key that nobody can audit: set SSESpecification: "
                f"{{SSEEnabled: true}}"
            )
        if (
            table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled")
            is not True
        ):
            yield f"{name}: what is overwritten is lost: enable point-in-time recovery"
        resource = template["Resources"][name]
        if (
            resource.get("DeletionPolicy") != "RetainExceptOnCreate"
            or resource.get("UpdateReplacePolicy") != "Retain"
        ):
            yield (
                f"{name}: goes with the stack: set DeletionPolicy RetainExceptOnCreate, "
                "UpdateReplacePolicy Retain"
            )


def test_what_is_kept_is_safe() -> None:
    assert violations(real()) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("Resources/Logs/Properties/RetentionInDays", REMOVED, "Logs: keeps its lines for ever"),
        (
            "Parameters/LogRetentionDays/AllowedValues",
            [1, 30],
            "Logs: keeps its lines for ever, or too briefly",
        ),
        (
            "Resources/Ledger/Properties/SSESpecification",
            REMOVED,
            "Ledger: is encrypted by a key that nobody",
        ),
        (
            "Resources/Ledger/Properties/PointInTimeRecoverySpecification",
            REMOVED,
            "Ledger: what is overwritten",
        ),
        ("Resources/Ledger/UpdateReplacePolicy", REMOVED, "Ledger: goes with the stack"),
    ],
)
def test_what_is_not_safe_is_named(path: str, value: object, said: str) -> None:
    assert said in "\n".join(violations(seeded(path, value)))
