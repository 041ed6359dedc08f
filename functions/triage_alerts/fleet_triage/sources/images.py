"""Scans of images by ECR, and Inspector's findings, which stand for ECR's enhanced scanning too."""

from fleet.alerts import Observation, Status
from fleet.events import Event
from fleet.findings import Severity
from fleet_triage.reading import (
    LABELS,
    console,
    escaped,
    items,
    last,
    number,
    observe,
    text,
    texts,
    where,
)

FINDINGS = {"ACTIVE": Status.FAILING, "CLOSED": Status.OK, "SUPPRESSED": Status.OK}
COMPLETE = ("COMPLETE", "INITIAL_SCAN_COMPLETE")


def finding(event: Event) -> list[Observation] | None:
    """`Inspector2 Finding`."""
    detail = event.detail
    arn, state = text(detail, "findingArn"), text(detail, "status")
    if not arn or state not in FINDINGS:
        return None
    resources = [text(resource, "id") for resource in items(detail, "resources")]
    packages = items(detail, "packageVulnerabilityDetails", "vulnerablePackages")
    fixed = {text(package, "fixedInVersion") for package in packages}
    return [
        observe(
            event,
            arn,
            FINDINGS[state],
            text(detail, "title")
            or f"an Inspector finding on {', '.join(resources) or 'something'}",
            LABELS.get(text(detail, "severity").upper(), Severity.WARNING),
            detail={
                "severity": text(detail, "severity"),
                "score": number(detail, "inspectorScore"),
                "description": text(detail, "description"),
                "resource": ", ".join(filter(None, resources)),
                "vulnerability": text(detail, "packageVulnerabilityDetails", "vulnerabilityId"),
                "packages": ", ".join(
                    filter(None, (text(package, "name") for package in packages))
                ),
                "fixed in": ", ".join(sorted(filter(None, fixed))),
                "exploit available": text(detail, "exploitAvailable"),
                "account": text(detail, "awsAccountId"),
            },
            link=console(event.region, "inspector/v2/home", "/findings"),
            resources=[arn, *resources],
        )
    ]


def scan(event: Event) -> list[Observation] | None:
    """`ECR Image Scan` and `Inspector2 Scan`; that nothing was found is no news."""
    detail = event.detail
    repository = text(detail, "repository-name").split(":repository/")[-1]
    image = repository or text(detail, "instance-id") or last(text(event.resources, 0))
    state = text(detail, "scan-status")
    if not image or state not in (*COMPLETE, "FAILED"):
        return None
    digest, tags = text(detail, "image-digest"), texts(detail, "image-tags")
    counts = {label: number(detail, "finding-severity-counts", label) or 0 for label in LABELS}
    found = {label: count for label, count in counts.items() if count > 0}
    if not found and state in COMPLETE:
        return []
    name = f"{image}:{tags[0]}" if tags else image
    said = ", ".join(f"{count:g} {label.lower()}" for label, count in found.items())
    return [
        observe(
            event,
            where(event, image, digest),
            Status.OCCURRED,
            f"{name} has vulnerabilities: {said}" if found else f"{name} could not be scanned",
            max(
                (LABELS[label] for label in found), key=[*Severity].index, default=Severity.WARNING
            ),
            detail={**found, "digest": digest, "tags": ", ".join(tags), "account": event.account},
            link=_page(event, repository, digest),
        )
    ]


def _page(event: Event, repository: str, digest: str) -> str:
    if not repository:
        return console(event.region, "inspector/v2/home", "/findings")
    return console(
        event.region,
        f"ecr/repositories/private/{escaped(event.account)}/{escaped(repository)}/_/image/{digest}/details"
        if digest.startswith("sha256:") and digest[7:].isalnum()
        else f"ecr/repositories/private/{escaped(event.account)}/{escaped(repository)}",
    )
