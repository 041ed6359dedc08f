"""How pages show values: times, charts, texts that others wrote. Everything is escaped unless made here."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Response
from flask.sansio.app import App
from markupsafe import Markup

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

UNITS = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("min", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)
WEB = ("https://", "http://")
BAR, GAP, TALLEST, SHORTEST = 4, 1, 24, 2


class Encoded(Response):
    """A response of which every text can be sent: what others wrote may hold half a surrogate pair."""

    def set_data(self, value: bytes | str) -> None:
        super().set_data(value.encode(errors="replace") if isinstance(value, str) else value)


def install(app: App) -> None:
    """Give the templates these filters."""
    app.jinja_env.filters.update(
        when=when, chart=chart, pretty=pretty, prose=prose, counted=counted, pairs=pairs
    )
    app.jinja_env.tests["web_link"] = is_web_link
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True


def relative(at: datetime, now: datetime) -> str:
    """Say how long ago a time was, or in how long it will be, in its largest unit."""
    distance = abs(now - at)
    unit, size = next((pair for pair in UNITS if distance >= pair[1]), UNITS[-1])
    count = distance // size
    if not count:
        return "now"
    return f"{count} {unit} ago" if at <= now else f"in {count} {unit}"


def when(moment: str | datetime, now: datetime | None = None) -> Markup:
    """Show a time as people read it, with the time itself in UTC."""
    at = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    now = now or datetime.now(UTC)
    shown = f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%d %b %H:%M}"
    if at.year != now.year:
        shown = f"{at:%d %b %Y}"
    return Markup('<time datetime="{}" title="{}">{} <small>{}</small></time>').format(
        at.isoformat(timespec="seconds"), f"{at:%Y-%m-%d %H:%M:%S} UTC", relative(at, now), shown
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """A run in the chart of the last: where it stands, how tall it is, and what it says."""

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
    height: int = TALLEST
    bar: int = BAR


def chart(runs: Iterable[Mapping[str, Any]]) -> Chart:
    """Draw how many findings each of the last runs had."""
    runs = list(runs)
    most = max((run["findings"] for run in runs), default=0)
    bars = []
    for number, run in enumerate(runs):
        height = (
            SHORTEST + round((TALLEST - SHORTEST) * run["findings"] / most) if most else SHORTEST
        )
        title = f"{datetime.fromisoformat(run['at']):%d %b %H:%M} UTC: {counted(run['findings'], 'finding')}"
        bars.append(Bar(number * (BAR + GAP), TALLEST - height, height, run["findings"] > 0, title))
    with_some = sum(run["findings"] > 0 for run in runs)
    summary = f"Last {counted(len(runs), 'run')}: "
    summary += f"{with_some} with findings, at most {most}" if with_some else "none with findings"
    return Chart(tuple(bars), max(len(bars) * (BAR + GAP) - GAP, 1), summary)


def counted(count: int, thing: str, things: str = "") -> str:
    """Say a number of things: 1 letter, 2 letters."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def pairs(words: Iterable[str]) -> list[tuple[str, str]]:
    """Return choices that are shown as they are sent."""
    return [(word, word) for word in words]


def pretty(body: str) -> str:
    """Lay out a text that is JSON; any other stays as it is."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):  # plain text is an event too
        return body


def is_web_link(link: str) -> bool:
    """Whether a link that others wrote may be followed: a script is one too."""
    return link.startswith(WEB)


def prose(text: str) -> Markup:
    """Show Markdown; HTML inside it is text, and what leads into the repository is no link."""
    return Markup(_markdown().render(text))  # noqa: S704 - the renderer escapes


@cache
def _markdown() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    def link(self: Any, tokens: Any, place: int, options: Any, env: Any) -> str:
        if not is_web_link(str(tokens[place].attrs["href"])):
            del tokens[place].attrs["href"]
        return str(self.renderToken(tokens, place, options, env))

    markdown = MarkdownIt("commonmark", {"html": False}).disable("image")
    markdown.add_render_rule("link_open", link)
    return markdown
