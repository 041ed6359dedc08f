"""The ledger's table in DynamoDB.

| `pk` | `sk` | the item |
|---|---|---|
| `finding#<source>` | dedup key | `Row`: a finding |
| `storms` | source | `Storm`: the storm of a source, open or not |
| `reports` | job | `Reports`: what a job's reports are complete for |
| `mutes` | id | `Mute` |
| `withheld#<mute>` | alert id | `Withheld`: an alert that a mute withheld |

Every item is one JSON text, `document`, of its `kind`, beside what DynamoDB itself looks at: `version`, on which every
write is conditional; `expires`, the TTL in epoch seconds; `agenda` and `due`, only while there is something to do with
it that no message will bring about. A sparse index over these two (one of AGENDAS, then ISO time) is all that a sweep
reads. A finding or storm that ever opened bears `listed`, its state, with `opened` (ISO time) and `severity`: by a
second index over these, people see the newest first. A job's last report is also the attribute `last_report` (ISO time)
of its item: one Query of `reports` reads those of all jobs.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from zlib import crc32

from botocore.exceptions import ClientError

from fleet import aws
from fleet.findings import Severity
from fleet.ledger.mutes import Mute, Withheld
from fleet.ledger.reports import REPORTS, Reports
from fleet.ledger.rows import LONG_AGO, Key, Row, State, findings_of
from fleet.ledger.storms import Storm

if TYPE_CHECKING:
    from cattrs.preconf.json import JsonConverter
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

Position = Mapping[str, str]
Item = Row | Storm | Reports | Mute | Withheld
T = TypeVar("T", Row, Storm, Reports, Mute, Withheld)
KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Row, Storm, Reports, Mute, Withheld)
}
AGENDAS = 4
INDEX = "agenda"
LISTING = "listing"
# A sweep takes the rest the next time.
SWEPT = 100
FAR_AHEAD = datetime.max.replace(tzinfo=UTC)
CONFLICTS = {"ConditionalCheckFailed", "TransactionConflict"}


class Conflict(Exception):
    """Somebody else has written meanwhile: nothing was committed."""


class Ledger(Protocol):
    """What the triage needs of a store; `Table` is the one in DynamoDB."""

    def get(self, kind: type[T], key: Key) -> T | None:
        """Return the item as it is now."""

    def query(self, kind: type[T], pk: str) -> list[T]:
        """Return all items under `pk` as they are now."""

    def due(self, now: datetime) -> list[Key]:
        """Return what there may be something to do with."""

    def commit(self, items: Sequence[Item], unchanged: Sequence[Item] = ()) -> None:
        """Write all items, or none: each must still be of its version, and so must those that are to be unchanged.

        An item whose version is None is written whatever is there. Raises `Conflict`.
        """


class Table:
    """The ledger in DynamoDB."""

    dynamodb: "DynamoDBClient"

    def __init__(self, name: str) -> None:
        self.name = name
        self.dynamodb = aws.client("dynamodb")

    def get(self, kind: type[T], key: Key) -> T | None:
        answer = self.dynamodb.get_item(TableName=self.name, Key=_key(key), ConsistentRead=True)
        return read(kind, answer["Item"]) if "Item" in answer else None

    def query(self, kind: type[T], pk: str) -> list[T]:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
        return [read(kind, item) for page in pages for item in page["Items"]]

    def due(self, now: datetime) -> list[Key]:
        return [key for agenda in range(AGENDAS) for key in self._due(str(agenda), now)]

    def _due(self, agenda: str, now: datetime) -> list[Key]:
        answer = self.dynamodb.query(
            TableName=self.name,
            IndexName=INDEX,
            KeyConditionExpression="agenda = :agenda AND due <= :now",
            ExpressionAttributeValues={":agenda": {"S": agenda}, ":now": {"S": now.isoformat()}},
            Limit=SWEPT,
        )
        return [(item["pk"]["S"], item["sk"]["S"]) for item in answer["Items"]]

    def listed(
        self,
        state: State,
        opened: tuple[datetime, datetime],
        limit: int,
        after: Position | None = None,
    ) -> list[tuple[Row, Position]]:
        """Return at most `limit` findings of a state that opened in that time, newest first, each with its position.

        They are as they were a moment ago. Fewer than `limit` need not be the last; none are. `after` is the position
        to go on from. Raises `ValueError` for one that is none.
        """
        start: Any = (
            {"ExclusiveStartKey": {name: {"S": text} for name, text in after.items()}}
            if after
            else {}
        )
        try:
            answer = self.dynamodb.query(
                **self._listing(state, opened), ScanIndexForward=False, Limit=limit, **start
            )
        except ClientError as error:
            if after and aws.error_code(error) == "ValidationException":
                raise ValueError("there is no such position") from error
            raise
        names = ("pk", "sk", "listed", "opened")
        return [
            (read(KINDS[item["kind"]["S"]], item), {name: item[name]["S"] for name in names})
            for item in answer["Items"]
        ]

    def tally(self, state: State) -> Counter[tuple[str, Severity]]:
        """Return how many findings of a state each source has, by severity; storms are not counted."""
        pages = self.dynamodb.get_paginator("query").paginate(
            **self._listing(state, (LONG_AGO, FAR_AHEAD)), ProjectionExpression="pk, severity"
        )
        return Counter(
            (item["pk"]["S"].removeprefix(findings_of("")), Severity(item["severity"]["S"]))
            for page in pages
            for item in page["Items"]
            if item["pk"]["S"].startswith(findings_of(""))
        )

    def _listing(self, state: State, opened: tuple[datetime, datetime]) -> Any:
        bounds = {
            f":{name}": {"S": at.isoformat()}
            for name, at in zip(("from", "to"), opened, strict=True)
        }
        return {
            "TableName": self.name,
            "IndexName": LISTING,
            "KeyConditionExpression": "listed = :state AND opened BETWEEN :from AND :to",
            "ExpressionAttributeValues": {":state": {"S": state.value}, **bounds},
        }

    def commit(self, items: Sequence[Item], unchanged: Sequence[Item] = ()) -> None:
        try:
            if len(items) == 1 and not unchanged:
                self.dynamodb.put_item(**self._put(items[0]))
            else:
                puts: list[TransactWriteItemTypeDef] = [{"Put": self._put(item)} for item in items]
                checks: list[TransactWriteItemTypeDef] = [
                    {"ConditionCheck": self._check(item)} for item in unchanged
                ]
                self.dynamodb.transact_write_items(TransactItems=[*puts, *checks])
        except self.dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise Conflict from error
        except self.dynamodb.exceptions.TransactionCanceledException as error:
            if CONFLICTS & {
                reason.get("Code") for reason in error.response.get("CancellationReasons", [])
            }:
                raise Conflict from error
            raise
        except ClientError as error:
            if aws.error_code(error) == "TransactionConflictException":
                raise Conflict from error
            raise

    def _put(self, item: Item) -> Any:
        return {"TableName": self.name, "Item": attributes(item), **_condition(item)}

    def _check(self, item: Item) -> Any:
        return {"TableName": self.name, "Key": _key(item.key), **_condition(item)}


def last_reports(name: str) -> dict[str, datetime]:
    """Read when each job last reported, and nothing else, from the ledger of this name."""
    pages = (
        aws.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": REPORTS}},
            ProjectionExpression="sk, last_report",
        )
    )
    return {
        item["sk"]["S"]: datetime.fromisoformat(item["last_report"]["S"])
        for page in pages
        for item in page["Items"]
    }


def attributes(item: Item) -> dict[str, Any]:
    """Return the item as DynamoDB stores it, as its next version."""
    stored = {
        **_key(item.key),
        "kind": {"S": type(item).__name__},
        "document": {"S": json.dumps(_converter().unstructure(item))},
        "version": {"N": str((item.version or 0) + 1)},
    }
    if item.expires:
        stored["expires"] = {"N": str(round(item.expires.timestamp()))}
    if item.due:
        agenda = crc32("/".join(item.key).encode("utf-8", "surrogatepass")) % AGENDAS
        stored |= {"agenda": {"S": str(agenda)}, "due": {"S": item.due.isoformat()}}
    if isinstance(item, Row) and item.opened_at > LONG_AGO:
        facts = {
            "listed": item.state,
            "opened": item.opened_at.isoformat(),
            "severity": item.severity,
        }
        stored |= {name: {"S": str(fact)} for name, fact in facts.items()}
    if isinstance(item, Reports):
        stored["last_report"] = {"S": item.last_report.isoformat()}
    return stored


def read(kind: type[T], item: dict[str, Any]) -> T:
    """Return the item that DynamoDB has stored."""
    document = {**json.loads(item["document"]["S"]), "version": int(item["version"]["N"])}
    return _converter().structure(document, kind)


def _condition(item: Item) -> Any:
    match item.version:
        case None:
            return {}
        case 0:
            return {"ConditionExpression": "attribute_not_exists(pk)"}
    names, values = {"#version": "version"}, {":version": {"N": str(item.version)}}
    return {
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


@cache
def _converter() -> "JsonConverter":
    from cattrs.preconf.json import make_converter

    return make_converter()
