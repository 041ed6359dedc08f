"""The API, as `openapi.yaml` describes it."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from glob import escape
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, g, json, request

from fleet.dead_letters.causes import Cause, masked, outline
from fleet.dead_letters.letters import Letter
from fleet.ledger.mutes import Mute
from fleet.ledger.rows import Row
from fleet_console import asking
from fleet_console.asking import now
from fleet_console.operating import Done, Operations
from fleet_console.paging import cursor, place_of, texts
from fleet_console.reading import Line, Parked, Reading

DESCRIPTION = Path(__file__).parent / "openapi.yaml"
LINES = 50

blueprint = Blueprint("api", __name__, url_prefix="/v1")
Answer = Any


def reading() -> Reading:
    """What the application reads."""
    return current_app.extensions["reading"]  # type: ignore[no-any-return]


def operations() -> Operations:
    """What the application does."""
    return current_app.extensions["operations"]  # type: ignore[no-any-return]


@blueprint.get("/live")
def live() -> Answer:
    return {"status": "pass"}


@blueprint.get("/health")
def health() -> Answer:
    checks = reading().health()
    well = all(said == "pass" for said in checks.values())
    status = 200 if well else 503
    return {"status": "pass" if well else "fail", "checks": checks}, status


@blueprint.get("/openapi.json")
def openapi() -> Answer:
    return Response(description(), mimetype="application/json")


@cache
def description() -> str:
    """Return the description of the API as JSON."""
    import yaml

    return json.dumps(yaml.safe_load(DESCRIPTION.read_text()))


@blueprint.get("/jobs")
def jobs() -> Answer:
    asking.query(request, asking.Nothing)
    return {"items": [status.as_json() for status in reading().statuses(now())], "next": None}


@blueprint.get("/jobs/<name>")
def job(name: str) -> Answer:
    asking.query(request, asking.Nothing)
    found = reading().job(name)
    lines, cut = reading().last_lines(name, now(), LINES)
    return reading().status(found, now()).as_json() | {
        "permissions": list(found.permissions),
        "settings": reading().variables(name),
        "runbook": found.runbook,
        "log": [line_as_json(line) for line in lines],
        "log_cut": cut,
    }


@blueprint.get("/jobs/<name>/log")
def log(name: str) -> Answer:
    asked = asking.query(request, asking.Log)
    reading().job(name)
    place = texts(place_of(asked.cursor), "token", "since") if asked.cursor else {}
    since = place.get("since") or (now() - asked.since).isoformat()
    lines, token = reading().log(name, since, asked.limit, place.get("token", ""))
    return {
        "items": [line_as_json(line) for line in lines],
        "next": cursor({"token": token, "since": since}) if token else None,
    }


@blueprint.post("/jobs/<name>/runs")
def run(name: str) -> Answer:
    asked = asking.body(request, asking.Run)
    begun = operations().run(name, asked.event, g.who, now())
    return {"job": begun.job, "by": begun.by, "id": begun.id}, 202


@blueprint.get("/findings")
def findings() -> Answer:
    asked = asking.query(request, asking.Findings)
    rows, place = reading().findings(asked.wanted(now()), asked.limit, asked.cursor)
    return {
        "items": [finding_as_json(row) for row in rows],
        "next": cursor(place) if place else None,
    }


@blueprint.get("/findings/<number>")
def finding(number: str) -> Answer:
    asking.query(request, asking.Nothing)
    return finding_as_json(reading().finding(number))


@blueprint.get("/mutes")
def mutes() -> Answer:
    asking.query(request, asking.Nothing)
    return {"items": [mute_as_json(mute) for mute in reading().mutes()], "next": None}


@blueprint.post("/mutes")
def mute() -> Answer:
    asked = asking.body(request, asking.Mute)
    made = operations().mute(asked.pattern, asked.reason, g.who, asked.until, now())
    return mute_as_json(made), 201, {"Location": f"/v1/mutes/{made.id}"}


@blueprint.get("/mutes/<number>")
def one_mute(number: str) -> Answer:
    asking.query(request, asking.Nothing)
    return mute_as_json(reading().mute(number))


@blueprint.delete("/mutes/<number>")
def unmute(number: str) -> Answer:
    asking.query(request, asking.Nothing)
    return mute_as_json(operations().unmute(number, now()))


@blueprint.get("/causes")
def causes() -> Answer:
    asking.query(request, asking.Nothing)
    seen = reading().letters()
    items = [cause_as_json(cause, letters) for cause, letters in seen.causes().items()]
    return {"items": items, "next": None, "unseen": seen.unseen}


@blueprint.get("/letters")
def letters() -> Answer:
    asked = asking.query(request, asking.Letters)
    page, place, unseen = reading().some_letters(asked.job, asked.cause, asked.limit, asked.cursor)
    return {
        "items": [letter_as_json(letter) for letter in page],
        "next": cursor(place) if place else None,
        "unseen": unseen,
    }


@blueprint.get("/letters/<number>")
def letter(number: str) -> Answer:
    asking.query(request, asking.Nothing)
    return whole_letter_as_json(reading().letter(number))


@blueprint.post("/redrives")
def redrive() -> Answer:
    asked = asking.body(request, asking.Redrive)
    return done_as_json(operations().redrive(asked.selection, now(), g.who, dry_run=asked.dry_run))


@blueprint.post("/discards")
def discard() -> Answer:
    asked = asking.body(request, asking.Discard)
    return done_as_json(
        operations().discard(asked.selection, now(), g.who, asked.reason, dry_run=asked.dry_run)
    )


def letter_as_json(letter: Parked) -> dict[str, Any]:
    """A dead letter as the API shows it in a list."""
    return asdict(letter) | {"cause": letter.cause.id, "first_seen": letter.first_seen.isoformat()}


def whole_letter_as_json(letter: Letter) -> dict[str, Any]:
    """A dead letter as the API shows it by itself: with its event, in which what looks like a secret is masked."""
    return letter_as_json(Parked.of(letter)) | {
        "outline": outline(letter.body),
        "body": masked(letter.body),
    }


def cause_as_json(cause: Cause, letters: Sequence[Parked]) -> dict[str, Any]:
    """What dead letters have in common, and how many they are."""
    return {
        "id": cause.id,
        "job": cause.job,
        "error_type": cause.error_type,
        "reason": cause.reason,
        "count": len(letters),
        "can_be_redriven": sum(not letter.obstacle for letter in letters),
        "oldest": letters[0].first_seen.isoformat(),
        "newest": letters[-1].first_seen.isoformat(),
    }


def done_as_json(done: Done) -> dict[str, Any]:
    """What became of dead letters."""
    outcomes = [
        {"letter": each.letter.id, "step": each.step, "detail": masked(each.detail)}
        for each in done.outcomes
    ]
    return {"outcomes": outcomes, "unseen": done.unseen}


def finding_as_json(row: Row) -> dict[str, Any]:
    """A finding as the API shows it."""
    mute = reading().mute_of(row, now())
    return {
        "id": cursor(row.key),
        "source": row.source,
        "subject": row.subject,
        "dedup_key": row.dedup_key,
        "state": row.state,
        "severity": row.severity,
        "title": row.title,
        "detail": dict(row.detail),
        "link": row.link,
        "owner": row.owner,
        "opened_at": row.opened_at.isoformat(),
        "last_seen": row.last_seen.isoformat(),
        "count": row.count,
        "flapping": row.settles_at is not None,
        "muted_by": mute.id if mute else None,
        "mute_pattern": escape(row.dedup_key),
        "history": [
            {"at": moment.at.isoformat(), "status": moment.status, "severity": moment.severity}
            for moment in row.history
        ],
    }


def mute_as_json(mute: Mute) -> dict[str, Any]:
    """A mute as the API shows it."""
    return {
        "id": mute.id,
        "pattern": mute.pattern,
        "reason": mute.reason,
        "author": mute.author,
        "until": mute.until.isoformat(),
        "active": not mute.ended and now() < mute.until,
    }


def line_as_json(line: Line) -> dict[str, Any]:
    """A line of a log as the API shows it."""
    return {
        "at": line.at.isoformat(),
        "level": line.level,
        "message": line.message,
        "fields": dict(line.fields),
    }
