"""The API, as `openapi.yaml` describes it."""

from functools import cache
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, g, json, request

from fleet_console import catalogue, serialise
from fleet_console.context import now, operations, reading
from fleet_console.inputs import (
    DiscardRequest,
    FindingsQuery,
    LettersQuery,
    LogQuery,
    MuteRequest,
    NoQuery,
    RedriveRequest,
    RunRequest,
    read_body,
    read_query,
)
from fleet_console.partial import Partial
from fleet_console.reading.health import PASS

DESCRIPTION = Path(__file__).parent / "openapi.yaml"
LOG_LINES = 50
FAIL = "fail"

blueprint = Blueprint("api", __name__, url_prefix="/v1")
Answer = Any


@blueprint.get("/live")
def live() -> Answer:
    """Say that the console answers; it asks nothing else."""
    return {"status": PASS}


@blueprint.get("/health")
def health() -> Answer:
    """Say which of the services behind the console answer."""
    checks = reading().health.checks()
    if all(verdict == PASS for verdict in checks.values()):
        return {"status": PASS, "checks": checks}
    return {"status": FAIL, "checks": checks}, 503


@blueprint.get("/openapi.json")
def openapi() -> Answer:
    """Return the description of this API."""
    return Response(_description(), mimetype="application/json")


@blueprint.get("/jobs")
def list_jobs() -> Answer:
    """Return every job, and how it is doing."""
    read_query(request, NoQuery)
    strict, at = Partial(reading(), strict=True), now()
    jobs = [strict.status(job, at) for job in catalogue.jobs().values()]
    return {"items": [serialise.job_as_json(status) for status in jobs], "next": None}


@blueprint.get("/jobs/<name>")
def show_job(name: str) -> Answer:
    """Return one job, with its permissions, settings, runbook and last log lines."""
    read_query(request, NoQuery)
    job = reading().jobs.job(name)
    log = reading().logs.last_lines(name, now(), LOG_LINES)
    status = Partial(reading(), strict=True).status(job, now())
    return {
        **serialise.job_as_json(status),
        "permissions": list(job.permissions),
        "settings": reading().jobs.settings(name),
        "runbook": job.runbook,
        "log": [serialise.log_line_as_json(line) for line in log.lines],
        "log_cut": log.cut,
    }


@blueprint.get("/jobs/<name>/log")
def show_log(name: str) -> Answer:
    """Return a page of a job's log, oldest line first."""
    query = read_query(request, LogQuery)
    reading().jobs.job(name)
    page = reading().logs.page(name, now() - query.since, query.limit, query.cursor)
    return {
        "items": [serialise.log_line_as_json(line) for line in page.lines],
        "next": page.next,
    }


@blueprint.post("/jobs/<name>/runs")
def run_job(name: str) -> Answer:
    """Run a job now, without waiting for it."""
    body = read_body(request, RunRequest)
    run = operations().run(name, body.event, g.who, now())
    return serialise.run_as_json(run), 202


@blueprint.get("/findings")
def list_findings() -> Answer:
    """Return a page of findings, newest first."""
    query = read_query(request, FindingsQuery)
    at = now()
    page = reading().findings.page(query.filter(at), query.limit, query.cursor, at)
    return {
        "items": [serialise.finding_as_json(finding) for finding in page.findings],
        "next": page.next,
    }


@blueprint.get("/findings/<id>")
def show_finding(id: str) -> Answer:
    """Return one finding."""
    read_query(request, NoQuery)
    return serialise.finding_as_json(reading().findings.finding(id, now()))


@blueprint.get("/mutes")
def list_mutes() -> Answer:
    """Return all mutes."""
    read_query(request, NoQuery)
    mutes, at = reading().mutes.all(), now()
    return {"items": [serialise.mute_as_json(mute, at) for mute in mutes], "next": None}


@blueprint.post("/mutes")
def mute() -> Answer:
    """Withhold alerts for a while."""
    body = read_body(request, MuteRequest)
    mute = operations().mute(body.pattern, body.reason, g.who, body.until, now())
    return serialise.mute_as_json(mute, now()), 201, {"Location": f"/v1/mutes/{mute.id}"}


@blueprint.get("/mutes/<id>")
def show_mute(id: str) -> Answer:
    """Return one mute."""
    read_query(request, NoQuery)
    return serialise.mute_as_json(reading().mutes.mute(id), now())


@blueprint.delete("/mutes/<id>")
def unmute(id: str) -> Answer:
    """End a mute early."""
    read_query(request, NoQuery)
    return serialise.mute_as_json(operations().unmute(id, now()), now())


@blueprint.get("/causes")
def list_causes() -> Answer:
    """Return the dead letters by job and cause."""
    read_query(request, NoQuery)
    dead_letters = reading().letters.all()
    return {
        "items": [serialise.cause_as_json(group) for group in dead_letters.by_cause()],
        "next": None,
        "unseen": dead_letters.unseen,
    }


@blueprint.get("/letters")
def list_letters() -> Answer:
    """Return a page of dead letters, oldest first."""
    query = read_query(request, LettersQuery)
    page = reading().letters.page(query.job, query.cause, query.limit, query.cursor)
    return {
        "items": [serialise.letter_as_json(letter) for letter in page.letters],
        "next": page.next,
        "unseen": page.unseen,
    }


@blueprint.get("/letters/<id>")
def show_letter(id: str) -> Answer:
    """Return one dead letter, with its event."""
    read_query(request, NoQuery)
    return serialise.whole_letter_as_json(reading().letters.letter(id))


@blueprint.post("/redrives")
def redrive() -> Answer:
    """Send dead letters back to where they came from."""
    body = read_body(request, RedriveRequest)
    done = operations().redrive(body.selection, now(), g.who, dry_run=body.dry_run)
    return serialise.outcomes_as_json(done)


@blueprint.post("/discards")
def discard() -> Answer:
    """Delete dead letters for good."""
    body = read_body(request, DiscardRequest)
    done = operations().discard(body.selection, now(), g.who, body.reason, dry_run=body.dry_run)
    return serialise.outcomes_as_json(done)


@cache  # lives as long as the process
def _description() -> str:
    import yaml

    return json.dumps(yaml.safe_load(DESCRIPTION.read_text()))
