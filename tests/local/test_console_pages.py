"""The console's pages in a real browser, over the running fleet: what operators do, who can use
them, how they look.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # it has no types
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from tools.local import moto_codepipeline as codepipeline
from tools.local.fleet import Fleet
from tools.paths import BUILD, ROOT
from tools.sandbox import isolated

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
SCREENSHOTS = BUILD / "screenshots"
# A last resort: Playwright counts time, and not what the machine gets done.
BROWSER_TIMEOUT_MS = 600_000.0
DESK, PHONE = ViewportSize(width=1280, height=800), ViewportSize(width=360, height=740)
PAUSED, STARTED = "paused_pipelines", "start_pipeline"
PIPELINE, UNKNOWN = "console-tests", "deploy-later"
SUBJECT = f"{PAUSED} · {PIPELINE}"

pytestmark = [
    pytest.mark.skipif(
        not CHROMIUM.exists(),
        reason=f"no browser: install Debian's chromium, or set CHROMIUM ({CHROMIUM})",
    ),
]


@pytest.fixture(scope="module")
def console(fleet: Fleet, registered: Path) -> Iterator[str]:
    """The address of a console that a user has started beside the fleet."""
    served = subprocess.Popen(
        [sys.executable, "-m", "tools.operate.console", "--port", "0"],
        cwd=ROOT,
        env={**isolated(os.environ), "FLEETS_DIRECTORY": str(registered)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with served:
        assert served.stdout is not None
        line = served.stdout.readline()
        assert "http://" in line, line
        yield line[line.index("http://") :].split()[0].rstrip("/")
        served.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM)


@pytest.fixture(scope="module")
def page(browser: Browser, console: str) -> Iterator[Page]:
    """A tab whose browser never had to refuse anything, nor found a script that failed."""
    complaints: list[str] = []
    context = browser.new_context(base_url=console, reduced_motion="reduce", viewport=DESK)
    context.set_default_timeout(BROWSER_TIMEOUT_MS)
    tab = context.new_page()
    tab.on(
        "console",
        lambda said: complaints.append(said.text) if "Failed to load" not in said.text else None,
    )
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    yield tab
    assert complaints == []


def refreshed(fleet: Fleet, page: Page, condition: Callable[[], bool], otherwise: str) -> None:
    """Wait for what the page shows in time by itself; it looks again when someone returns."""

    def holds() -> bool:
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        return condition()

    fleet.wait_for(holds, otherwise)


def test_a_finding_opens_is_muted_and_resolves(page: Page, fleet: Fleet) -> None:
    codepipeline.add_pipeline(PIPELINE)
    codepipeline.pause(PIPELINE, "Deploy", "see the console", datetime.now(UTC) - timedelta(days=6))

    page.goto(f"/jobs/{PAUSED}")
    page.get_by_role("button", name="Run as its schedule does").click()
    expect(page.get_by_role("status").filter(has_text=f"Asked {PAUSED} to run")).to_be_visible()
    page.get_by_label("Main").get_by_role("link", name="Findings").click()
    row = page.get_by_role("row").filter(has_text=SUBJECT)
    refreshed(fleet, page, row.is_visible, "the finding is not shown")
    row.get_by_role("link").click()
    expect(page.get_by_text("see the console").first).to_be_visible()

    page.get_by_label("Why nobody needs to know").fill("tried by a test")
    page.get_by_role("button", name="Mute").click()
    expect(page.get_by_role("status").filter(has_text=f"Muted {PAUSED}/{PIPELINE}")).to_be_visible()
    page.get_by_role("button", name="Unmute now").click()
    expect(page.get_by_role("status").filter(has_text="Unmuted")).to_be_visible()

    codepipeline.resume(PIPELINE, "Deploy")
    page.goto(f"/findings?state=all&source={PAUSED}")
    row.get_by_role("link").click()
    finding = page.url
    page.goto(f"/jobs/{PAUSED}")
    page.get_by_role("button", name="Run as its schedule does").click()
    page.goto(finding)
    refreshed(
        fleet,
        page,
        page.get_by_label("Timeline").get_by_text("resolved").is_visible,
        "the finding did not resolve",
    )


@pytest.fixture(scope="module")
def letter(page: Page, fleet: Fleet) -> str:
    """The address of a dead letter: an event for a pipeline that does not exist."""
    event = {
        "version": "0",
        "id": str(uuid4()),
        "source": "fleet",
        "detail-type": "Start Pipeline",
        "resources": [],
    }
    event |= {"account": "123456789012", "region": "eu-west-1", "time": "2026-11-20T06:00:00Z"}
    page.goto(f"/jobs/{STARTED}")
    page.get_by_label("Event, as JSON").fill(
        json.dumps(event | {"detail": {"pipeline": UNKNOWN, "variables": {}}})
    )
    page.get_by_role("button", name="Run with this event").click()
    expect(page.get_by_role("status").filter(has_text=f"Asked {STARTED} to run")).to_be_visible()

    def parked() -> bool:
        url, sqs = fleet.outputs["DeadLettersUrl"], fleet.account.sqs
        answer = sqs.get_queue_attributes(
            QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
        )
        return answer["Attributes"]["ApproximateNumberOfMessages"] != "0"

    fleet.wait_for(parked, "nothing was parked")
    page.goto(
        f"/letters/redrive?job={STARTED}"
    )  # which looks at once, and the list only now and then
    address = (
        page.get_by_role("row").filter(has_text=UNKNOWN).get_by_role("link").get_attribute("href")
    )
    assert address is not None
    return address


@pytest.fixture(scope="module")
def redriving(browser: Browser, console: str, letter: str) -> Iterator[Page]:
    """A tab without scripts in which somebody has just confirmed a redrive, which takes a while."""
    with browser.new_context(base_url=console, java_script_enabled=False) as context:
        page = context.new_page()
        page.set_default_timeout(BROWSER_TIMEOUT_MS)
        page.goto("/letters")
        cause = page.get_by_role("region", name=UNKNOWN)
        cause.get_by_role("checkbox").check()
        cause.get_by_role("button", name="Redrive").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Redrive 1 dead letter?")
        codepipeline.add_pipeline(UNKNOWN)
        assert not codepipeline.executions(UNKNOWN)
        page.get_by_role("button", name="Redrive 1 dead letter").click(no_wait_after=True)
        yield page


def test_the_pages_of_dead_letters_are_for_everyone(page: Page, letter: str) -> None:
    look_at(page, "letters", "/letters", dark=True)
    look_at(page, "letter", letter)
    look_at(page, "redrive", letter.replace("/letters/", "/letters/redrive?id="))
    look_at(page, "discard", letter.replace("/letters/", "/letters/discard?id="))


@pytest.mark.usefixtures("redriving")
def test_every_other_page_is_for_everyone(page: Page) -> None:
    look_at(page, "fleet", "/", dark=True)
    look_at(page, "findings", "/findings?state=all")
    look_at(
        page,
        "finding",
        page.get_by_role("row").get_by_role("link").first.get_attribute("href"),
        dark=True,
    )
    look_at(page, "findings-none", "/findings?owner=nobody")
    look_at(page, "mutes", "/mutes")
    look_at(page, "job-scheduled", f"/jobs/{PAUSED}", dark=True)
    look_at(page, "job-queued", f"/jobs/{STARTED}")
    look_at(page, "problem", "/jobs/none")


def test_a_keyboard_reaches_everything_in_its_order(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    assert "critical" in page.evaluate("document.activeElement.textContent")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_page_says_when_it_cannot_be_refreshed_and_can_be_paused(
    page: Page, fleet: Fleet
) -> None:
    page.goto("/")
    page.route("**/*", lambda route: route.fulfill(status=503, body="no"))
    said = page.locator("#live")
    refreshed(
        fleet,
        page,
        lambda: "503" in (said.text_content() or ""),
        "nothing says that the page is stale",
    )
    page.unroute("**/*")
    refreshed(fleet, page, lambda: said.text_content() == "", "it still says that it is stale")

    page.get_by_role("button", name="Pause refreshing").click()
    shown = page.locator("#as-of").text_content()
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(1_100)
    assert page.locator("#as-of").text_content() == shown


def test_a_dead_letter_is_redriven_without_scripts(redriving: Page, fleet: Fleet) -> None:
    expect(redriving.get_by_role("status").filter(has_text="1 sent")).to_be_visible(
        timeout=BROWSER_TIMEOUT_MS
    )
    fleet.wait_for(lambda: codepipeline.executions(UNKNOWN), "the redriven event started nothing")


def look_at(page: Page, name: str, place: str | None, *, dark: bool = False) -> None:
    """Find nothing wrong with a page, at a desk and on a phone, in light and, for one of its kind,
    in dark.

    How it looks is kept.
    """
    assert place
    page.goto(place)
    assert violations(page) == [], name
    kept(page, name)
    if dark:
        page.emulate_media(color_scheme="dark")
        assert violations(page, "color-contrast") == [], f"{name}, dark"
        kept(page, f"{name}-dark", whole=False)
        page.emulate_media(color_scheme="light")
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"], (
        f"{name} is wider than a phone"
    )
    kept(page, f"{name}-phone", whole=False)
    page.set_viewport_size(DESK)


def violations(page: Page, *rules: str) -> list[str]:
    """Return what axe finds wrong, by all of its rules or some."""
    options = {"runOnly": list(rules)} if rules else None
    found = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found]


def kept(page: Page, name: str, whole: bool = True) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)
