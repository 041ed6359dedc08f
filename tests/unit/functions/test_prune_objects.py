import io
import itertools
import json
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from functions.prune_objects.app import Entry, Progress, Stored, handler, judge, prune, surplus
from hypothesis import given
from hypothesis import strategies as st
from moto.s3.models import s3_backends
from mypy_boto3_s3 import S3Client
from tests.conftest import Context
from tools.sandbox import ACCOUNT, REGION

from fleet import aws
from fleet.findings import Severity
from fleet.lists import parse_entries
from fleet.runtime.telemetry import logger

EVENT = json.loads((Path(__file__).parents[2] / "events" / "prune_objects.json").read_text())
NOW = datetime(2026, 11, 20, 3, 30, tzinfo=UTC)
ENTRIES = "/fleet/prune_objects/entries"
Json = dict[str, Any]
Published = Callable[[], list[Json]]


def stored(key: str, days: float = 1, size: int = 1) -> Stored:
    return Stored(NOW - timedelta(days=days), key, size)


def spare(objects: Iterable[Stored], keep_newest: int, before: datetime = NOW) -> list[str]:
    return sorted(one.key for one in surplus(objects, keep_newest, before))


@pytest.mark.parametrize(
    ("keep", "expected"),
    [(1, ["b", "c", "d"]), (2, ["c", "d"]), (4, []), (9, [])],
    ids=["one", "two", "all", "more than there are"],
)
def test_all_but_the_newest_are_surplus(keep: int, expected: list[str]) -> None:
    assert spare([stored("c", 3), stored("a", 1), stored("d", 4), stored("b", 2)], keep) == expected


def test_of_objects_equally_old_the_same_are_kept_in_whatever_order_they_come() -> None:
    objects = [stored(key) for key in "abcd"]
    assert spare(objects, 2) == spare(reversed(objects), 2) == ["a", "b"]


@pytest.mark.parametrize(
    ("age", "expected"),
    [(timedelta(days=3, seconds=1), ["old"]), (timedelta(days=3), []), (timedelta(days=2), [])],
    ids=["a second older", "exactly as old", "younger"],
)
def test_surplus_must_be_older_than_the_limit(age: timedelta, expected: list[str]) -> None:
    objects = [Stored(NOW - age, "old", 1), stored("new", 0)]
    assert spare(objects, 1, NOW - timedelta(days=3)) == expected


@given(
    st.lists(
        st.builds(stored, st.text(max_size=3), st.integers(0, 5)), unique_by=lambda one: one.key
    ),
    st.integers(1, 8),
    st.integers(0, 5),
)
def test_surplus_is_everything_old_enough_but_the_newest(
    objects: list[Stored], keep: int, days: int
) -> None:
    before = NOW - timedelta(days=days)
    rest = sorted(objects)[:-keep]
    assert sorted(surplus(objects, keep, before)) == [one for one in rest if one.modified < before]


class Endless:
    """An S3 of 30,000 objects, made as they are listed. It counts deletions, or refuses them."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses
        self.deleted = 0

    def get_paginator(self, _: str) -> "Endless":
        return self

    def paginate(self, **_: str) -> Iterator[Json]:
        for page in range(30):
            numbers = range(page * 1_000, (page + 1) * 1_000)
            yield {
                "Contents": [
                    {"Key": f"k{n}", "LastModified": NOW - timedelta(days=1), "Size": 1}
                    for n in numbers
                ]
            }

    def delete_objects(self, Delete: Json, **_: str) -> Json:  # noqa: N803 - botocore's name
        assert 0 < len(Delete["Objects"]) <= 1_000  # S3 takes no more
        if self.refuses:
            return {
                "Errors": [{"Key": one["Key"], "Code": "AccessDenied"} for one in Delete["Objects"]]
            }
        self.deleted += len(Delete["Objects"])
        return {}


@pytest.mark.parametrize(
    ("dry_run", "refuses", "deleted", "kept"),
    [
        pytest.param(True, False, 0, 0, id="dry run"),
        pytest.param(False, False, 29_990, 0, id="deleting"),
        pytest.param(False, True, 0, 29_990, id="all refused"),
    ],
)
def test_30_000_objects_are_pruned_in_bounded_memory(
    dry_run: bool, refuses: bool, deleted: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, progress, logged = Endless(refuses), Progress(), list[int]()
    monkeypatch.setattr(
        logger, "error", lambda *_, **__: logged.append(1)
    )  # pytest would keep the lines
    tracemalloc.start()
    try:
        prune(cast(S3Client, s3), Entry("b", "", 10, dry_run=dry_run), NOW, 1_000_000, progress)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (progress.objects, progress.bytes, progress.capped) == (29_990, 29_990, False)
    assert (s3.deleted, progress.kept, len(progress.examples)) == (deleted, kept, min(kept, 10))
    assert sum(logged) == kept
    assert peak < 3_000_000


def test_a_dry_run_says_what_it_would_delete() -> None:
    (finding,) = judge(Entry("caches", "web/a b/", 5), Progress(objects=12, bytes=3_400_000))
    assert finding.subject == "s3://caches/web/a b/"
    assert (
        finding.title == "s3://caches/web/a b/ would lose 12 objects (3.4 MB) if dry_run were false"
    )
    assert finding.severity is Severity.INFO
    assert finding.detail == {"objects": 12, "bytes": 3_400_000, "keep_newest": 5}
    assert (
        finding.link
        == f"https://{REGION}.console.aws.amazon.com/s3/buckets/caches?prefix=web/a%20b/"
    )


def test_a_reached_cap_is_a_warning() -> None:
    (finding,) = judge(Entry("caches", "web/", 5, dry_run=False), Progress(objects=7, capped=True))
    assert (
        finding.title
        == "s3://caches/web/ has more to delete: the run's cap stopped it after 7 objects"
    )
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(
    ("dry_run", "objects"),
    [(True, 0), (False, 0), (False, 12)],
    ids=["dry, nothing", "nothing", "all deleted"],
)
def test_there_is_nothing_to_say_of_an_entry_that_is_pruned(dry_run: bool, objects: int) -> None:
    assert list(judge(Entry("caches", "web/", 5, dry_run=dry_run), Progress(objects=objects))) == []


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        pytest.param(
            "{bucket: b, prefix: p}", "keep_newest: required field missing", id="no number to keep"
        ),
        pytest.param(
            "{bucket: b, prefix: p, keep_newest: 0}",
            "keep_newest must be 1 to 10000, got 0",
            id="keep none",
        ),
        pytest.param(
            "{bucket: b, prefix: p, keep_newest: 10001}",
            "1 to 10000, got 10001",
            id="keep too many",
        ),
        pytest.param(
            "{bucket: b, prefix: p, keep_newest: 1, dryrun: false}",
            "unknown: dryrun",
            id="misspelt",
        ),
        pytest.param(
            "{bucket: b, prefix: p, keep_newest: 1, dry_run: 'no'}",
            "expected true or false",
            id="no boolean",
        ),
        pytest.param(
            "{bucket: b, prefix: p, keep_newest: 1, older_than: 30}",
            "such as 12h or 30d",
            id="no duration",
        ),
        pytest.param(
            "{bucket: b, prefix: p, keep_newest: 1, older_than: 999999w}",
            "older_than",
            id="before all time",
        ),
        pytest.param(
            f"{{bucket: b, prefix: {'p' * 1_025}, keep_newest: 1}}",
            "prefix",
            id="prefix longer than any key",
        ),
        pytest.param(
            "{bucket: b, prefix: null, keep_newest: 1}",
            "prefix: expected text, got None",
            id="prefix null",
        ),
    ],
)
def test_an_entry_that_cannot_be_used_is_a_fault(entry: str, fault: str) -> None:
    listed = parse_entries(f"- {entry}", Entry, "entries")
    assert listed.usable == ()
    assert fault in listed.faults[0].reason


def test_an_entry_is_a_dry_run_of_any_age_unless_it_says_otherwise() -> None:
    (entry,) = parse_entries("[{bucket: b, prefix: p, keep_newest: 1}]", Entry, "entries").usable
    assert entry == Entry("b", "p", 1, timedelta(0), dry_run=True)


@pytest.fixture
def s3(moto: None) -> S3Client:
    return aws.client("s3")


def fill(bucket: str, ages: Mapping[str, float], versioned: bool = False) -> None:
    """Make a bucket of objects, each so many days old."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    backend = s3_backends[ACCOUNT]["aws"]
    for key, days in ages.items():
        backend.put_object(bucket, key, b"x").last_modified = (NOW - timedelta(days=days)).replace(
            tzinfo=None
        )


def keys(bucket: str) -> list[str]:
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def run(s3: S3Client, entry: Entry, cap: int = 10_000) -> Progress:
    progress = Progress()
    prune(s3, entry, NOW, cap, progress)
    return progress


def test_only_objects_under_the_prefix_are_pruned(s3: S3Client) -> None:
    fill("caches", {"web/1": 1, "web/2": 2, "web/3": 3, "web": 9, "webshop/1": 9, "api/1": 9})
    progress = run(s3, Entry("caches", "web/", 1, dry_run=False))
    assert keys("caches") == ["api/1", "web", "web/1", "webshop/1"]
    assert progress == Progress(objects=2, bytes=2)


def test_old_objects_go_and_young_ones_stay(s3: S3Client) -> None:
    fill("caches", {"a": 1, "b": 29, "c": 31, "d": 40})
    run(s3, Entry("caches", "", 1, timedelta(days=30), dry_run=False))
    assert keys("caches") == ["a", "b"]


def test_more_objects_than_one_page_or_one_deletion_holds(s3: S3Client) -> None:
    fill("caches", {f"{number:04}": number for number in range(2_203)})
    assert run(s3, Entry("caches", "", 3, dry_run=False)).objects == 2_200
    assert keys("caches") == ["0000", "0001", "0002"]


def test_a_dry_run_counts_and_deletes_nothing_whatever_the_cap(s3: S3Client) -> None:
    fill("caches", dict.fromkeys("abcde", 1))
    assert run(s3, Entry("caches", "", 1), cap=2) == Progress(objects=4, bytes=4)
    assert keys("caches") == list("abcde")


@pytest.mark.parametrize(
    ("cap", "capped", "left"),
    [(0, True, 5), (3, True, 2), (4, False, 1), (5, False, 1)],
    ids=["nothing left of the cap", "reached", "just enough", "more than enough"],
)
def test_no_more_than_the_cap_is_deleted(cap: int, capped: bool, left: int, s3: S3Client) -> None:
    fill("caches", dict.fromkeys("abcde", 1))
    progress = run(s3, Entry("caches", "", 1, dry_run=False), cap)
    assert (progress.objects, progress.capped) == (5 - left, capped)
    assert len(keys("caches")) == left


AWKWARD = [
    "two words",
    "plus+and%20percent%",
    "café/🚀",
    "line\nbreak",
    "return\r",
    "tab\t",
    "&<>\"'",
    "&amp;",
    "]]>",
    "\x01\x1b[31m",
    "\ufffe",
    "//double//slash/",
    "..",
    "a/../b",
    " leading and trailing ",
    "?query#fragment",
]


def test_keys_of_any_characters_are_deleted_and_no_others(s3: S3Client) -> None:
    lookalikes = [
        "line break",
        "return\n",
        "return",
        "tab",
        "&",
        "plus and%20percent%",
        "b",
        "two+words",
    ]
    fill("caches", dict.fromkeys(AWKWARD, 2) | dict.fromkeys(lookalikes, 1))
    progress = run(s3, Entry("caches", "", len(lookalikes), dry_run=False))
    assert keys("caches") == sorted(lookalikes)
    assert (progress.objects, progress.kept, progress.examples) == (len(AWKWARD), 0, [])


def test_a_versioned_bucket_keeps_the_data_behind_delete_markers(s3: S3Client) -> None:
    fill("caches", {"a": 1, "b": 2, "c": 3}, versioned=True)
    run(s3, Entry("caches", "", 1, dry_run=False))
    versions = s3.list_object_versions(Bucket="caches")
    assert keys("caches") == ["a"]
    assert [marker["Key"] for marker in versions["DeleteMarkers"]] == ["b", "c"]
    assert [version["Key"] for version in versions["Versions"]] == ["a", "b", "c"]
    assert run(s3, Entry("caches", "", 1, dry_run=False)).objects == 0


@pytest.fixture
def job(s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The job in its account; call it with its list of entries."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "prune_objects")
    monkeypatch.setenv("ENTRIES_PARAMETER", ENTRIES)

    def write(*entries: str) -> None:
        text = "".join(f"- {entry}\n" for entry in entries) or "[]"
        aws.client("ssm").put_parameter(Name=ENTRIES, Type="String", Value=text)

    return write


Job = Callable[..., None]


def entry(bucket: str, **changes: object) -> str:
    return json.dumps(
        {"bucket": bucket, "prefix": "", "keep_newest": 1, "dry_run": False} | changes
    )


def found(published: Published) -> dict[str, Json]:
    (event,) = published()
    return {finding["subject"]: finding for finding in event["detail"]["findings"]}


def test_a_run_prunes_each_entry_and_has_nothing_to_report(
    job: Job, context: Context, published: Published
) -> None:
    for bucket in ("one", "two"):
        fill(bucket, {"a": 1, "b": 2})
    job(entry("one"), entry("two"))
    assert handler(EVENT, context)["findings"] == 0
    assert (keys("one"), keys("two"), found(published)) == (["a"], ["a"], {})


def test_an_empty_list_prunes_nothing(job: Job, context: Context, published: Published) -> None:
    job()
    handler(EVENT, context)
    assert found(published) == {}


def deny(bucket: str, operation: str) -> None:
    """Let S3 refuse one operation on one bucket."""

    def refuse(params: Json, **_: Any) -> None:
        if params["Bucket"] == bucket:
            raise ClientError(
                {"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, operation
            )

    aws.client("s3").meta.events.register(f"before-parameter-build.s3.{operation}", refuse)


@pytest.mark.parametrize(
    ("bucket", "operation", "reason"),
    [
        pytest.param("gone", "", "NoSuchBucket", id="missing bucket"),
        pytest.param("Not a bucket!", "", "Invalid bucket name", id="no name of a bucket"),
        pytest.param("closed", "ListObjectsV2", "AccessDenied", id="listing denied"),
        pytest.param("closed", "DeleteObjects", "AccessDenied", id="deleting denied"),
    ],
)
def test_a_bucket_that_cannot_be_pruned_is_a_finding_and_the_others_are_pruned(
    bucket: str, operation: str, reason: str, job: Job, context: Context, published: Published
) -> None:
    fill("closed", {"a": 1, "b": 2})
    fill("other", {"a": 1, "b": 2})
    deny("closed", operation)
    job(entry(bucket), entry("other"))
    handler(EVENT, context)
    (finding,) = found(published).values()
    assert (finding["subject"], finding["severity"]) == (f"s3://{bucket}/", "warning")
    assert finding["title"] == f"s3://{bucket}/ cannot be pruned to the end"
    assert reason in finding["detail"]["reason"]
    assert (keys("closed"), keys("other")) == (["a", "b"], ["a"])


def test_malformed_entries_are_findings_and_the_others_are_pruned(
    job: Job, context: Context, published: Published
) -> None:
    fill("caches", {"a": 1, "b": 2})
    job("oops", entry("caches"), entry("caches", keep_newest="5", prefix="x"))
    handler(EVENT, context)
    reasons = {
        subject: finding["detail"]["reason"] for subject, finding in found(published).items()
    }
    assert list(reasons) == [f"entry 1 of {ENTRIES}", f"entry 3 of {ENTRIES}"]
    assert (
        "expected a mapping with bucket, prefix, keep_newest, got 'oops'"
        in reasons[f"entry 1 of {ENTRIES}"]
    )
    assert "keep_newest: expected a whole number, got '5'" in reasons[f"entry 3 of {ENTRIES}"]
    assert keys("caches") == ["a"]


@pytest.mark.parametrize("dry_run", [True, False], ids=["dry run", "deleting"])
def test_an_entry_written_twice_does_not_stop_the_run(
    dry_run: bool, job: Job, context: Context, published: Published
) -> None:
    fill("caches", {"a": 1, "b": 2, "c": 3})
    job(
        entry("caches", dry_run=dry_run),
        entry("caches", dry_run=True, keep_newest=2),
        entry("gone"),
        entry("gone"),
    )
    handler(EVENT, context)
    findings = found(published)
    second, fourth = (f"entry {number} of {ENTRIES}" for number in (2, 4))
    assert set(findings) == {"s3://gone/", second, fourth} | (
        {"s3://caches/"} if dry_run else set()
    )
    assert findings[second]["title"] == f"{second} cannot be used"
    assert findings[second]["severity"] == "warning"
    assert findings[second]["detail"]["reason"].endswith("repeats entry 1: s3://caches/")
    assert len(keys("caches")) == (3 if dry_run else 1)


def test_a_dry_run_is_reported_and_deletes_nothing(
    job: Job, context: Context, published: Published
) -> None:
    fill("caches", {"a": 1, "b": 2})
    job('{"bucket": "caches", "prefix": "", "keep_newest": 1}')
    handler(EVENT, context)
    (finding,) = found(published).values()
    assert (finding["severity"], finding["detail"]["objects"]) == ("info", 1)
    assert keys("caches") == ["a", "b"]


def test_the_cap_is_shared_by_all_entries_but_dry_runs(
    job: Job, context: Context, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_DELETIONS", "4")
    for bucket in ("dry", "one", "two", "three"):
        fill(bucket, dict.fromkeys("abcd", 1))
    job(entry("dry", dry_run=True), *(entry(bucket) for bucket in ("one", "two", "three")))
    handler(EVENT, context)
    assert [len(keys(bucket)) for bucket in ("dry", "one", "two", "three")] == [4, 1, 3, 4]
    titles = {subject: finding["title"] for subject, finding in found(published).items()}
    assert list(titles) == ["s3://dry/", "s3://three/", "s3://two/"]
    assert "stopped it after 1 objects" in titles["s3://two/"]
    assert "stopped it after 0 objects" in titles["s3://three/"]


def break_off(monkeypatch: pytest.MonkeyPatch, error: Exception, after: int = 0) -> None:
    """Let every DeleteObjects but the first ones raise."""
    s3 = aws.client("s3")
    delete_objects, called = s3.delete_objects, itertools.count()

    def breaking(**request: Any) -> Any:
        if next(called) >= after:
            raise error
        return delete_objects(**request)

    monkeypatch.setattr(s3, "delete_objects", breaking)


DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DeleteObjects")
TIMED_OUT = ReadTimeoutError(endpoint_url="https://s3")


@pytest.mark.parametrize(
    ("error", "reason"), [(DENIED, "AccessDenied"), (TIMED_OUT, "Read timeout")]
)
def test_a_deletion_that_may_have_happened_counts_towards_the_cap(
    error: Exception,
    reason: str,
    job: Job,
    context: Context,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAX_DELETIONS", "4")
    for bucket in ("one", "two"):
        fill(bucket, dict.fromkeys("abcd", 1))
    break_off(monkeypatch, error)
    job(entry("one"), entry("two"))
    handler(EVENT, context)
    findings = found(published)
    assert {subject: finding["title"] for subject, finding in findings.items()} == {
        f"s3://{bucket}/": f"s3://{bucket}/ cannot be pruned to the end"
        for bucket in ("one", "two")
    }
    assert all(reason in finding["detail"]["reason"] for finding in findings.values())


@pytest.mark.parametrize(("cap", "left"), [("3", 4), ("4", 3), ("5", 2)])
def test_what_a_failed_deletion_leaves_of_the_cap_goes_to_the_next_entry(
    cap: str, left: int, job: Job, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_DELETIONS", cap)
    for bucket in ("one", "two"):
        fill(bucket, dict.fromkeys("abcd", 1))
    deny("one", "DeleteObjects")
    job(entry("one"), entry("two"))
    handler(EVENT, context)
    assert (len(keys("one")), len(keys("two"))) == (4, left)


def test_an_entry_that_breaks_off_midway_says_so_and_keeps_what_it_did(
    job: Job,
    context: Context,
    published: Published,
    log: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill("caches", {f"{number:04}": number for number in range(2_203)})
    break_off(monkeypatch, TIMED_OUT, after=1)
    job(entry("caches", keep_newest=3))
    handler(EVENT, context)
    (finding,) = found(published).values()
    assert (finding["subject"], finding["title"]) == (
        "s3://caches/",
        "s3://caches/ cannot be pruned to the end",
    )
    assert len(keys("caches")) == 1_203
    (line,) = (
        line for line in map(json.loads, log.getvalue().splitlines()) if line["message"] == "pruned"
    )
    assert (line["entry"], line["objects"], line["kept"]) == ("s3://caches/", 2_000, 0)


def keep_back(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    """Let DeleteObjects answer that it kept these keys."""
    s3 = aws.client("s3")
    delete_objects = s3.delete_objects

    def partly(Bucket: str, Delete: Json) -> Json:  # noqa: N803 - botocore's names
        wanted = [one["Key"] for one in Delete["Objects"]]
        errors = [
            {"Key": key, "Code": "AccessDenied", "Message": "no"} for key in keys if key in wanted
        ]
        Delete["Objects"] = [one for one in Delete["Objects"] if one["Key"] not in keys]
        return {
            **(
                delete_objects(Bucket=Bucket, Delete=cast(Any, Delete)) if Delete["Objects"] else {}
            ),
            "Errors": errors,
        }

    monkeypatch.setattr(s3, "delete_objects", partly)


def test_keys_that_s3_keeps_fail_the_run_once_all_else_is_done(
    job: Job, context: Context, published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill("one", {"a": 1, "b": 2, "c\n": 3, "d": 4})
    fill("two", {"a": 1, "b": 2})
    keep_back(monkeypatch, "c\n", "d")
    job(entry("one"), entry("two"))
    with pytest.raises(RuntimeError) as raised:
        handler(EVENT, context)
    assert str(raised.value) == (
        r"S3 did not delete s3://one/: 2 objects, such as 'c\n' (AccessDenied), 'd' (AccessDenied)"
    )
    assert (keys("one"), keys("two")) == (["a", "c\n", "d"], ["a"])
    assert published() == []


def test_every_key_that_s3_keeps_is_logged(
    job: Job, context: Context, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [f"{number:04}" for number in range(1, 1_501)]
    fill("caches", {"newest": 0} | dict.fromkeys(kept, 1))
    keep_back(monkeypatch, *kept)
    job(entry("caches"))
    with pytest.raises(RuntimeError):
        handler(EVENT, context)
    lines = [
        line
        for line in map(json.loads, log.getvalue().splitlines())
        if line["message"] == "not deleted"
    ]
    assert {(line["level"], line["bucket"]) for line in lines} == {("ERROR", "caches")}
    assert sorted(line["object"] for line in lines) == [f"'{key}' (AccessDenied)" for key in kept]


def test_ten_keys_of_each_entry_are_named_and_all_are_counted(
    job: Job, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [f"k{number:02}" for number in range(12)]
    for bucket in ("one", "two"):
        fill(bucket, {"newest": 0} | {key: 30 - number for number, key in enumerate(kept)})
    keep_back(monkeypatch, *kept)
    job(entry("one"), entry("two"))
    with pytest.raises(RuntimeError) as raised:
        handler(EVENT, context)
    named = ", ".join(f"'{key}' (AccessDenied)" for key in kept[:10])
    of_each = f"12 objects, such as {named}"
    assert str(raised.value) == f"S3 did not delete s3://one/: {of_each}; s3://two/: {of_each}"


def test_keys_kept_in_several_batches_are_counted_together(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbered = [f"{number:04}" for number in range(1, 1_501)]
    fill("caches", {"newest": 0} | dict.fromkeys(numbered, 1))
    keep_back(monkeypatch, *numbered[:6], *numbered[-6:])
    progress = run(s3, Entry("caches", "", 1, dry_run=False))
    assert (progress.objects, progress.kept, len(progress.examples)) == (1_500, 12, 10)


def test_an_error_that_names_long_keys_is_cut(
    job: Job, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [f"{number:0>900}" for number in range(100)]
    fill("caches", {"newest": 0} | dict.fromkeys(kept, 1))
    keep_back(monkeypatch, *kept)
    job(entry("caches"))
    message = r"S3 did not delete s3://caches/: 100 objects, such as .*\(cut from \d+ characters\)"
    with pytest.raises(RuntimeError, match=message) as raised:
        handler(EVENT, context)
    assert len(str(raised.value)) == 2_000


def test_a_key_that_is_deleted_by_itself_and_refused_is_named_too(
    job: Job, context: Context
) -> None:
    fill("caches", {"new": 1, "odd\x01": 2})
    deny("caches", "DeleteObject")
    job(entry("caches"))
    message = r"s3://caches/: 1 objects, such as 'odd\\x01' \(An error occurred \(AccessDenied\)"
    with pytest.raises(RuntimeError, match=message):
        handler(EVENT, context)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ENTRIES_PARAMETER", None, "ENTRIES_PARAMETER must be set"),
        ("ENTRIES_PARAMETER", "/gone", "the SSM parameter /gone cannot be read"),
        ("MAX_DELETIONS", "many", "MAX_DELETIONS: expected a whole number, got 'many'"),
        ("MAX_DELETIONS", "-1", "MAX_DELETIONS must be"),
    ],
    ids=["no list named", "no such list", "cap no number", "cap below nothing"],
)
def test_a_wrong_setting_stops_the_job(
    variable: str,
    value: str | None,
    message: str,
    job: Job,
    context: Context,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill("caches", {"a": 1, "b": 2})
    job(entry("caches"))
    monkeypatch.delenv(variable, raising=False)
    if value:
        monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=message):
        handler(EVENT, context)
    assert (keys("caches"), published()) == (["a", "b"], [])
