// Pages work without this. With it, what is marked `data-live` stays fresh, and a form says that it is at work.
"use strict";

const EVERY_MS = 10_000;
const said = document.getElementById("live");
const pause = document.createElement("button");
let paused = false;

function focusedAgain(fresh, focused) {
  const same = [...fresh.querySelectorAll("a, button")].find((each) => each.outerHTML === focused);
  if (same) same.focus({ preventScroll: true });
}

function renew(region, page) {
  const fresh = page.getElementById(region.id);
  if (!fresh || fresh.isEqualNode(region)) return;
  for (const open of region.querySelectorAll("details[open][data-key]")) {
    const same = fresh.querySelector(`details[data-key="${CSS.escape(open.dataset.key)}"]`);
    if (same) same.open = true;
  }
  const focused = region.contains(document.activeElement) ? document.activeElement.outerHTML : "";
  region.replaceWith(fresh);
  if (focused) focusedAgain(fresh, focused);
}

async function refresh() {
  if (paused || document.hidden) return;
  try {
    const answer = await fetch(location.href, { signal: AbortSignal.timeout(EVERY_MS) });
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const region of document.querySelectorAll("[data-live]")) renew(region, page);
    if (said.textContent) said.textContent = "";
  } catch (error) {
    said.textContent = `Not refreshed since: ${error.message}.`;
  }
}

function keepFresh() {
  pause.type = "button";
  pause.textContent = "Pause refreshing";
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on refreshing" : "Pause refreshing";
    refresh();
  });
  said.before(pause, " ");
  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
}

// A form that was sent once is not sent again while its answer is awaited; the page from the history is as new.
function atWork(event) {
  const button = event.submitter;
  if (!button || event.target.method !== "post") return;
  const word = button.textContent;
  setTimeout(() => {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    button.textContent = event.target.dataset.busy || "Working …";
  });
  addEventListener("pageshow", () => {
    button.disabled = false;
    button.removeAttribute("aria-busy");
    button.textContent = word;
  }, { once: true });
}

// The time in the footer is on each page; only where something else is live is there anything to keep fresh.
if (document.querySelectorAll("[data-live]").length > 1) keepFresh();
document.addEventListener("submit", atWork);
