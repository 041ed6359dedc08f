"""The ledger's table in moto, made as the template declares it."""

import uuid
from functools import cache
from typing import Any

from tools import manifest

from fleet import aws
from fleet.ledger.table import Table


@cache
def _declared() -> dict[str, Any]:
    """Return the table's properties; the template does not change while tests run."""
    return dict(manifest.template()["Resources"]["Ledger"]["Properties"])


def make_table(name: str = "") -> Table:
    """Create the table under this name, or one of its own."""
    name = name or f"ledger-{uuid.uuid4().hex}"
    declared = _declared()
    names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    aws.client("dynamodb").create_table(TableName=name, **{part: declared[part] for part in names})
    return Table(name)
