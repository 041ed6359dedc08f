"""The pages: what the API offers, for people. Forms lead back to what they changed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from time import sleep
from typing import Any

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from werkzeug.datastructures import MultiDict

from fleet.dead_letters.causes import masked, outline
from fleet.dead_letters.redrive import Selection, Step
from fleet.findings import Severity
from fleet.ledger.mutes import Mute
from fleet_console import catalogue, filters, flash, views
from fleet_console.context import now, operations, reading
from fleet_console.flash import Flash
from fleet_console.inputs import FindingsQuery, MuteRequest, read_form
from fleet_console.operations import CANARY_SECONDS, LetterOutcomes
from fleet_console.partial import Partial
from fleet_console.problems import Invalid
from fleet_console.reading.findings import FindingPage, StateFilter
from fleet_console.reading.letters import DeadLetter, DeadLetterList
from fleet_console.reading.logs import LastLines
from fleet_console.status import Place
from fleet_console.views import MOST_SHOWN, JobView, Plan

blueprint = Blueprint("pages", __name__, static_folder="static", static_url_path="/static")
Answer = Any
LOG_LINES = 50
# Every page looks at the dead letters, and may hide them from another look for this long.
LOOK_PASSES_SECONDS = 2.0
AGES = {"1h": "an hour", "1d": "a day", "7d": "a week", "30d": "a month"}
MUTE_TIMES = {
    "1h": "1 hour",
    "4h": "4 hours",
    "1d": "1 day",
    "3d": "3 days",
    "7d": "7 days",
    "30d": "30 days",
}
FILTERS = [field.name for field in fields(FindingsQuery)]
NO_COUNTS: Mapping[tuple[str, Severity], int] = {}
NO_MUTES: list[Mute] = []
NO_SETTINGS: dict[str, str] = {}


@blueprint.record_once
def prepare(state: BlueprintSetupState) -> None:
    """Set up what all pages need of the application."""
    filters.install(state.app)
    flash.install(state.app)


@blueprint.app_context_processor
def on_every_page() -> dict[str, Any]:
    """Return what every page shows: which fleet it is, who looks, and when."""
    return {
        "stack": reading().places.settings.stack,
        "who": g.get("who", ""),
        "now": now(),
        "Place": Place,
    }


@blueprint.get("/")
def overview() -> Answer:
    """Show all jobs, and how many findings and dead letters there are."""
    part = Partial(reading())
    jobs = part.most_urgent_first(catalogue.jobs().values(), now())
    tally = part.get(Place.LEDGER, reading().findings.tally, NO_COUNTS)
    letters = part.get(Place.LETTERS, reading().letters.all, DeadLetterList())
    job_views = [JobView.of(status) for status in jobs]
    return render_template(
        "overview.html",
        jobs=job_views,
        attention=views.needing_a_look(job_views),
        counts=views.count_by_severity(tally),
        letters=letters,
        faults=part.faults,
    )


@blueprint.get("/jobs/<name>")
def job(name: str) -> Answer:
    """Show one job."""
    return _job_page(name)


@blueprint.post("/jobs/<name>")
def run(name: str) -> Answer:
    """Run a job, and show it again; an event that is wrong is asked for again."""
    text = request.form.get("event", "")
    try:
        run = operations().run(name, _parse_event(text), g.who, now())
    except Invalid as error:
        return _job_page(name, text, error.description or ""), 400
    return _redirect(views.describe_run(run), "pages.job", name=name)


@blueprint.get("/findings")
def findings() -> Answer:
    """Show findings, with a form to filter them."""
    given = {name: value for name, value in request.args.items() if value}
    part, at = Partial(reading()), now()
    page, error = FindingPage(), ""
    try:
        query = read_form(given, FindingsQuery, "the filters")
    except Invalid as wrong:
        error = wrong.description or ""
    else:
        wanted = query.filter(at)
        page = part.get(
            Place.LEDGER,
            lambda: reading().findings.page(wanted, query.limit, query.cursor, at),
            page,
        )
    # The links of the page repeat these; other names may mean something else to `url_for`.
    repeated = {name: given[name] for name in FILTERS if name in given}
    html = render_template(
        "findings.html",
        page=page,
        given=repeated,
        sources=_sources(part, given.get("source", "")),
        severities=[severity.value for severity in reversed(Severity)],
        states=[state.value for state in StateFilter],
        ages=AGES,
        faults=part.faults,
        error=error,
    )
    return html, 400 if error else 200


@blueprint.get("/findings/<id>")
def finding(id: str) -> Answer:
    """Show one finding, with a form to mute it."""
    finding = reading().findings.finding(id, now())
    return render_template(
        "finding.html",
        finding=finding,
        row=finding.row,
        mute=finding.mute,
        history=list(reversed(finding.row.history)),
        is_job=finding.row.source in catalogue.jobs(),
        mute_times=MUTE_TIMES,
    )


@blueprint.get("/mutes")
def mutes() -> Answer:
    """Show all mutes, with a form for a new one."""
    return _mutes_page(request.args)


@blueprint.post("/mutes")
def mute() -> Answer:
    """Mute, and lead back to the finding or the mutes; what is wrong is asked for again."""
    finding_id = request.form.get("finding", "")
    given = {name: value for name, value in request.form.items() if name != "finding"}
    try:
        asked = read_form(given, MuteRequest, "the form")
        mute = operations().mute(asked.pattern, asked.reason, g.who, asked.until, now())
    except Invalid as error:
        return _mutes_page(request.form, error.description or ""), 400
    if finding_id:
        return _redirect(views.describe_mute(mute), "pages.finding", id=finding_id)
    return _redirect(views.describe_mute(mute), "pages.mutes")


@blueprint.post("/mutes/<id>/end")
def unmute(id: str) -> Answer:
    """End a mute, and lead back to the mutes."""
    mute = operations().unmute(id, now())
    return _redirect(views.describe_unmute(mute), "pages.mutes")


@blueprint.get("/letters")
def letters() -> Answer:
    """Show the dead letters by cause, with forms to choose some."""
    part = Partial(reading())
    dead_letters = part.get(Place.LETTERS, reading().letters.all, DeadLetterList())
    job = request.args.get("job", "")
    return render_template(
        "letters.html",
        groups=[group for group in dead_letters.by_cause() if job in ("", group.cause.job)],
        most_shown=MOST_SHOWN,
        unseen=dead_letters.unseen,
        jobs=sorted({letter.job for letter in dead_letters.letters}),
        wanted=job,
        faults=part.faults,
    )


@blueprint.get("/letters/<id>")
def letter(id: str) -> Answer:
    """Show one dead letter, with its event."""
    letter = reading().letters.letter(id)
    return render_template(
        "letter.html",
        letter=DeadLetter.of(letter),
        outline=outline(letter.body),
        body=masked(letter.body),
    )


@blueprint.get("/letters/redrive")
def confirm_redrive() -> Answer:
    """Show what a redrive would do, with a form to confirm it."""
    return _confirmation_page("redrive", _redrive(dry_run=True))


@blueprint.post("/letters/redrive")
def redrive() -> Answer:
    """Redrive what was confirmed, and lead back to the dead letters."""
    done = _redrive(dry_run=False)
    return _redirect(views.describe_outcomes(done), "pages.letters")


@blueprint.get("/letters/discard")
def confirm_discard() -> Answer:
    """Show what a discard would do, with a form that asks for the reason."""
    return _confirmation_page("discard", _discard("only tried", dry_run=True))


@blueprint.post("/letters/discard")
def discard() -> Answer:
    """Discard what was confirmed, and lead back; a missing reason is asked for again."""
    reason = request.form.get("reason", "")
    if not reason.strip():
        tried = _discard("only tried", dry_run=True)
        return _confirmation_page("discard", tried, error="Say why they may be lost."), 400
    done = _discard(reason, dry_run=False)
    return _redirect(views.describe_outcomes(done), "pages.letters")


def _job_page(name: str, event: str = "", error: str = "") -> str:
    job = reading().jobs.job(name)
    part = Partial(reading())
    status = part.status(job, now())
    settings = part.get(Place.SETTINGS, lambda: reading().jobs.settings(name), NO_SETTINGS)
    log = part.get(
        Place.LOG, lambda: reading().logs.last_lines(name, now(), LOG_LINES), LastLines()
    )
    return render_template(
        "job.html",
        job=JobView.of(status),
        schedule=status.schedule,
        failure=status.last_failure,
        permissions=job.permissions,
        runbook=job.runbook,
        settings=settings,
        log=list(reversed(log.lines)),
        log_cut=log.cut,
        faults=part.faults,
        event=event,
        error=error,
    )


def _mutes_page(given: MultiDict[str, str], error: str = "") -> str:
    part = Partial(reading())
    mutes = part.get(Place.LEDGER, reading().mutes.all, NO_MUTES)
    active, ended = views.split_mutes(mutes, now())
    return render_template(
        "mutes.html",
        active=active,
        ended=ended,
        given=given,
        mute_times=MUTE_TIMES,
        faults=part.faults,
        error=error,
    )


def _confirmation_page(verb: str, tried: LetterOutcomes, error: str = "") -> str:
    """Show what an operation would do with each letter. Confirming it acts on these alone."""
    ids = [outcome.letter.id for outcome in tried.outcomes if outcome.step is Step.WOULD]
    return render_template(
        "confirm.html",
        verb=verb,
        plans=[Plan.of(outcome) for outcome in tried.outcomes[:MOST_SHOWN]],
        more=max(len(tried.outcomes) - MOST_SHOWN, 0),
        ids=ids,
        kept=len(tried.outcomes) - len(ids),
        unseen=tried.unseen,
        seconds=round(CANARY_SECONDS),
        error=error,
    )


def _parse_event(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the event is not JSON: {error}") from None


def _sources(part: Partial, chosen: str) -> list[str]:
    """Return the sources to choose from: all jobs, and what else has findings."""
    tally = part.get(Place.LEDGER, reading().findings.tally, NO_COUNTS)
    sources = {*catalogue.jobs(), *(source for source, _severity in tally)}
    return sorted({*sources, chosen} - {""})


def _selection() -> Selection:
    """Return the letters that a query or a form names."""
    given = request.form if request.method == "POST" else request.args
    return Selection(
        ids=_values(given, "id"), jobs=_values(given, "job"), causes=_values(given, "cause")
    )


def _values(given: MultiDict[str, str], name: str) -> tuple[str, ...]:
    return tuple(value for value in given.getlist(name) if value)


def _redrive(*, dry_run: bool) -> LetterOutcomes:
    selection = _selection()
    return _retry_when_hidden(
        lambda: operations().redrive(selection, now(), g.who, dry_run=dry_run)
    )


def _discard(reason: str, *, dry_run: bool) -> LetterOutcomes:
    selection = _selection()
    return _retry_when_hidden(
        lambda: operations().discard(selection, now(), g.who, reason, dry_run=dry_run)
    )


def _retry_when_hidden(act: Callable[[], LetterOutcomes]) -> LetterOutcomes:
    """Act, and once more if all letters were hidden: somebody else looked at them just then."""
    done = act()
    if done.unseen and not done.outcomes:
        sleep(LOOK_PASSES_SECONDS)
        return act()
    return done


def _redirect(shown_there: Flash, view: str, **values: Any) -> Answer:
    response = make_response(redirect(url_for(view, **values), 303))
    return flash.send(response, shown_there)
