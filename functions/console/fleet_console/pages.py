"""The pages: the same readings and operations as the API, for people. Forms lead back to what they changed."""

import json
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for

from fleet.dead_letters.redrive import Selection
from fleet_console import asking
from fleet_console.api import (
    LINES,
    cause_as_json,
    done_as_json,
    finding_as_json,
    letter_as_json,
    line_as_json,
    mute_as_json,
    operations,
    reading,
    whole_letter_as_json,
)
from fleet_console.asking import now
from fleet_console.paging import cursor
from fleet_console.problems import Invalid

blueprint = Blueprint("pages", __name__, static_folder="static", static_url_path="/static")
Answer = Any
LETTERS = 50


@blueprint.app_context_processor
def everywhere() -> dict[str, Any]:
    """What every page shows: which fleet it is, and who looks."""
    return {"stack": reading().places.settings.stack, "who": g.get("who", "")}


@blueprint.get("/")
def glance() -> Answer:
    return render_template("glance.html", jobs=[status.as_json() for status in reading().statuses(now())])


@blueprint.get("/jobs/<name>")
def job(name: str) -> Answer:
    found = reading().job(name)
    lines = [line_as_json(line) for line in reading().last_lines(name, now(), LINES)]
    return render_template(
        "job.html",
        job=reading().status(found, now()).as_json(),
        scheduled=found.scheduled,
        permissions=found.permissions,
        settings=reading().variables(name),
        runbook=found.runbook,
        log=lines,
    )


@blueprint.post("/jobs/<name>/run")
def run(name: str) -> Answer:
    text = request.form.get("event", "").strip()
    try:
        event = json.loads(text) if text else None
    except ValueError as error:
        raise Invalid(f"the event is not JSON: {error}") from None
    begun = operations().run(name, event, now())
    return _back("pages.job", name=name, began=begun.id)


@blueprint.get("/findings")
def findings() -> Answer:
    asked = asking.query(request, asking.Findings)
    rows, place = reading().findings(asked.wanted(now()), asked.limit, asked.cursor)
    return render_template(
        "findings.html",
        findings=[finding_as_json(row) for row in rows],
        asked=asked,
        next=cursor(place) if place else None,
    )


@blueprint.get("/findings/<number>")
def finding(number: str) -> Answer:
    row = reading().finding(number)
    mute = reading().mute_of(row, now())
    return render_template("finding.html", finding=finding_as_json(row), mute=mute and mute_as_json(mute))


@blueprint.get("/mutes")
def mutes() -> Answer:
    return render_template("mutes.html", mutes=[mute_as_json(mute) for mute in reading().mutes()])


@blueprint.post("/mutes")
def mute() -> Answer:
    asked = asking.form(request, asking.Mute)
    operations().mute(asked.pattern, asked.reason, g.who, asked.until, now())
    return _back("pages.mutes")


@blueprint.post("/mutes/<number>/end")
def unmute(number: str) -> Answer:
    operations().unmute(number, now())
    return _back("pages.mutes")


@blueprint.get("/letters")
def letters() -> Answer:
    seen = reading().letters()
    causes = [
        (cause_as_json(cause, letters), [letter_as_json(letter) for letter in letters[:LETTERS]])
        for cause, letters in seen.causes().items()
    ]
    return render_template("letters.html", causes=causes, unseen=seen.unseen)


@blueprint.get("/letters/<number>")
def letter(number: str) -> Answer:
    return render_template("letter.html", letter=whole_letter_as_json(reading().letter(number)))


@blueprint.post("/letters/redrive")
def redrive() -> Answer:
    done = operations().redrive(_selected(), now(), dry_run="dry_run" in request.form)
    return render_template("done.html", done=done_as_json(done))


@blueprint.post("/letters/discard")
def discard() -> Answer:
    reason = request.form.get("reason", "")
    done = operations().discard(_selected(), now(), g.who, reason, dry_run="dry_run" in request.form)
    return render_template("done.html", done=done_as_json(done))


def _selected() -> Selection:
    ids, jobs, causes = (tuple(request.form.getlist(name)) for name in ("id", "job", "cause"))
    return Selection(ids, jobs, causes)


def _back(view: str, **place: Any) -> Answer:
    return redirect(url_for(view, **place), 303)
