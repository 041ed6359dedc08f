"""How pages show values: times, charts, texts that others wrote.

Whatever was not made here is escaped.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from flask.sansio.app import App
from markupsafe import Markup

from fleet.ledger.reports import Ran

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

UNITS = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("min", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)
TIME = Markup('<time datetime="{iso}" title="{exact}">{relative} <small>{text}</small></time>')
WEB_SCHEMES = ("https://", "http://")
# Of the chart, in pixels.
BAR_WIDTH, BAR_GAP = 4, 1
TALLEST_BAR, SHORTEST_BAR = 24, 2


def install(app: App) -> None:
    """Give the templates these filters."""
    jinja = app.jinja_env
    jinja.trim_blocks = True
    jinja.lstrip_blocks = True
    jinja.tests["web_link"] = is_web_link
    jinja.filters.update(
        {
            "chart": draw_chart,
            "counted": counted,
            "pairs": pairs,
            "pretty": pretty,
            "prose": prose,
            "when": show_time,
        }
    )


def relative(at: datetime, now: datetime) -> str:
    """Say how long ago a time was, or in how long it will be, in its largest unit: `3 h ago`."""
    distance = abs(now - at)
    for unit, size in UNITS:
        count = distance // size
        if count and at <= now:
            return f"{count} {unit} ago"
        if count:
            return f"in {count} {unit}"
    return "now"


def show_time(at: datetime, now: datetime | None = None) -> Markup:
    """Show a time as people read it, with the exact time in UTC as its title."""
    now = now or datetime.now(UTC)
    if at.year != now.year:
        text = f"{at:%d %b %Y}"
    elif at.date() != now.date():
        text = f"{at:%d %b %H:%M}"
    else:
        text = f"{at:%H:%M:%S}"
    return TIME.format(
        iso=at.isoformat(timespec="seconds"),
        exact=f"{at:%Y-%m-%d %H:%M:%S} UTC",
        relative=relative(at, now),
        text=text,
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in the chart, in pixels from the upper left; `found` when it had findings."""

    x: int
    y: int
    height: int
    found: bool
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """The last runs of a job, the newest at the right; `summary` is the chart in words."""

    bars: tuple[Bar, ...]
    width: int
    summary: str
    height: int = TALLEST_BAR
    bar: int = BAR_WIDTH


def draw_chart(runs: Sequence[Ran]) -> Chart:
    """Draw how many findings each of the last runs had; `runs` are in their order."""
    most = max((run.findings for run in runs), default=0)
    bars = tuple(_bar(position, run, most) for position, run in enumerate(runs))
    width = len(bars) * (BAR_WIDTH + BAR_GAP) - BAR_GAP
    return Chart(bars, max(width, 1), _summary(runs, most))


def _bar(position: int, run: Ran, most: int) -> Bar:
    height = SHORTEST_BAR
    if most:
        share = run.findings / most
        height += round((TALLEST_BAR - SHORTEST_BAR) * share)
    return Bar(
        x=position * (BAR_WIDTH + BAR_GAP),
        y=TALLEST_BAR - height,
        height=height,
        found=run.findings > 0,
        title=f"{run.at:%d %b %H:%M} UTC: {counted(run.findings, 'finding')}",
    )


def _summary(runs: Sequence[Ran], most: int) -> str:
    with_findings = [run for run in runs if run.findings]
    last = counted(len(runs), "run")
    if not with_findings:
        return f"Last {last}: none with findings"
    return f"Last {last}: {len(with_findings)} with findings, at most {most}"


def counted(count: int, thing: str, things: str = "") -> str:
    """Say a number of things: 1 letter, 2 letters."""
    plural = things or f"{thing}s"
    return f"{count:,} {thing if count == 1 else plural}"


def pairs(words: Iterable[str]) -> list[tuple[str, str]]:
    """Return choices for a form: each is sent as it is shown."""
    return [(word, word) for word in words]


def pretty(body: str) -> str:
    """Lay out a text that is JSON; any other stays as it is."""
    try:
        document = json.loads(body)
        return json.dumps(document, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):  # plain text is an event too
        return body


def is_web_link(link: str) -> bool:
    """Whether a link that others wrote may be followed: a script is a link too."""
    return link.startswith(WEB_SCHEMES)


def prose(text: str) -> Markup:
    """Show Markdown. HTML inside it stays text, and links into the repository are dropped."""
    return Markup(_markdown().render(text))  # noqa: S704 - the renderer escapes


@cache  # lives as long as the process
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).disable("image")
    markdown.add_render_rule("link_open", _open_link)
    return markdown


def _open_link(renderer: Any, tokens: Any, position: int, options: Any, env: Any) -> str:
    attributes = tokens[position].attrs
    if not is_web_link(str(attributes["href"])):
        del attributes["href"]
    return str(renderer.renderToken(tokens, position, options, env))
