"""An account of AWS, as far as the readers of backups look at it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_AGO = NOW - timedelta(days=400)
HERE = "eu-west-1:123456789012"
TABLE = f"arn:aws:dynamodb:{HERE}:table/orders"
TAG = "fleet:backup-max-age"


class Account:
    """Recorded pages by operation, each checked against botocore's model, and what was asked."""

    def __init__(self) -> None:
        self.pages: dict[str, Any] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.published: list[Any] = []

    def has(self, service: str, operation: str, page: Any) -> None:
        model = botocore.session.get_session().get_service_model(service).operation_model(operation)
        assert model.output_shape
        report = ParamValidator().validate(page, model.output_shape)
        assert not report.has_errors(), report.generate_report()
        self.pages.setdefault(xform_name(operation), []).append(page)

    def has_table(self, name: str, latest: datetime | None = None) -> None:
        self.has("dynamodb", "ListTables", {"TableNames": [name]})
        described = {"TableStatus": "ACTIVE", "CreationDateTime": LONG_AGO}
        self.has("dynamodb", "DescribeTable", {"Table": described})
        window = {"LatestRestorableDateTime": latest} if latest else {}
        backups = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": window}
        answer = {"ContinuousBackupsDescription": backups}
        self.has("dynamodb", "DescribeContinuousBackups", answer)

    def has_tags(self, **ages: str) -> None:
        mapping = [
            {"ResourceARN": arn, "Tags": [{"Key": TAG, "Value": age}]} for arn, age in ages.items()
        ]
        page = {"ResourceTagMappingList": mapping}
        self.has("resourcegroupstaggingapi", "GetResources", page)

    def answer(self, operation: str, request: dict[str, Any]) -> Iterator[Any]:
        self.requests.append((operation, request))
        for page in self.pages.get(operation, []):
            if isinstance(page, Exception):
                raise page
            yield page(request) if callable(page) else page


class Client:
    """The client of any service in the account."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def get_paginator(self, operation: str) -> "Paginator":
        return Paginator(self.account, operation)

    def put_events(self, Entries: list[Any]) -> Any:  # noqa: N803 - boto3's name
        self.account.published += [json.loads(entry["Detail"]) for entry in Entries]
        return {"Entries": [{"EventId": "e1"}]}

    def describe_table(self, **request: Any) -> Any:
        return next(self.account.answer("describe_table", request))

    def describe_continuous_backups(self, **request: Any) -> Any:
        return next(self.account.answer("describe_continuous_backups", request))


class Paginator:
    """The recorded pages of one operation."""

    def __init__(self, account: Account, operation: str) -> None:
        self.account, self.operation = account, operation

    def paginate(self, **request: Any) -> Iterator[Any]:
        return self.account.answer(self.operation, request)


def denied(code: str = "AccessDeniedException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Read")
