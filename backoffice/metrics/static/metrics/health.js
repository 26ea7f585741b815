// How the platform is: what moves, what waits, what is wrong.

import { age, count, moment, rate, text, words } from "../live/format.js";
import { keyOf, partsOf } from "../live/keys.js";
import { Table, soon, write } from "../live/paint.js";
import { name, number, section } from "../live/sections.js";

// What has its place here or in a panel of an app; everything else that is told of health gets a line of its own.
const PLACED = ["events_per_second", "dead_letters", "halted", "lag", "lag_by_topic", "topics", "sources", "as_of"];

// Returns what to call as time goes by: freshness ages without any news.
export function panel(root, page) {
  const table = (id, columns) => new Table(root.querySelector(`#${id}`), columns);
  const streams = table("streams", [
    name((row) => row.parts.join(" · ")),
    { className: "number", text: (row) => row.fresh },
    number((row) => count(row.lag), (row) => row.lag),
    number((row) => count(row.dead_letters), (row) => row.dead_letters),
  ]);
  const rest = table("rest", [name((row) => row.label), number((row) => row.shown, (row) => row.value)]);
  const health = page.watch("health", () => soon(paint));
  const paint = (quiet) => {
    tiles(root, health.rows, quiet);
    streams.show(streamLines(health.rows, page.now()), quiet);
    rest.showOrHide([...health.rows].flatMap(([key, row]) => restLines(key, row)), quiet);
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
  const halted = rows.has("dead_letters") ? section(rows, "halted").length : null;
  tile("rate", rate(value("events_per_second")), value("events_per_second"));
  tile("lag", count(lag), lag);
  tile("dead-letters", count(value("dead_letters")), value("dead_letters"));
  tile("halted", count(halted), halted, halted > 0);
}

// Each topic of each stream; where only the lag of whole streams is known, that.
function streamLines(rows, now) {
  const told = section(rows, "topics").filter(([, row]) => "newest_at" in row);
  if (!told.length) return section(rows, "lag").map(([key, row]) => [key, { ...row, lag: row.value, fresh: "–" }]);
  return told.map(([key, row]) => [
    key,
    {
      ...row,
      fresh: row.newest_at === null ? "–" : age(now - row.newest_at),
      lag: rows.get(keyOf("lag_by_topic", ...row.parts))?.value,
    },
  ]);
}

function restLines(key, row) {
  const parts = partsOf(key);
  if (PLACED.includes(parts[0])) return [];
  const label = words(parts.join(" · "));
  return Object.entries(row).map(([field, value]) => [
    `${key} ${field}`,
    {
      label: field === "value" ? label : `${label} · ${words(field)}`,
      value,
      shown: fact(field, value),
    },
  ]);
}

// A number alone does not say what it is; the field's name does: a time ("due_at", "since"), seconds ("limit"), or a count.
function fact(field, value) {
  if (typeof value !== "number") return text(value);
  if (field.endsWith("_at") || field === "since") return `${moment(value)} UTC`;
  if (field === "limit") return age(1000 * value);
  return Number.isInteger(value) ? count(value) : rate(value);
}
