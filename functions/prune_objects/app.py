"""Delete all but the newest objects under a prefix, such as build caches nobody will read again.

Trigger: schedule, daily. Reads: S3 listings, the list of prefixes in SSM. Writes: deletes S3
objects. Reports: prefixes that could not be pruned, that reached the run's cap, or that a dry run
would prune.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappush, heappushpop
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from fleet import aws
from fleet.findings import Finding, Severity, cut
from fleet.lists import entries, fault_findings
from fleet.runtime.scheduled import Run, scheduled
from fleet.runtime.telemetry import logger
from fleet.settings import load, within

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BATCH = 1_000  # DeleteObjects takes no more keys (S3 API Reference)
EXAMPLES = 10


@dataclass(frozen=True, slots=True)
class Settings:
    entries_parameter: str
    max_deletions: int = 10_000  # in one run, of all entries together

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

    def __post_init__(self) -> None:
        within("keep_newest", self.keep_newest, 1, 10_000)  # what is kept is held in memory
        within("older_than", self.older_than, timedelta(0), timedelta(days=3_650))
        within("the length of bucket and prefix", len(str(self)), 1, 1_024)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"


@dataclass(frozen=True, slots=True, order=True)
class Stored:
    """An object as S3 lists it. Older ones are less than newer ones."""

    modified: datetime
    key: str
    size: int  # bytes


@dataclass(slots=True)
class Progress:
    """How far the pruning of an entry has come. It stays known when the pruning breaks off."""

    objects: int = 0
    """How many were chosen for deletion."""
    bytes: int = 0
    """How many bytes those have."""
    kept: int = 0
    """How many of them S3 did not delete."""
    examples: list[str] = field(default_factory=list)
    """The first few of the kept keys, each with the reason."""
    capped: bool = False
    """Whether the cap left some that should go."""

    def add_chosen(self, batch: Iterable[Stored]) -> None:
        """Count objects that are about to be deleted, or would be."""
        for stored in batch:
            self.objects += 1
            self.bytes += stored.size

    def add_kept(self, key_and_reason: str) -> None:
        """Count an object that S3 did not delete."""
        self.kept += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(key_and_reason)


def surplus(stored: Iterable[Stored], keep_newest: int, before: datetime) -> Iterator[Stored]:
    """Yield all but the `keep_newest` newest objects, if they were modified before `before`.

    It holds no more objects than it keeps, so that a listing may have any length.
    """
    newest: list[Stored] = []
    for candidate in stored:
        if len(newest) < keep_newest:
            heappush(newest, candidate)
            continue
        oldest = heappushpop(newest, candidate)
        if oldest.modified < before:
            yield oldest


def judge(entry: Entry, progress: Progress) -> Iterator[Finding]:
    """Yield what people should know of an entry that was pruned: nothing if all of it went."""
    if progress.capped:
        title = f"has more to delete: the run's cap stopped it after {progress.objects} objects"
        severity = Severity.WARNING
    elif entry.dry_run and progress.objects:
        megabytes = f"{progress.bytes / 1e6:.1f} MB"
        title = f"would lose {progress.objects} objects ({megabytes}) if dry_run were false"
        severity = Severity.INFO
    else:
        return
    yield Finding(
        subject=str(entry),
        title=f"{entry} {title}",
        severity=severity,
        detail={
            "objects": progress.objects,
            "bytes": progress.bytes,
            "keep_newest": entry.keep_newest,
        },
        link=aws.console_url(f"s3/buckets/{entry.bucket}?prefix={quote(entry.prefix)}"),
    )


def prune(s3: "S3Client", entry: Entry, now: datetime, cap: int, progress: Progress) -> None:
    """Delete an entry's surplus, at most `cap` objects, or only count all of it in a dry run.

    An object that is overwritten between its listing and its deletion, seconds later, goes with
    its new content.
    """
    objects = read_objects(s3, entry)
    before = now - entry.older_than
    spare = surplus(objects, entry.keep_newest, before)
    chosen = spare if entry.dry_run else islice(spare, cap)
    while batch := list(islice(chosen, BATCH)):
        progress.add_chosen(batch)
        if not entry.dry_run:
            delete_batch(s3, entry.bucket, batch, progress)
    left = next(spare, None)
    progress.capped = left is not None


def read_objects(s3: "S3Client", entry: Entry) -> Iterator[Stored]:
    """Yield all objects under an entry's prefix, in the order of their keys."""
    paginator = s3.get_paginator("list_objects_v2")
    for page in paginator.paginate(Bucket=entry.bucket, Prefix=entry.prefix):
        for item in page.get("Contents", []):
            yield Stored(
                modified=item["LastModified"],
                key=item["Key"],
                size=item["Size"],
            )


def delete_batch(s3: "S3Client", bucket: str, batch: Sequence[Stored], progress: Progress) -> None:
    """Delete up to 1,000 objects; log and count each that S3 keeps.

    In a versioned bucket this adds delete markers: the data stays recoverable until a lifecycle
    rule removes it.
    """
    keys = [stored.key for stored in batch]
    listable = [key for key in keys if not aws.UNFIT_FOR_XML.search(key)]
    others = [key for key in keys if aws.UNFIT_FOR_XML.search(key)]
    for kept in [*delete_together(s3, bucket, listable), *delete_singly(s3, bucket, others)]:
        logger.error("not deleted", bucket=bucket, object=kept)
        progress.add_kept(kept)


def delete_together(s3: "S3Client", bucket: str, keys: Sequence[str]) -> list[str]:
    """Delete objects by one call. Return each key that S3 kept, with the reason."""
    if not keys:
        return []
    answer = s3.delete_objects(
        Bucket=bucket,
        Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True},
    )
    errors = answer.get("Errors", [])
    return [f"{error.get('Key')!r} ({error.get('Code')})" for error in errors]


def delete_singly(s3: "S3Client", bucket: str, keys: Iterable[str]) -> Iterator[str]:
    """Delete objects whose keys no list can carry. Yield each key that S3 kept, with the reason."""
    for key in keys:
        try:
            s3.delete_object(Bucket=bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            yield f"{key!r} ({error})"


def prune_and_report(
    s3: "S3Client", entry: Entry, now: datetime, cap: int, progress: Progress
) -> Iterator[Finding]:
    """Prune an entry as far as S3 lets it, and yield what people should know of it."""
    try:
        prune(s3, entry, now, cap, progress)
    except (BotoCoreError, ClientError) as error:
        yield Finding(
            subject=str(entry),
            title=f"{entry} cannot be pruned to the end",
            detail={"reason": str(error)},
        )
    else:
        yield from judge(entry, progress)
    logger.info(
        "pruned",
        entry=str(entry),
        dry_run=entry.dry_run,
        objects=progress.objects,
        kept=progress.kept,
    )


@scheduled
def handler(run: Run) -> Iterator[Finding]:
    settings = load(Settings)
    listed = entries(settings.entries_parameter, Entry, key=str)
    yield from fault_findings(listed.faults, settings.entries_parameter)
    s3 = aws.client("s3")
    cap = settings.max_deletions
    kept = []
    for entry in listed.usable:
        progress = Progress()
        yield from prune_and_report(s3, entry, run.scheduled_at, cap, progress)
        if not entry.dry_run:
            cap -= progress.objects
        if progress.kept:
            examples = ", ".join(progress.examples)
            kept.append(f"{entry}: {progress.kept} objects, such as {examples}")
    if kept:
        raise RuntimeError(cut(f"S3 did not delete {'; '.join(kept)}", 2_000))
