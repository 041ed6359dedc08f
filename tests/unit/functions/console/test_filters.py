"""Values are shown so that people read them, and nothing that others wrote can do harm."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from fleet.ledger.reports import Ran
from fleet_console import filters

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FILTERS: list[Callable[[str], object]] = [filters.pretty, filters.prose]


@pytest.mark.parametrize(
    ("distance", "said"),
    [
        (timedelta(), "now"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=90), "1 h ago"),
        (timedelta(hours=-30), "in 1 d"),
        (timedelta(days=400), "400 d ago"),
    ],
)
def test_a_time_is_relative_and_exact(distance: timedelta, said: str) -> None:
    at = NOW - distance

    shown = str(filters.show_time(at, NOW))

    assert f">{said} <small>" in shown
    assert f'datetime="{at:%Y-%m-%dT%H:%M:%S}+00:00"' in shown
    assert f'title="{at:%Y-%m-%d %H:%M:%S} UTC"' in shown


def test_a_chart_is_as_tall_as_what_was_found() -> None:
    runs = [Ran(NOW + timedelta(hours=hour), {"": count}) for hour, count in enumerate((0, 2, 4))]

    drawn = filters.draw_chart(runs)

    assert [(bar.y + bar.height, bar.height, bar.found) for bar in drawn.bars] == [
        (24, 2, False),
        (24, 13, True),
        (24, 24, True),
    ]
    assert drawn.summary == "Last 3 runs: 2 with findings, at most 4"
    assert filters.draw_chart([]).bars == ()


def test_a_runbook_is_prose_without_html_or_links_into_the_repository() -> None:
    shown = str(
        filters.prose(
            "**Do** `x` <b>y</b> [here](../README.md) [there](https://example.com) "
            "[js](javascript:x)"
        )
    )

    assert shown == (
        "<p><strong>Do</strong> <code>x</code> &lt;b&gt;y&lt;/b&gt; <a>here</a> "
        '<a href="https://example.com">there</a> [js](javascript:x)</p>\n'
    )


@pytest.mark.parametrize("shown", FILTERS)
def test_any_text_can_be_shown(shown: Callable[[str], object]) -> None:
    for text in ("", "\0", "[" * 2_000, "\ud800", "](" * 500):
        assert shown(text) is not None
