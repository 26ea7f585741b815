// The shell of the page: one link, the publications that its panels watch, and what is said of all of them.

import { age, count } from "./format.js";
import { Link } from "./link.js";
import { write } from "./paint.js";
import { Publication } from "./rows.js";

const STALE_MS = 10_000;
// A number that was not read for so long is stale, however old it may be otherwise.
const UNREAD_MS = 30_000;
const AGES_EVERY_MS = 500;

const root = document.querySelector("#live");
const publications = new Map();
const listeners = new Map();
let connection = "connecting";
let retryAt = 0;
let lostWhy = "";
let isWhole = true;
// How far this computer's clock is ahead of the server's, at most: the smallest difference seen is the least delayed.
let clockAhead = 0;
let clockKnown = false;

const link = new Link(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/live`, {
  onFrame: take,
  onState: (state, wait, why) => {
    connection = state;
    if (state !== "connecting") lostWhy = why;
    retryAt = performance.now() + wait;
    if (state === "connecting") {
      clockKnown = false;
      for (const publication of publications.values()) publication.forgetPlace();
    }
    showState();
  },
});

function take(frame) {
  if (frame.type === "refused") {
    console.warn(frame.publication, frame.why);
    return;
  }
  const ahead = Date.now() - frame.now;
  clockAhead = clockKnown ? Math.min(clockAhead, ahead) : ahead;
  clockKnown = true;
  const publication = publications.get(frame.publication);
  if (!publication) return;
  const isFirst = publication.at === null;
  const changes = publication.take(frame);
  if (changes === null) link.resync(publication.name);
  else if (changes.length) for (const listener of listeners.get(publication.name)) listener(changes);
  if (isFirst) showAges();
}

// What a panel is given. `watch` subscribes and returns the publication, whose rows are those of the server; every
// change comes to `onChange` as [key, before, after]. Several panels may watch the same.
const page = { watch, forget, now, showAge };

function watch(name, onChange) {
  const known = publications.get(name);
  if (known) {
    listeners.get(name).push(onChange);
    if (known.rows.size) queueMicrotask(() => onChange([...known.rows].map(([key, row]) => [key, undefined, row])));
    return known;
  }
  const publication = new Publication(name);
  publications.set(name, publication);
  listeners.set(name, [onChange]);
  link.subscribe(name);
  return publication;
}

function forget(name) {
  publications.delete(name);
  listeners.delete(name);
  link.unsubscribe(name);
}

function now() {
  return Date.now() - clockAhead;
}

// What is wrong comes first, and it is said in words. Nobody is "live" who hears nothing.
function state() {
  if (connection !== "open") {
    const seconds = Math.ceil(Math.max(0, retryAt - performance.now()) / 1000);
    const next = connection === "waiting" ? `No connection; next attempt in ${seconds} s` : "Connecting";
    return ["lost", [lostWhy, next].filter(Boolean).join(" ")];
  }
  if (!isWhole) return ["degraded", "Parts of this page could not be loaded; load it anew"];
  const conditions = publications.get("live").rows;
  for (const [part, row] of conditions) {
    if (row.state === "failed") return ["degraded", `Failing, begins anew: ${part.replace("task ", "")} (${row.why})`];
  }
  if (conditions.has("sessions")) return ["degraded", "Sessions cannot be checked; this page may be closed soon"];
  const unread = [...conditions].filter(([, row]) => row.state === "unread").map(([part]) => part.slice("publication ".length));
  if (unread.length) return ["degraded", `Cannot be read: ${unread.join(", ")}`];
  const redis = conditions.get("redis")?.state;
  if (redis === "away") return ["degraded", "Redis is away: updates every 2 s only"];
  const bad = conditions.get("messages");
  if (bad) return ["degraded", `Live; bad messages passed over, all read anew: ${count(bad.count)}`];
  if (redis !== "connected") return ["degraded", "Waiting for Redis"];
  if (conditions.get("workers")?.state === "silent") return ["degraded", "Live; no worker is heard: updates every 2 s only"];
  return ["live", "Live"];
}

function showState() {
  const [kind, words] = state();
  const pill = document.querySelector("#connection");
  if (pill.dataset.state !== kind) pill.dataset.state = kind;
  if (pill.textContent !== words) pill.textContent = words;
}

// A number is as old as the newest event in it, where a publication tells ("publication key"), else as its last reading.
// How old is too old depends on how often there is something new to count: at night nobody may log in for minutes.
function showAges() {
  showState();
  for (const tick of ticks) tick();
  for (const element of root.querySelectorAll("[data-age]")) {
    const read = publications.get(element.dataset.age)?.at ?? null;
    const at = newest(element.dataset.asOf) ?? read;
    const isRead = read === null || now() - read < UNREAD_MS;
    const patience = !isRead ? 0 : element.dataset.patience ? 1_000 * element.dataset.patience : STALE_MS;
    showAge(element, at, patience, (ms) => (ms > patience ? `stale: ${age(ms)} old` : `${age(ms)} old`));
  }
}

function newest(told) {
  if (!told) return undefined;
  const [name, key] = told.split(" ");
  return publications.get(name)?.rows.get(key)?.value;
}

function showAge(element, at, patience, shown) {
  const ms = at === null ? null : now() - at;
  write(element, ms === null ? "no data yet" : shown(ms), undefined, true);
  const stale = ms !== null && ms > patience ? "yes" : "";
  const holder = element.closest("[data-stales]");
  for (const each of [element, holder]) if (each && each.dataset.stale !== stale) each.dataset.stale = stale;
}

// Each module fills its own pieces of the page, and may return what is to be called as time goes by.
const ticks = [];
watch("live", showState);
for (const url of root.dataset.modules.split(" ")) {
  try {
    const { panel } = await import(url);
    const tick = panel(root, page);
    if (tick) ticks.push(tick);
  } catch (error) {
    isWhole = false;
    console.error(url, error);
  }
}
setInterval(showAges, AGES_EVERY_MS);
showAges();
