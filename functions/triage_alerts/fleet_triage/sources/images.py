"""Scans of images by ECR, and Inspector's findings, which ECR's enhanced scanning makes too.

Shapes: Amazon ECR User Guide, "Amazon ECR events and EventBridge" (`ecr-eventbridge.html`), and
Amazon Inspector User Guide, "Amazon EventBridge event schema for Amazon Inspector events"
(`eventbridge-integration.html`).
"""

from collections.abc import Iterable

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.documents import first_text, items, join, last_part, number, text, texts
from fleet_triage.observing import LABELS, console_link, observe, regional_subject, url_part

FINDINGS = {
    "ACTIVE": Status.FAILING,
    "CLOSED": Status.OK,
    "SUPPRESSED": Status.OK,
}
COMPLETE = ("COMPLETE", "INITIAL_SCAN_COMPLETE")


def finding(event: Event) -> list[Observation] | None:
    """Read an `Inspector2 Finding`."""
    detail = event.detail
    arn = text(detail, "findingArn")
    state = text(detail, "status")
    if not arn or state not in FINDINGS:
        return None
    resources = [text(resource, "id") for resource in items(detail, "resources")]
    packages = items(detail, "packageVulnerabilityDetails", "vulnerablePackages")
    names = [text(package, "name") for package in packages]
    fixed = {text(package, "fixedInVersion") for package in packages}
    untitled = f"an Inspector finding on {', '.join(resources) or 'something'}"
    label = text(detail, "severity")
    return [
        observe(
            event,
            arn,
            FINDINGS[state],
            text(detail, "title") or untitled,
            LABELS.get(label.upper(), Severity.WARNING),
            detail={
                "severity": label,
                "score": number(detail, "inspectorScore"),
                "description": text(detail, "description"),
                "resource": join(*resources),
                "vulnerability": text(detail, "packageVulnerabilityDetails", "vulnerabilityId"),
                "packages": join(*names),
                "fixed in": join(*sorted(fixed)),
                "exploit available": text(detail, "exploitAvailable"),
                "account": text(detail, "awsAccountId"),
            },
            link=console_link(event.region, "inspector/v2/home", "/findings"),
            resources=[arn, *resources],
        )
    ]


def scan(event: Event) -> list[Observation] | None:
    """Read an `ECR Image Scan` or an `Inspector2 Scan`; one that found nothing is not news."""
    detail = event.detail
    repository = text(detail, "repository-name").split(":repository/")[-1]
    arn = text(event.resources, 0)
    image = first_text(repository, text(detail, "instance-id"), last_part(arn))
    state = text(detail, "scan-status")
    if not image or state not in (*COMPLETE, "FAILED"):
        return None
    counts = _counts(event)
    if not counts and state in COMPLETE:
        return []
    digest = text(detail, "image-digest")
    tags = texts(detail, "image-tags")
    name = f"{image}:{tags[0]}" if tags else image
    return [
        observe(
            event,
            regional_subject(event, image, digest),
            Status.OCCURRED,
            _title(name, counts),
            _worst(counts),
            detail={
                **counts,
                "digest": digest,
                "tags": ", ".join(tags),
                "account": event.account,
            },
            link=_link(event, repository, digest),
        )
    ]


def _counts(event: Event) -> dict[str, float]:
    """Return how many vulnerabilities there are of each severity that has any."""
    counts: dict[str, float] = {}
    for label in LABELS:
        count = number(event.detail, "finding-severity-counts", label)
        if count is not None and count > 0:
            counts[label] = count
    return counts


def _title(name: str, counts: dict[str, float]) -> str:
    if not counts:
        return f"{name} could not be scanned"
    vulnerabilities = [f"{count:g} {label.lower()}" for label, count in counts.items()]
    listed = ", ".join(vulnerabilities)
    return f"{name} has vulnerabilities: {listed}"


def _worst(labels: Iterable[str]) -> Severity:
    severities = [LABELS[label] for label in labels]
    return max(severities, key=[*Severity].index, default=Severity.WARNING)


def _link(event: Event, repository: str, digest: str) -> str:
    if not repository:
        return console_link(event.region, "inspector/v2/home", "/findings")
    page = f"ecr/repositories/private/{url_part(event.account)}/{url_part(repository)}"
    if digest.startswith("sha256:") and digest.removeprefix("sha256:").isalnum():
        page = f"{page}/_/image/{digest}/details"
    return console_link(event.region, page)
