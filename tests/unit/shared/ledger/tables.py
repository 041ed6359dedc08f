"""The ledger's table in moto, made as the template declares it."""

import uuid

from tests.fleet.template import real

from fleet import aws
from fleet.ledger.table import Table


def make_table(name: str = "") -> Table:
    """Create the table under this name, or one of its own."""
    name = name or f"ledger-{uuid.uuid4().hex}"
    declared = real()["Resources"]["Ledger"]["Properties"]
    names = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    aws.client("dynamodb").create_table(TableName=name, **{part: declared[part] for part in names})
    return Table(name)
