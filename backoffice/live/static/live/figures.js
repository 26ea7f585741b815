// The panels with the operator's figures and the platform's health.

import { age, count, figure, rate, share, text, words } from "./format.js";
import { Table, soon, write } from "./paint.js";

const byName = new Intl.Collator("en", { numeric: true });

const name = (label) => ({ isHeader: true, text: label });
const number = (shown, value) => ({ className: "number", text: shown, value });

// The rows under "section/…", each with the parts of its key, in the order of their keys.
function section(rows, wanted) {
  return [...rows]
    .filter(([key]) => key.startsWith(`${wanted}/`))
    .map(([key, row]) => [key, { ...row, parts: key.split("/").slice(1) }])
    .sort(([one], [other]) => byName.compare(one, other));
}

// A line for each currency and a column for each vertical; amounts of two currencies never meet in one line.
class ByCurrency {
  #element;
  #table = null;
  #verticals = "";

  constructor(element) {
    this.#element = element;
  }

  show(entries, amount, quiet) {
    const verticals = [...new Set(entries.map(([, row]) => row.parts[0]))].sort(byName.compare);
    if (this.#table === null || verticals.join() !== this.#verticals) this.#lay(verticals);
    const lines = new Map();
    for (const [, row] of entries) {
      const [vertical, currency] = row.parts;
      lines.set(currency, { ...lines.get(currency), currency, [vertical]: amount(row) });
    }
    this.#table.show([...lines].sort(([one], [other]) => byName.compare(one, other)), quiet);
  }

  #lay(verticals) {
    this.#verticals = verticals.join();
    const heads = ["Currency", ...verticals.map(words)].map((label, place) => {
      const head = document.createElement("th");
      head.scope = "col";
      head.textContent = label;
      if (place) head.className = "number";
      return head;
    });
    this.#element.tHead.rows[0].replaceChildren(...heads);
    this.#element.tBodies[0].replaceChildren();
    this.#table = new Table(this.#element, [
      name((row) => row.currency),
      ...verticals.map((vertical) => number((row) => figure(row[vertical], row.currency), (row) => row[vertical])),
    ]);
  }
}

export function figuresPanel(root, publication) {
  const element = (id) => root.querySelector(`#${id}`);
  const revenue = new ByCurrency(element("ggr"));
  const stakes = new ByCurrency(element("stake"));
  const payments = new Table(element("payments"), [
    name((row) => row.parts[0]),
    number((row) => share(row.rate), (row) => row.rate),
    number((row) => count(row.succeeded), (row) => row.succeeded),
    number((row) => count(row.failed), (row) => row.failed),
  ]);
  const active = new Table(element("active"), [
    name((row) => row.parts[0]),
    number((row) => count(row.players), (row) => row.players),
  ]);
  const paint = (quiet) => {
    const players = section(publication.rows, "active");
    const logins = publication.rows.get("logins") ?? {};
    const tile = (id, value) => write(element(id), count(value), value, quiet);
    revenue.show(section(publication.rows, "ggr"), (row) => row.amount, quiet);
    stakes.show(section(publication.rows, "stake"), (row) => row.mean, quiet);
    payments.show(section(publication.rows, "payments"), quiet);
    active.show(players, quiet);
    tile("players", players.reduce((sum, [, row]) => sum + row.players, 0));
    tile("logins-ok", logins.succeeded);
    tile("logins-failed", logins.failed);
  };
  return () => soon(paint);
}

// Facts that have their place; every other one of the health publication gets a line of its own, whatever it is.
const PLACED = ["events_per_second", "dead_letters", "halted", "lag", "lag_by_topic", "topics", "sources", "as_of"];

// Returns what to call when rows have changed, and what to call as time goes by: freshness ages without any news.
export function healthPanel(root, publication, now) {
  const table = (id, columns) => new Table(root.querySelector(`#${id}`), columns);
  const streams = table("streams", [
    name((row) => row.parts.join(" · ")),
    { className: "number", text: (row) => row.fresh },
    number((row) => count(row.lag), (row) => row.lag),
    number((row) => count(row.dead_letters), (row) => row.dead_letters),
  ]);
  const sources = table("sources", [
    name((row) => row.parts[0]),
    { className: "number", text: (row) => age(now() - row.heard_at) },
    number((row) => `${count(row.silent)} of ${count(row.watched)}`, (row) => row.silent),
  ]);
  const facts = table("facts", [name((row) => row.label), number((row) => row.shown, (row) => row.value)]);
  const paint = (quiet) => {
    tiles(root, publication.rows, quiet);
    streams.show(lanes(publication.rows, now()), quiet);
    showOrHide(root, "sources", sources, section(publication.rows, "sources").filter(([, row]) => "watched" in row), quiet);
    showOrHide(root, "facts", facts, [...publication.rows].flatMap(([key, row]) => factLines(key, row)), quiet);
  };
  return () => soon(paint);
}

function tiles(root, rows, quiet) {
  const value = (key) => rows.get(key)?.value;
  const tile = (id, shown, number, isBad) => {
    const element = root.querySelector(`#${id}`);
    write(element, shown, number, quiet);
    element.closest(".tile").dataset.state = isBad ? "bad" : "";
  };
  const waiting = section(rows, "lag");
  const lag = waiting.length ? waiting.reduce((sum, [, row]) => sum + row.value, 0) : null;
  const halted = section(rows, "halted").length;
  tile("rate", rate(value("events_per_second")), value("events_per_second"));
  tile("lag", count(lag), lag);
  tile("dead-letters", count(value("dead_letters")), value("dead_letters"));
  tile("halted", count(halted), halted, halted > 0);
}

// Each topic of each stream; where only the lag of whole streams is known, that.
function lanes(rows, now) {
  const told = section(rows, "topics").filter(([, row]) => "newest_at" in row);
  if (!told.length) return section(rows, "lag").map(([key, row]) => [key, { ...row, lag: row.value, fresh: "–" }]);
  return told.map(([key, row]) => [
    key,
    {
      ...row,
      fresh: row.newest_at === null ? "–" : age(now - row.newest_at),
      lag: rows.get(`lag_by_topic/${row.parts.join("/")}`)?.value,
    },
  ]);
}

function showOrHide(root, id, table, lines, quiet) {
  root.querySelector(`#${id}`).closest(".panel").hidden = lines.length === 0;
  table.show(lines, quiet);
}

function factLines(key, row) {
  if (PLACED.includes(key.split("/")[0])) return [];
  const label = words(key.replaceAll("/", " · "));
  return Object.entries(row).map(([field, value]) => [
    `${key} ${field}`,
    {
      label: field === "value" ? label : `${label} · ${words(field)}`,
      value,
      shown: typeof value === "number" ? (Number.isInteger(value) ? count(value) : rate(value)) : text(value),
    },
  ]);
}
