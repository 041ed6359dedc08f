"""Delete all but the newest objects under a prefix, such as build caches that nobody will read again.

Trigger: schedule, daily. Reads: S3 listings, the list of prefixes in SSM. Writes: deletes S3 objects.
Reports: prefixes that cannot be pruned, that reached the cap of a run, or that a dry run would prune.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappush, heappushpop
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.findings import Finding, Severity, cut
from fleet.runtime.scheduled import Run, scheduled
from fleet.runtime.telemetry import logger
from fleet.settings import entries, load, unusable, within

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Settings:
    entries_parameter: str
    max_deletions: int = 10_000

    def __post_init__(self) -> None:
        within("max_deletions", self.max_deletions, 0, 1_000_000)


@dataclass(frozen=True, slots=True)
class Entry:
    """One prefix to prune. It stays a dry run until it says `dry_run: false`."""

    bucket: str
    prefix: str
    keep_newest: int
    older_than: timedelta = timedelta(0)
    dry_run: bool = True

    def __post_init__(self) -> None:  # what is kept is held in memory
        within("keep_newest", self.keep_newest, 1, 10_000)
        within("older_than", self.older_than, timedelta(0), timedelta(days=3_650))
        within("the length of bucket and prefix", len(str(self)), 1, 1_024)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(frozen=True, slots=True, order=True)
class Stored:
    modified: datetime
    key: str
    size: int


@dataclass(slots=True)
class Pruned:
    """What became of an entry: the objects chosen and their bytes, how many S3 kept and some of them, what is left."""

    objects: int = 0
    bytes: int = 0
    kept: int = 0
    examples: list[str] = field(default_factory=list)
    capped: bool = False


def surplus(stored: Iterable[Stored], keep_newest: int, before: datetime) -> Iterator[Stored]:
    """Yield all but the `keep_newest` newest objects, if modified before `before`; holds only what it keeps."""
    newest: list[Stored] = []
    for candidate in stored:
        if len(newest) < keep_newest:
            heappush(newest, candidate)
        elif (oldest := heappushpop(newest, candidate)).modified < before:
            yield oldest


def judged(entry: Entry, pruned: Pruned) -> Iterator[Finding]:
    """Yield what people should know of an entry's run."""
    detail = {"objects": pruned.objects, "bytes": pruned.bytes, "keep_newest": entry.keep_newest}
    link = aws.console_url(f"s3/buckets/{entry.bucket}?prefix={quote(entry.prefix)}")
    if pruned.capped:
        title = (
            f"{entry} has more to delete: the run's cap stopped it after {pruned.objects} objects"
        )
        yield Finding(str(entry), title, Severity.WARNING, detail, link)
    elif entry.dry_run and pruned.objects:
        title = f"{entry} would lose {pruned.objects} objects ({pruned.bytes / 1e6:.1f} MB) if dry_run were false"
        yield Finding(str(entry), title, Severity.INFO, detail, link)


def delete(s3: "S3Client", bucket: str, keys: list[str]) -> Iterator[str]:
    """Delete up to 1,000 objects; yield each key that S3 kept, and why.

    In a versioned bucket this adds delete markers: the data stays recoverable until a lifecycle rule removes it.
    """
    if fit := [key for key in keys if not aws.UNFIT_FOR_XML.search(key)]:
        answer = s3.delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": key} for key in fit], "Quiet": True}
        )
        yield from (
            f"{kept.get('Key')!r} ({kept.get('Code')})" for kept in answer.get("Errors", ())
        )
    for key in filter(aws.UNFIT_FOR_XML.search, keys):
        try:
            s3.delete_object(Bucket=bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            yield f"{key!r} ({error})"


def prune(s3: "S3Client", entry: Entry, now: datetime, cap: int, pruned: Pruned) -> None:
    """Delete an entry's surplus, at most `cap` objects, or only count it in a dry run.

    An object written anew between its listing and its deletion (seconds later) goes with its new content.
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=entry.bucket, Prefix=entry.prefix)
    found = (item for page in pages for item in page.get("Contents", ()))
    stored = (Stored(item["LastModified"], item["Key"], item["Size"]) for item in found)
    spare = surplus(stored, entry.keep_newest, now - entry.older_than)
    chosen = spare if entry.dry_run else islice(spare, cap)
    while batch := list(islice(chosen, 1_000)):  # DeleteObjects takes no more
        pruned.objects += len(batch)
        pruned.bytes += sum(each.size for each in batch)
        for kept in [] if entry.dry_run else delete(s3, entry.bucket, [each.key for each in batch]):
            logger.error("not deleted", bucket=entry.bucket, object=kept)
            pruned.kept += 1
            pruned.examples = [*pruned.examples, kept][:10]
    pruned.capped = next(spare, None) is not None


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings = load(Settings)
    wanted = entries(settings.entries_parameter, Entry, key=str)
    yield from unusable(wanted.faults, settings.entries_parameter)
    s3, cap, kept = aws.client("s3"), settings.max_deletions, list[str]()
    for entry in wanted.usable:
        pruned = Pruned()
        try:
            prune(s3, entry, run.scheduled_at, cap, pruned)
            yield from judged(entry, pruned)
        except (BotoCoreError, ClientError) as error:
            yield Finding(
                str(entry), f"{entry} cannot be pruned to the end", detail={"reason": str(error)}
            )
        logger.info(
            "pruned",
            entry=str(entry),
            dry_run=entry.dry_run,
            objects=pruned.objects,
            kept=pruned.kept,
        )
        cap -= 0 if entry.dry_run else pruned.objects
        if pruned.kept:
            kept.append(f"{entry}: {pruned.kept} objects, such as {', '.join(pruned.examples)}")
    if kept:
        raise RuntimeError(cut(f"S3 did not delete {'; '.join(kept)}", 2_000))
