// What makes a page live: patches from the server, running clocks, buttons that answer in place.
// The page is complete without this file; nothing here makes words, they all come from the server.
"use strict";

const PATIENCE_MS = 40_000; // a stream that is silent for longer than two beats of 15 s is dead, whatever the browser thinks
const TICK_MS = 200;

let offset = 0; // server's clock minus ours, ms

const serverNow = () => Date.now() + offset;
const two = (number) => String(number).padStart(2, "0");

function asLength(ms) {
  const all = Math.max(0, Math.floor(ms / 1000));
  const hours = Math.floor(all / 3600), minutes = Math.floor(all / 60) % 60, seconds = all % 60;
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function tick() {
  const now = serverNow();
  for (const element of document.querySelectorAll("[data-since]")) {
    const passed = now - Number(element.dataset.since);
    if (element.dataset.as === "s") {
      const seconds = Math.max(0, Math.floor(passed / 1000));
      put(element, String(Math.min(seconds, Number(element.dataset.max || seconds))));
    } else put(element, asLength(passed));
  }
  for (const element of document.querySelectorAll("[data-until]"))
    put(element, String(Math.max(0, Math.ceil((Number(element.dataset.until) - now) / 1000))));
  for (const bar of document.querySelectorAll("rect[data-from]")) {
    const from = Number(bar.dataset.from), to = Number(bar.dataset.to);
    bar.setAttribute("width", String(Math.max(0, Math.min(now, to) - from) / 10));
  }
}

// ---- patches: per section the order of its items, and the markup of those that are new or different ----

function build(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

function patchSection(section, { order, html }) {
  const present = new Map([...section.children].map((child) => [child.dataset.key, child]));
  let after = null;
  for (const key of order) {
    const old = present.get(key);
    let item = old;
    if (html[key] !== undefined) {
      const fresh = build(html[key]);
      // A card of the same revision stays: somebody may be choosing a reason in it.
      if (!old || !fresh.dataset.revision || fresh.dataset.revision !== old.dataset.revision) {
        item = fresh;
        if (old) keepAnswer(old, fresh), old.replaceWith(fresh);
        else if (section.dataset.filled) fresh.classList.add("new");
      }
    }
    if (!item) continue;
    present.delete(key);
    const place = after ? after.nextElementSibling : section.firstElementChild;
    if (place !== item) section.insertBefore(item, place);
    after = item;
  }
  for (const gone of present.values()) gone.remove();
  section.dataset.filled = "1";
}

function keepAnswer(old, fresh) {
  const said = old.querySelector("[data-answer]"), place = fresh.querySelector("[data-answer]");
  if (said && place) place.textContent = said.textContent;
}

function patch(message) {
  for (const [name, change] of Object.entries(message.sections)) {
    const section = document.querySelector(`[data-section="${name}"]`);
    if (section) patchSection(section, change);
  }
  tick();
}

// ---- the stream ----

function listen(address) {
  const sign = document.querySelector("[data-link]");
  let source, watchdog;
  const alive = (event) => {
    const said = JSON.parse(event.data);
    offset = said.now - Date.now();
    sign.hidden = true;
    clearTimeout(watchdog);
    watchdog = setTimeout(again, PATIENCE_MS);
    return said;
  };
  const again = () => {
    sign.hidden = false;
    source?.close();
    connect();
  };
  const connect = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(again, PATIENCE_MS);
    source = new EventSource(address);
    source.addEventListener("patch", (event) => patch(alive(event)));
    source.addEventListener("beat", alive);
    source.addEventListener("error", () => {
      sign.hidden = false;
      // 404 or 503 ends an EventSource for good; a network error does not (WHATWG HTML, "fail the connection").
      if (source.readyState === EventSource.CLOSED) {
        clearTimeout(watchdog);
        watchdog = setTimeout(again, 3_000);
      }
    });
  };
  connect();
}

// ---- buttons ----

async function press(form) {
  const answer = form.closest("[data-key]").querySelector("[data-answer]");
  const body = new URLSearchParams(new FormData(form));
  const buttons = form.closest(".buttons").querySelectorAll("button");
  for (const each of buttons) each.disabled = true;
  try {
    const response = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
    const said = await response.json();
    const card = document.querySelector(`[data-key="${CSS.escape(body.get("card"))}"]`);
    put(card?.querySelector("[data-answer]") ?? answer, said.words);
  } catch {
    form.submit(); // without an answer the plain way, which says what is wrong
  } finally {
    for (const each of buttons) each.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-press]");
  if (!form) return;
  event.preventDefault();
  press(form);
});

const root = document.querySelector("[data-events]");
if (root) {
  offset = Number(root.dataset.now) - Date.now();
  for (const section of document.querySelectorAll("[data-section]")) section.dataset.filled = "1";
  tick();
  setInterval(tick, TICK_MS);
  listen(root.dataset.events);
}
