"""Report databases, tables, volumes, file systems, buckets and dumps without a recent backup.

Trigger: schedule, daily. Reads: RDS, DynamoDB, EBS, EFS, S3, AWS Backup, tags, the list of dumps.
Reports: one finding for each whose newest good backup is missing, too old, or cannot be read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet.findings import Finding
from fleet.lists import entries, fault_findings
from fleet.runtime.scheduled import Run, scheduled
from fleet.settings import load, required
from fleet_backups.dumps import Dump, read_dumps
from fleet_backups.judgement import judge
from fleet_backups.services import Place, read_services
from fleet_backups.tags import AGE_TAG, allowed_age, read_age_tags
from fleet_backups.values import History, gather


@dataclass(frozen=True, slots=True)
class Settings:
    account: str
    dumps_parameter: str
    max_age: timedelta = timedelta(hours=26)  # for what has no tag of its own
    select_tag: str = AGE_TAG  # a key, or key=value; empty for all resources


def judge_resources(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Yield what is wrong with the backups of AWS resources, and with the tags about them."""
    tags = read_age_tags(settings.select_tag)
    selected = tags.keys() if settings.select_tag else None
    place = Place(required("AWS_REGION"), settings.account)
    histories = gather(read_services(place, selected))
    subjects = histories.keys() if selected is None else selected
    for arn in subjects:
        history = histories.get(arn, History(arn))
        yield from judge_resource(history, tags.get(arn, ""), settings.max_age, now)


def judge_resource(
    history: History, tag: str, default: timedelta, now: datetime
) -> Iterator[Finding]:
    """Yield what is wrong with a resource's backups, by the age that its tag or the default allows.

    An unusable tag is the only finding about its resource.
    """
    try:
        allowed = allowed_age(tag, default)
    except ValueError as error:
        yield Finding(
            subject=history.subject,
            title=f"{history.subject} has a tag {AGE_TAG} that cannot be used",
            detail={"reason": str(error)},
        )
        return
    if allowed is not None:
        yield from judge(history, allowed, now)


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings = load(Settings)
    dumps = entries(settings.dumps_parameter, Dump, key=str, optional=True)
    yield from fault_findings(dumps.faults, settings.dumps_parameter)
    yield from judge_resources(settings, run.scheduled_at)
    for dump in dumps.usable:
        history = read_dumps(dump)
        yield from judge(history, dump.max_age, run.scheduled_at)
