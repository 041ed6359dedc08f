"""Tags: which resources are looked at, and how old the newest backup of each may be."""

from datetime import timedelta

from fleet import aws
from fleet.settings import duration

AGE_TAG = "fleet:backup-max-age"
NO_BACKUP = "none"

RESOURCE_TYPES = [
    "rds:db",
    "rds:cluster",
    "dynamodb:table",
    "ec2:volume",
    "elasticfilesystem:file-system",
    "s3",
]


def read_age_tags(select_tag: str) -> dict[str, str]:
    """Return the text of the tag `fleet:backup-max-age` by ARN, empty for a resource without it.

    These are the resources that have the tag `select_tag`: a key, or `key=value`. If it is empty,
    they are all resources that have any tag.
    """
    key, _, value = select_tag.partition("=")
    tagging = aws.client("resourcegroupstaggingapi")
    pages = tagging.get_paginator("get_resources").paginate(
        ResourceTypeFilters=RESOURCE_TYPES,
        TagFilters=[{"Key": key, "Values": [value] if value else []}] if key else [],
    )
    ages = {}
    for page in pages:
        for resource in page.get("ResourceTagMappingList", []):
            tags = {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}
            ages[resource["ResourceARN"]] = tags.get(AGE_TAG, "")
    return ages


def allowed_age(tag: str, default: timedelta) -> timedelta | None:
    """How old the newest backup may be by a resource's tag: `90m`, `26h`, `8d`, or the default.

    None when the resource needs no backup. Raises `ValueError` when the tag says something else.
    """
    if tag == NO_BACKUP:
        return None
    return duration(tag) if tag else default
