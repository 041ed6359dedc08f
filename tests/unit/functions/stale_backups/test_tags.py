from datetime import timedelta

import pytest
from tests.unit.functions.stale_backups.account import HOUR, TABLE, Account

from fleet_backups.tags import allowed_age, read_age_tags


@pytest.mark.parametrize(
    ("tag", "age"),
    [("", 26 * HOUR), ("90m", 1.5 * HOUR), ("8d", timedelta(days=8)), ("none", None)],
    ids=["the default", "minutes", "days", "excepted"],
)
def test_a_tag_says_how_old_a_backup_may_be(tag: str, age: timedelta | None) -> None:
    assert allowed_age(tag, 26 * HOUR) == age


@pytest.mark.parametrize("tag", ["daily", "None", "26", " "])
def test_a_tag_that_says_anything_else_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 12h or 30d"):
        allowed_age(tag, HOUR)


def test_a_resource_without_the_tag_has_an_empty_one(account: Account) -> None:
    account.has_tags(**{TABLE: "4h"})
    other = {"ResourceARN": "arn:aws:s3:::b", "Tags": [{"Key": "team", "Value": "data"}]}
    page = {"ResourceTagMappingList": [other]}
    account.has("resourcegroupstaggingapi", "GetResources", page)
    assert read_age_tags("team=data") == {TABLE: "4h", "arn:aws:s3:::b": ""}
