"""The pages: the same readings and operations as the API, for people. Forms lead back to what they changed."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from time import sleep
from typing import Any

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from flask.blueprints import BlueprintSetupState
from werkzeug.datastructures import MultiDict

from fleet.dead_letters.causes import masked
from fleet.dead_letters.redrive import Selection, Step
from fleet.findings import Severity
from fleet.ledger.mutes import Mute
from fleet.ledger.rows import Row
from fleet.settings import SettingsError, structure
from fleet_console import asking, catalogue, flash, showing
from fleet_console.api import (
    LINES,
    cause_as_json,
    finding_as_json,
    letter_as_json,
    line_as_json,
    mute_as_json,
    operations,
    reading,
    whole_letter_as_json,
)
from fleet_console.asking import now
from fleet_console.flash import Flash
from fleet_console.operating import CANARY_SECONDS, Done
from fleet_console.paging import cursor
from fleet_console.partial import LEDGER, LETTERS, Partial
from fleet_console.problems import Invalid
from fleet_console.reading import DeadLettersSeen, Line, Parked, Shown

blueprint = Blueprint("pages", __name__, static_folder="static", static_url_path="/static")
Answer = Any
MOST_SHOWN = 50
LOOK_PASSES_SECONDS = 2.0
AGES = {"1h": "an hour", "1d": "a day", "7d": "a week", "30d": "a month"}
MUTED_FOR = {
    "1h": "1 hour",
    "4h": "4 hours",
    "1d": "1 day",
    "3d": "3 days",
    "7d": "7 days",
    "30d": "30 days",
}
NO_COUNTS: Mapping[tuple[str, Severity], int] = {}
NO_MUTES: list[Mute] = []
BAD_NEWS = {Step.CAME_BACK, Step.KEPT, Step.SENT_AND_LEFT}


@blueprint.record_once
def prepare(state: BlueprintSetupState) -> None:
    """Set up what all pages need of the application."""
    showing.install(state.app)
    flash.install(state.app)


@blueprint.app_context_processor
def everywhere() -> dict[str, Any]:
    """What every page shows: which fleet it is, who looks, and when."""
    return {"stack": reading().places.settings.stack, "who": g.get("who", ""), "now": now()}


@blueprint.get("/")
def glance() -> Answer:
    part = Partial(reading())
    jobs = part.jobs(catalogue.jobs().values(), now())
    # Not only of jobs: alarms and other events have findings and dead letters too.
    counts: Counter[Severity] = Counter()
    for (_, severity), count in part.get(LEDGER, reading().tally, NO_COUNTS).items():
        counts[severity] += count
    letters = part.get(LETTERS, reading().letters, DeadLettersSeen((), ""))
    return render_template(
        "glance.html",
        jobs=jobs,
        counts=counts,
        letters=letters,
        faults=part.faults,
        ledger=LEDGER,
        queue=LETTERS,
    )


@blueprint.get("/jobs/<name>")
def job(name: str) -> Answer:
    return _job(name)


@blueprint.post("/jobs/<name>")
def run(name: str) -> Answer:
    text = request.form.get("event", "")
    try:
        begun = operations().run(name, _event(text), g.who, now())
    except Invalid as error:
        return _job(name, text, error), 400
    told = (
        f"Asked {name} to run. Its log lines appear below within a minute, with this invocation: {begun.id}"
        if begun.by == "invocation"
        else f"Asked {name} to run. If this message fails, its log line below names it: {begun.id}"
    )
    return _back(Flash(told), "pages.job", name=name)


def _event(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else None
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the event is not JSON: {error}") from None


def _job(name: str, event: str = "", error: Invalid | None = None) -> Answer:
    found, part = reading().job(name), Partial(reading())
    job = part.job(found, now())
    settings: dict[str, str] = part.get("its settings", lambda: reading().variables(name), {})
    nothing: tuple[list[Line], bool] = ([], False)
    log, log_cut = part.get("its log", lambda: reading().last_lines(name, now(), LINES), nothing)
    return render_template(
        "job.html",
        job=job,
        found=found,
        settings=settings,
        log=[line_as_json(line) for line in reversed(log)],
        log_cut=log_cut,
        faults=part.faults,
        ledger=LEDGER,
        queue=LETTERS,
        event=event,
        error=error and error.description,
    )


@blueprint.get("/findings")
def findings() -> Answer:
    # A form sends its empty fields too.
    filters = {name: value for name, value in request.args.items() if value}
    error, asked = "", asking.Findings()
    try:
        asked = structure(filters, asking.Findings, "the filters", texts=True)
    except SettingsError as wrong:
        error = str(wrong)
    # Links are made of these, so that no name may be among them which means something else there.
    given = {
        each.name: filters[each.name] for each in fields(asking.Findings) if each.name in filters
    }
    part = Partial(reading())
    found: tuple[list[Row], Any] = ([], None)
    if not error:
        found = part.get(
            LEDGER,
            lambda: reading().findings(asked.wanted(now()), asked.limit, asked.cursor),
            found,
        )
    rows, place = found
    shown: list[dict[str, Any]] = part.get(
        LEDGER, lambda: [finding_as_json(row) for row in rows], []
    )
    sources = {
        *catalogue.jobs(),
        *(source for source, _ in part.get(LEDGER, reading().tally, NO_COUNTS)),
    }
    page = render_template(
        "findings.html",
        findings=shown,
        given=given,
        sources=sorted({*sources, given.get("source", "")} - {""}),
        severities=[severity.value for severity in reversed(Severity)],
        states=[shown.value for shown in Shown],
        ages=AGES,
        next=cursor(place) if place else None,
        faults=part.faults,
        error=error,
    )
    return page, 400 if error else 200


@blueprint.get("/findings/<number>")
def finding(number: str) -> Answer:
    row = reading().finding(number)
    mute = reading().mute_of(row, now())
    return render_template(
        "finding.html",
        finding=finding_as_json(row),
        history=list(reversed(row.history)),
        is_job=row.source in catalogue.jobs(),
        mute=mute and mute_as_json(mute),
        lasting=MUTED_FOR,
    )


@blueprint.get("/mutes")
def mutes() -> Answer:
    return _mutes(MultiDict(request.args))


@blueprint.post("/mutes")
def mute() -> Answer:
    number = request.form.get("finding", "")
    try:
        given = {name: value for name, value in request.form.items() if name != "finding"}
        asked = structure(given, asking.Mute, "the form", texts=True)
        made = operations().mute(asked.pattern, asked.reason, g.who, asked.until, now())
    except (SettingsError, Invalid) as error:
        return _mutes(request.form, getattr(error, "description", str(error))), 400
    told = Flash(
        f"Muted {made.pattern} until {made.until:%Y-%m-%d %H:%M} UTC: nobody is alerted meanwhile."
    )
    return _back(told, "pages.finding", number=number) if number else _back(told, "pages.mutes")


@blueprint.post("/mutes/<number>/end")
def unmute(number: str) -> Answer:
    ended = operations().unmute(number, now())
    return _back(
        Flash(f"Unmuted {ended.pattern}. Within minutes you hear what it withheld."), "pages.mutes"
    )


def _mutes(given: MultiDict[str, str], error: str = "") -> Answer:
    part = Partial(reading())
    all_ = [mute_as_json(mute) for mute in part.get(LEDGER, reading().mutes, NO_MUTES)]
    return render_template(
        "mutes.html",
        active=[mute for mute in all_ if mute["active"]],
        ended=[mute for mute in all_ if not mute["active"]],
        given=given,
        lasting=MUTED_FOR,
        faults=part.faults,
        error=error,
    )


@blueprint.get("/letters")
def letters() -> Answer:
    part = Partial(reading())
    seen = part.get(LETTERS, reading().letters, DeadLettersSeen((), ""))
    wanted = request.args.get("job", "")
    causes = [
        (cause_as_json(cause, letters), [letter_as_json(letter) for letter in letters[:MOST_SHOWN]])
        for cause, letters in seen.causes().items()
        if wanted in ("", cause.job)
    ]
    jobs = sorted({letter.job for letter in seen.letters})
    return render_template(
        "letters.html",
        causes=causes,
        unseen=seen.unseen,
        jobs=jobs,
        wanted=wanted,
        faults=part.faults,
    )


@blueprint.get("/letters/<number>")
def letter(number: str) -> Answer:
    return render_template("letter.html", letter=whole_letter_as_json(reading().letter(number)))


@blueprint.get("/letters/redrive")
def ask_redrive() -> Answer:
    return _confirmation(
        "redrive", _seen(lambda: operations().redrive(_selected(), now(), g.who, dry_run=True))
    )


@blueprint.post("/letters/redrive")
def redrive() -> Answer:
    done = _seen(lambda: operations().redrive(_selected(), now(), g.who, dry_run=False))
    return _back(_told(done), "pages.letters")


@blueprint.get("/letters/discard")
def ask_discard() -> Answer:
    return _confirmation("discard", _tried_discard())


@blueprint.post("/letters/discard")
def discard() -> Answer:
    reason = request.form.get("reason", "")
    if not reason.strip():
        return _confirmation("discard", _tried_discard(), error="Say why they may be lost."), 400
    done = _seen(lambda: operations().discard(_selected(), now(), g.who, reason, dry_run=False))
    return _back(_told(done), "pages.letters")


def _tried_discard() -> Done:
    return _seen(
        lambda: operations().discard(_selected(), now(), g.who, "only tried", dry_run=True)
    )


def _seen(act: Callable[[], Done]) -> Done:
    """Do it, once more when letters were hidden: whoever looks at them, as every page does, hides them for a moment."""
    done = act()
    if done.unseen and not done.outcomes:
        sleep(LOOK_PASSES_SECONDS)
        return act()
    return done


def _confirmation(verb: str, tried: Done, error: str = "") -> Answer:
    """Show what an operation would do with each letter. What is confirmed is about these alone."""
    outcomes = [
        (letter_as_json(Parked.of(each.letter)), each.step, masked(each.detail))
        for each in tried.outcomes
    ]
    ids = [each.letter.id for each in tried.outcomes if each.step is Step.WOULD]
    return render_template(
        "confirm.html",
        verb=verb,
        outcomes=outcomes[:MOST_SHOWN],
        left=len(outcomes) - len(outcomes[:MOST_SHOWN]),
        ids=ids,
        kept=len(outcomes) - len(ids),
        unseen=tried.unseen,
        seconds=round(CANARY_SECONDS),
        error=error,
    )


def _told(done: Done) -> Flash:
    counts = Counter(each.step for each in done.outcomes)
    steps = (
        ", ".join(f"{count:,} {step}" for step, count in counts.items())
        or "none of them could be seen, so nothing was done"
    )
    bad = [
        f"{each.letter.job} {each.letter.id}: {each.step}. {masked(each.detail)}"
        for each in done.outcomes
        if each.step in BAD_NEWS
    ]
    items: Sequence[str] = [*([done.unseen] if done.unseen else []), *bad]
    return Flash(f"Dead letters: {steps}.", tuple(items), well=not items)


def _selected() -> Selection:
    """The letters that a query or a form names."""
    given = request.form if request.method == "POST" else request.args
    ids, jobs, causes = (
        tuple(filter(None, given.getlist(name))) for name in ("id", "job", "cause")
    )
    return Selection(ids, jobs, causes)


def _back(told: Flash, view: str, **place: Any) -> Answer:
    return flash.tell(make_response(redirect(url_for(view, **place), 303)), told)
