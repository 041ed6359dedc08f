"""The ledger's table in DynamoDB.

| `pk` | `sk` | the item |
|---|---|---|
| `finding#<source>` | dedup key | `Row`: a finding |
| `storms` | source | `Storm`: the storm of a source, open or not |
| `reports` | job | `Reports`: what a job's reports are complete for |
| `mutes` | id | `Mute` |
| `withheld#<mute>` | alert id | `Withheld`: an alert that a mute withheld |

Every item is one JSON text, the attribute `document`, and its class, `kind`. Beside these stand the
attributes that DynamoDB itself looks at:

- `version`: every write is conditional on it.
- `expires`: the TTL in epoch seconds.
- `agenda` (one of AGENDAS) and `due` (ISO time), only while there is something to do that no
  message will bring about. A sweep reads nothing but the sparse index over these two.
- `listed` (the state), `opened` (ISO time) and `severity`, of a finding or storm that ever opened.
  A second index over these lists the newest first.
- `last_report` (ISO time) of a job's reports, so that one Query of `reports` reads it for all jobs.
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
"""Where a listing goes on: the keys of its last item in table and index."""

Item = Row | Storm | Reports | Mute | Withheld
T = TypeVar("T", Row, Storm, Reports, Mute, Withheld)
KINDS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Row, Storm, Reports, Mute, Withheld)
}
# The load of the index is spread over so many partition keys.
AGENDAS = 4
AGENDA_INDEX = "agenda"
LISTING_INDEX = "listing"
LISTING_KEYS = ("pk", "sk", "listed", "opened")
# A sweep takes at most so many items of an agenda, and the next sweep takes the rest.
SWEPT = 100
FAR_AHEAD = datetime.max.replace(tzinfo=UTC)
CONFLICTS = {"ConditionalCheckFailed", "TransactionConflict"}


class Conflict(Exception):
    """Another process has written an item since it was read: nothing was committed."""


class Ledger(Protocol):
    """What triage needs of a store; `Table` is the one in DynamoDB."""

    def get(self, kind: type[T], key: Key) -> T | None:
        """Return the item as it is now; None when it does not exist."""

    def query(self, kind: type[T], pk: str) -> list[T]:
        """Return all items under `pk` as they are now."""

    def due(self, now: datetime) -> list[Key]:
        """Return the keys of items that may be due, in no order."""

    def commit(self, items: Sequence[Item], unchanged: Sequence[Item] = ()) -> None:
        """Write all items or none: at most 100 with those of `unchanged`.

        All must still have the version that they were read with. An item whose version is None is
        written whatever is stored. Raises `Conflict`.
        """


class Table:
    """The ledger in DynamoDB. Its methods raise `ClientError` for what DynamoDB refuses."""

    dynamodb: "DynamoDBClient"

    def __init__(self, name: str) -> None:
        self.name = name
        self.dynamodb = aws.client("dynamodb")

    def get(self, kind: type[T], key: Key) -> T | None:
        answer = self.dynamodb.get_item(
            TableName=self.name,
            Key=_key(key),
            ConsistentRead=True,
        )
        if "Item" not in answer:
            return None
        return from_attributes(kind, answer["Item"])

    def query(self, kind: type[T], pk: str) -> list[T]:
        pages = self.dynamodb.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
        )
        items: list[T] = []
        for page in pages:
            items += [from_attributes(kind, item) for item in page["Items"]]
        return items

    def due(self, now: datetime) -> list[Key]:
        keys: list[Key] = []
        for agenda in range(AGENDAS):
            keys += self._due(str(agenda), now)
        return keys

    def _due(self, agenda: str, now: datetime) -> list[Key]:
        answer = self.dynamodb.query(
            TableName=self.name,
            IndexName=AGENDA_INDEX,
            KeyConditionExpression="agenda = :agenda AND due <= :now",
            ExpressionAttributeValues={":agenda": {"S": agenda}, ":now": {"S": now.isoformat()}},
            Limit=SWEPT,
        )
        return [(item["pk"]["S"], item["sk"]["S"]) for item in answer["Items"]]

    def list_newest(
        self,
        state: State,
        opened: tuple[datetime, datetime],
        limit: int,
        after: Position | None = None,
    ) -> list[tuple[Row, Position]]:
        """Return at most `limit` findings of a state, the newest first, each with its position.

        `opened` are the first and the last time at which they may have opened. `after` is the
        position to go on behind. What is returned may be a moment old. A page with fewer than
        `limit` findings need not be the last, but an empty one is.

        Raises `ValueError` when `after` is not a position.
        """
        query = self._listing(state, opened)
        if after:
            query["ExclusiveStartKey"] = {name: {"S": text} for name, text in after.items()}
        try:
            answer = self.dynamodb.query(**query, ScanIndexForward=False, Limit=limit)
        except ClientError as error:
            if after and aws.error_code(error) == "ValidationException":
                raise ValueError("there is no such position") from error
            raise
        page: list[tuple[Row, Position]] = []
        for item in answer["Items"]:
            kind = KINDS[item["kind"]["S"]]
            position = {name: item[name]["S"] for name in LISTING_KEYS}
            page.append((from_attributes(kind, item), position))
        return page

    def tally(self, state: State) -> Counter[tuple[str, Severity]]:
        """Return how many findings of a state there are by source and severity, without storms."""
        query = self._listing(state, (LONG_AGO, FAR_AHEAD))
        pages = self.dynamodb.get_paginator("query").paginate(
            **query, ProjectionExpression="pk, severity"
        )
        counts: Counter[tuple[str, Severity]] = Counter()
        prefix = findings_of("")
        for page in pages:
            for item in page["Items"]:
                key = item["pk"]["S"]
                if key.startswith(prefix):
                    severity = Severity(item["severity"]["S"])
                    counts[key.removeprefix(prefix), severity] += 1
        return counts

    def _listing(self, state: State, opened: tuple[datetime, datetime]) -> Any:
        first, last = opened
        return {
            "TableName": self.name,
            "IndexName": LISTING_INDEX,
            "KeyConditionExpression": "listed = :state AND opened BETWEEN :from AND :to",
            "ExpressionAttributeValues": {
                ":state": {"S": state.value},
                ":from": {"S": first.isoformat()},
                ":to": {"S": last.isoformat()},
            },
        }

    def commit(self, items: Sequence[Item], unchanged: Sequence[Item] = ()) -> None:
        try:
            if len(items) == 1 and not unchanged:
                self.dynamodb.put_item(**self._put(items[0]))
            else:
                actions: list[TransactWriteItemTypeDef] = []
                actions += [{"Put": self._put(item)} for item in items]
                actions += [{"ConditionCheck": self._check(item)} for item in unchanged]
                self.dynamodb.transact_write_items(TransactItems=actions)
        except self.dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise Conflict from error
        except self.dynamodb.exceptions.TransactionCanceledException as error:
            reasons = error.response.get("CancellationReasons", [])
            if any(reason.get("Code") in CONFLICTS for reason in reasons):
                raise Conflict from error
            raise
        except ClientError as error:
            if aws.error_code(error) == "TransactionConflictException":
                raise Conflict from error
            raise

    def _put(self, item: Item) -> Any:
        return {
            "TableName": self.name,
            "Item": attributes(item),
            **_condition(item),
        }

    def _check(self, item: Item) -> Any:
        return {
            "TableName": self.name,
            "Key": _key(item.key),
            **_condition(item),
        }


def last_reports(name: str) -> dict[str, datetime]:
    """Return when each job last reported (UTC), from the ledger with this table name."""
    dynamodb = aws.client("dynamodb")
    pages = dynamodb.get_paginator("query").paginate(
        TableName=name,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": REPORTS}},
        ProjectionExpression="sk, last_report",
    )
    times: dict[str, datetime] = {}
    for page in pages:
        for item in page["Items"]:
            job = item["sk"]["S"]
            times[job] = datetime.fromisoformat(item["last_report"]["S"])
    return times


def attributes(item: Item) -> dict[str, Any]:
    """Return the attributes that DynamoDB stores for an item, as its next version."""
    document = _converter().unstructure(item)
    version = (item.version or 0) + 1
    stored = {
        **_key(item.key),
        "kind": {"S": type(item).__name__},
        "document": {"S": json.dumps(document)},
        "version": {"N": str(version)},
    }
    if item.expires:
        seconds = round(item.expires.timestamp())
        stored["expires"] = {"N": str(seconds)}
    if item.due:
        stored["agenda"] = {"S": _agenda(item.key)}
        stored["due"] = {"S": item.due.isoformat()}
    if isinstance(item, Row) and item.opened_at > LONG_AGO:
        stored["listed"] = {"S": item.state.value}
        stored["opened"] = {"S": item.opened_at.isoformat()}
        stored["severity"] = {"S": item.severity.value}
    if isinstance(item, Reports):
        stored["last_report"] = {"S": item.last_report.isoformat()}
    return stored


def _agenda(key: Key) -> str:
    written = "/".join(key)
    checksum = crc32(written.encode("utf-8", "surrogatepass"))
    return str(checksum % AGENDAS)


def from_attributes(kind: type[T], item: dict[str, Any]) -> T:
    """Return the item of these attributes."""
    document = json.loads(item["document"]["S"])
    document["version"] = int(item["version"]["N"])
    return _converter().structure(document, kind)


def _condition(item: Item) -> Any:
    if item.version is None:
        return {}
    if item.version == 0:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "#version = :version",
        "ExpressionAttributeNames": {"#version": "version"},
        "ExpressionAttributeValues": {":version": {"N": str(item.version)}},
    }


def _key(key: Key) -> dict[str, Any]:
    return {"pk": {"S": key[0]}, "sk": {"S": key[1]}}


@cache  # lives as long as the process: making a converter takes longer than most reads
def _converter() -> "JsonConverter":
    from cattrs.preconf.json import make_converter

    return make_converter()
