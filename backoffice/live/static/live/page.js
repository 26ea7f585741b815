// Puts the page together: one link, the publications that this role sees, and the panels that show them.

import { figuresPanel, healthPanel } from "./figures.js";
import { age, count } from "./format.js";
import { Link } from "./link.js";
import { MarketPanel, fedAge } from "./market.js";
import { write } from "./paint.js";
import { Publication } from "./rows.js";
import { tickerPanel } from "./ticker.js";

const STALE_MS = 10_000;
// A number that was not read for so long is stale, however old it may be otherwise.
const UNREAD_MS = 30_000;
const AGES_EVERY_MS = 500;

const root = document.querySelector("#live");
const seen = new Set(root.dataset.publications.split(" "));
const publications = new Map();
const listeners = new Map();
let connection = "connecting";
let retryAt = 0;
let lostWhy = "";
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
  else if (changes.length) listeners.get(publication.name)(changes);
  if (isFirst) showAges();
}

function watch(name, onChange) {
  const publication = new Publication(name);
  publications.set(name, publication);
  listeners.set(name, onChange);
  link.subscribe(name);
  return publication;
}

function forget(name) {
  publications.delete(name);
  listeners.delete(name);
  link.unsubscribe(name);
}

// A panel is made for its publication, and the publication tells the panel of changes; returns what repaints it.
function panel(name, make) {
  let changed = () => {};
  if (!seen.has(name)) return changed;
  const publication = watch(name, () => changed());
  changed = make(root, publication, now);
  return changed;
}

watch("live", showState);
const repaintHealth = panel("health", healthPanel);
panel("figures", figuresPanel);
panel("ticker", tickerPanel);
let market = null;
if (seen.has("featured")) {
  market = new MarketPanel(root, { watch, forget });
  const featured = watch("featured", () => market.feature(featured));
}
for (const element of root.querySelectorAll("[data-of]")) if (!seen.has(element.dataset.of)) element.hidden = true;

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
  const conditions = publications.get("live").rows;
  for (const [part, row] of conditions) {
    if (row.state === "failed") return ["degraded", `Failing, begins anew: ${part.replace("task ", "")} (${row.why})`];
  }
  if (conditions.has("sessions")) return ["degraded", "Sessions cannot be checked; this page may be closed soon"];
  const unread = [...conditions].filter(([, row]) => row.state === "unread").map(([part]) => part.split(" ")[1]);
  if (unread.length) return ["degraded", `Cannot be read: ${unread.join(", ")}`];
  const redis = conditions.get("redis")?.state;
  if (redis === "away") return ["degraded", "Redis is away: updates every 2 s only"];
  const bad = conditions.get("messages");
  if (bad) return ["degraded", `Live; ${count(bad.count)} bad messages passed over, all read anew`];
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

// A number is as old as the newest event in it, where the platform tells, else as its last reading. How old is too old
// depends on how often there is something new to count: at night nobody may log in for minutes.
function showAges() {
  showState();
  repaintHealth();
  for (const element of root.querySelectorAll("[data-age]")) {
    const newest = publications.get("health")?.rows.get(`as_of/${element.dataset.asOf}`)?.value;
    const read = publications.get(element.dataset.age)?.at ?? null;
    const at = newest ?? read;
    const isRead = read === null || now() - read < UNREAD_MS;
    const patience = !isRead ? 0 : element.dataset.patience ? 1_000 * element.dataset.patience : STALE_MS;
    showAge(element, at, patience, (ms) => (ms > patience ? `stale: ${age(ms)} old` : `${age(ms)} old`));
  }
  if (market) showAge(root.querySelector("#market-age"), market.fedAt(), STALE_MS, fedAge);
}

function showAge(element, at, patience, shown) {
  const ms = at === null ? null : now() - at;
  write(element, ms === null ? "no data yet" : shown(ms), undefined, true);
  const stale = ms !== null && ms > patience ? "yes" : "";
  const holder = element.closest("[data-stales]");
  for (const each of [element, holder]) if (each && each.dataset.stale !== stale) each.dataset.stale = stale;
}

setInterval(showAges, AGES_EVERY_MS);
showAges();
